# ---- what ./stack status knows: collected once, then printed as text or as JSON ----
#
# Records are lines, and US separates their fields, which may hold spaces or be empty.

readonly US=$'\x1f'

# Collect all that `status` prints. What cannot be asked stays empty, and SETTINGS_FAULT or DOCKER_FAULT says why.
collect_status() {
  bound_docker
  DOCKER_FAULT=$(docker_fault) # nothing else waits for a Docker that does not answer
  collect_settings check_folder
  collect_releases
  collect_services
  collect_alerts
  collect_backup
  collect_timer
  RUNS=$(last_runs 10)
}

# Let no question to Docker take longer than half a minute, where somebody waits for the answer only to read it.
bound_docker() {
  docker() { timeout 30 docker "$@"; }
}

# Read the settings, or set SETTINGS_FAULT to the reason for which nobody can; with a FUNCTION that must succeed first.
collect_settings() { # [FUNCTION]
  local output
  SETTINGS_FAULT=""
  if output=$( ("${1-true}" && read_settings) 2>&1); then
    read_settings
  else
    SETTINGS_FAULT=${output#stack: \[*\] }
    read_variables || true
    PROJECT=$(setting COMPOSE_PROJECT_NAME "${PWD##*/}") INIT_SERVICE=$(setting STACK_INIT_SERVICE init)
    APPS=() INFRASTRUCTURE=() RELEASED=()
  fi
}

# Set CURRENT, PREVIOUS and STARTED to IDs, IMAGES to `SERVICE IMAGE TAG VERSION` of the current release, BLOCKED to
# `ID TIME VERSION REASON`.
collect_releases() {
  local name image tag id since reason
  CURRENT=$(current_release) PREVIOUS=$(previous_release) STARTED=$(started_release)
  CURRENT_VERSION=$(release_version "$CURRENT") PREVIOUS_VERSION=$(release_version "$PREVIOUS")
  SINCE=$(serving_since "$CURRENT")
  IMAGES=$(while read -r name image tag; do
    echo "$name$US$image$US$tag$US$(image_label "$image" version | tr -d '\000-\037')"
  done < <(release_images "$CURRENT"))
  BLOCKED=$(while read -r id since reason; do
    echo "$id$US$since$US$(release_version "$id")$US$reason"
  done < <(blocked_releases))
  IN_PROGRESS=""
  if is_locked; then IN_PROGRESS=yes; fi
}

# Set HEALTHY to yes, no or, where nobody can tell, nothing; UNHEALTHY to `SERVICE FAULT REASON`.
collect_services() {
  local fault faults
  HEALTHY="" UNHEALTHY=""
  [[ -z $DOCKER_FAULT$SETTINGS_FAULT ]] || return 0
  if faults=$(services_are_healthy "$CURRENT"); then
    HEALTHY=yes
    return
  fi
  HEALTHY=no
  UNHEALTHY=$(while IFS= read -r fault; do
    echo "${fault%% *}$US$fault$US$(first_reason "${fault%% *}")"
  done <<<"$faults")
}

# Print why a service is not well: what Docker, its health check or the last line of its log says.
first_reason() { # SERVICE
  local id reason
  id=$(docker ps --all --quiet --latest --filter "label=com.docker.compose.project=$PROJECT" \
    --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False 2>/dev/null) || return 0
  [[ -n $id ]] || return 0
  reason=$(docker inspect --format '{{.State.Error}}
{{with .State.Health}}{{with .Log}}{{(index . (len (slice . 1))).Output}}{{end}}{{end}}' "$id" 2>/dev/null | grep -m 1 .) ||
    reason=$(timeout 20 docker logs --tail 20 "$id" 2>&1 | grep . | tail -n 1) || true
  reason=${reason//[$'\x01'-$'\x1f']/} # a log may be in colour
  printf '%s' "${reason:0:300}"
}

# Set OPEN_ALERT, and SENT to what has become of it; UNSENT_ALERTS and REFUSED_ALERTS are how
# many alerts wait, and how many no receiver will ever take; REFUSAL is why it did not take the last.
collect_alerts() {
  OPEN_ALERT="" SENT="" UNSENT_ALERTS=0 REFUSED_ALERTS=0 REFUSAL=""
  if [[ -s $STATE/open-alert ]]; then
    read -r SENT OPEN_ALERT <"$STATE/open-alert"
    SENT=$(describe_open_alert "$SENT" "$OPEN_ALERT")
  fi
  [[ ! -s $STATE/unsent-alerts ]] || UNSENT_ALERTS=$(wc -l <"$STATE/unsent-alerts")
  [[ -s $STATE/refused-alerts ]] || return 0
  REFUSED_ALERTS=$(wc -l <"$STATE/refused-alerts")
  REFUSAL=$(tail -n 1 "$STATE/refused-alerts" | sed -E 's/.*, "refused": "(.*)"$/\1/')
}

collect_backup() {
  BACKUP_TIME="" BACKUP_BYTES=""
  BACKUP=$(newest_backup)
  [[ -n $BACKUP ]] || return 0
  BACKUP_TIME=$(date -u -d "@$(stat -c %Y "$BACKUP")" +%Y-%m-%dT%H:%M:%SZ)
  BACKUP_BYTES=$(stat -c %s "$BACKUP")
}

# Set TIMER to what starts deploys here, and NEXT_RUN to when it will.
collect_timer() {
  local unit=stack-$PROJECT.timer next
  TIMER="" NEXT_RUN=""
  if command -v systemctl >/dev/null && systemctl is-active --quiet "$unit" 2>/dev/null; then
    TIMER=$unit
    next=$(TZ=UTC systemctl show "$unit" --property NextElapseUSecRealtime --value 2>/dev/null) || true
    [[ -z $next ]] || NEXT_RUN=$(date -u -d "$next" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null) || true
  elif crontab -l 2>/dev/null | grep -v '^[[:space:]]*#' | grep -qF "$(cron_word "$PWD/stack") deploy"; then
    TIMER=cron
  fi
}

# Print the exit code that says what was collected.
status_code() {
  if ! (check_folder) >/dev/null 2>&1 || [[ -n $SETTINGS_FAULT && -z $DOCKER_FAULT ]]; then
    echo "$EXIT_USAGE"
  elif [[ $HEALTHY == yes ]]; then
    echo 0
  else
    echo "$EXIT_UNHEALTHY"
  fi
}
