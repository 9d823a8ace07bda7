# ---- ./stack status for people: one screen ----

print_status_text() {
  echo "$PROJECT in $PWD on $(uname -n)"
  [[ -z $SETTINGS_FAULT ]] || print_topic fault "$SETTINGS_FAULT"
  [[ -z $DOCKER_FAULT ]] || print_topic fault "$DOCKER_FAULT"
  print_releases_text
  print_services_text
  print_blocked_text
  [[ -z $OPEN_ALERT ]] || print_topic alert "the last failure that no success has followed ($SENT): $OPEN_ALERT"
  ((UNSENT_ALERTS == 0)) || print_topic alert "alerts that are not sent yet: $UNSENT_ALERTS"
  ((REFUSED_ALERTS == 0)) ||
    print_topic alert "alerts that were refused: $REFUSED_ALERTS, the last one since $REFUSAL; read and delete $STATE/refused-alerts"
  print_topic backup "$(describe_backup)"
  print_topic timer "$(describe_timer)"
  [[ -z $RUNS ]] || print_topic "last runs" "$RUNS"
}

# Print a text with its topic before the first line.
print_topic() { # TOPIC TEXT
  local line topic=$1
  while IFS= read -r line; do
    printf '  %-10s %s\n' "$topic" "$line"
    topic=""
  done <<<"$2"
}

print_releases_text() {
  local name image tag version
  if [[ -z $CURRENT ]]; then
    print_topic current "no release is deployed here"
  else
    print_topic current "${CURRENT_VERSION:+$CURRENT_VERSION }($CURRENT)${SINCE:+, since $(describe_time "$SINCE")}"
    while IFS=$US read -r name image tag version; do
      printf '  %-10s   %-10s %-14s %s\n' "" "$name" "$version" "${tag%@*} ${image#*@}"
    done <<<"$IMAGES"
    [[ -n $IMAGES ]] ||
      print_topic "" "$STATE/$CURRENT.yml, which names its images, is missing; ./stack deploy writes it again"
  fi
  [[ -z $PREVIOUS ]] || print_topic before "${PREVIOUS_VERSION:+$PREVIOUS_VERSION }($PREVIOUS)"
  if [[ -n $IN_PROGRESS ]]; then
    print_topic run "a run is in progress"
  elif [[ $STARTED != "$CURRENT" ]]; then
    print_topic run "a run was interrupted: release.yml is ${STARTED:-empty}; the next run continues from there"
  fi
}

print_services_text() {
  local fault reason
  case $HEALTHY in
    yes) print_topic services "every service is up and healthy" ;;
    no)
      while IFS=$US read -r _ fault reason; do
        print_topic services "not healthy: $fault${reason:+ ($reason)}"
      done <<<"$UNHEALTHY"
      ;;
    *) print_topic services "not known" ;;
  esac
}

print_blocked_text() {
  local id since version reason
  [[ -n $BLOCKED ]] || return 0
  while IFS=$US read -r id since version reason; do
    print_topic blocked "${version:+$version }($id) since $(describe_time "$since"): $reason; ./stack deploy tries it again"
  done <<<"$BLOCKED"
}

describe_backup() {
  if [[ -n $BACKUP ]]; then
    echo "$BACKUP, $(((BACKUP_BYTES + 1023) / 1024)) KB, $(describe_time "$BACKUP_TIME")"
  elif is_enabled STACK_BACKUP false; then
    echo "none yet"
  else
    echo "none; STACK_BACKUP is not set"
  fi
}

describe_timer() {
  case $TIMER in
    "") echo "none is active; deploys are started by hand" ;;
    cron) echo "a line of the crontab starts ./stack deploy" ;;
    *) echo "$TIMER${NEXT_RUN:+, next at $NEXT_RUN}" ;;
  esac
}

# Print a time and how long ago it was: `2026-11-24T02:15:00Z (2 days ago)`.
describe_time() { # TIME
  echo "$1 ($(describe_age "$(($(date +%s) - $(unix_time "$1")))"))"
}

describe_age() { # SECONDS
  if (($1 < 0)); then
    echo "in the future"
  elif (($1 < 120)); then
    echo "$1 s ago"
  elif (($1 < 7200)); then
    echo "$(($1 / 60)) minutes ago"
  elif (($1 < 172800)); then
    echo "$(($1 / 3600)) hours ago"
  else
    echo "$(($1 / 86400)) days ago"
  fi
}
