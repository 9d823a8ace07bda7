# ---- checks of ./stack doctor: this folder ----

check_files() {
  local file well=yes
  for file in compose.yml .env; do
    [[ -f $file ]] || { well="" && fault "$file is not here" "copy it to $PWD"; }
  done
  if [[ -f .env && $(stat -c %a .env) != ?00 ]]; then
    well="" && fault ".env is readable by other users" "chmod 600 .env"
  fi
  if [[ -d secrets && $(stat -c %a secrets) != 700 ]]; then
    well="" && fault "secrets/ is open to other users" "chmod 700 secrets"
  fi
  for file in . "$STATE"; do
    [[ ! -e $file || -w $file ]] || { well="" && fault "$(id -un) may not write to $file" "run this as $(stat -c %U "$file")"; }
  done
  [[ -z $well ]] || ok "compose.yml and .env are here, for $(id -un) alone"
}

check_settings() {
  if [[ -z $SETTINGS_FAULT ]]; then
    ok "project $PROJECT; of a release: ${RELEASED[*]}; besides: ${INFRASTRUCTURE[*]:-nothing}"
  else
    fault "$SETTINGS_FAULT" "docker compose config shows how Compose reads its files"
  fi
}

# Check .env, the Compose files and the secrets as a deploy does.
check_env() {
  local output line code=0
  output=$(check_environment 2>&1 || { printf '%s' "$ANSWER" && exit "$EXIT_NO_TOOL"; }) || code=$?
  case $code in
    0) ok "init finds no fault" && return ;;
    "$EXIT_NO_TOOL") warning "no image on this server can check them: $output" "./stack deploy checks with the image that it pulls" && return ;;
  esac
  output=${output#stack: \[*\] }
  [[ $output != *$'\n'* ]] || output=${output#*$'\n'} # the first line only says that faults follow
  while IFS= read -r line; do fault "${line#"${line%%[! ]*}"}" "fix it; ./stack deploy ends there"; done <<<"$output"
}

# Check that something starts deploys. That it starts them in this folder is a part of check_installation.
check_timer() {
  local unit started
  unit=$(units_folder)/stack-$PROJECT.service started=$(unit_folder "stack-$PROJECT")
  [[ -z $started || $(id -u) == 0 || -n ${STACK_UNITS-} ]] ||
    warning "it runs as root, and all of this was checked as $(id -un)" "run ./stack doctor as root: docker login, modes and owners are its own"
  collect_timer
  if [[ -n $TIMER ]]; then
    ok "$(describe_timer)"
  elif [[ ! -d $STATE ]]; then
    ok "./stack install sets it up"
  elif [[ -z $started ]]; then
    warning "nothing starts ./stack deploy --timer" "./stack install as root, or add its line to the crontab"
  elif [[ ! $started -ef $PWD ]]; then
    warning "$unit starts $started/stack" "./stack install"
  elif [[ -d /run/systemd/system ]]; then
    warning "stack-$PROJECT.timer is not active" "systemctl enable --now stack-$PROJECT.timer"
  else
    ok "$unit starts this folder"
  fi
}

check_alerts() {
  local channels
  channels=$(alert_channels)
  collect_alerts
  ((UNSENT_ALERTS == 0)) || warning "not sent yet: $UNSENT_ALERTS" "is the receiver up? the next deploy sends them again"
  if [[ -z $channels ]]; then
    warning "nobody is told of a failure" "put an address into secrets/alert_webhook, or a token into secrets/alert_telegram_token"
  else
    ok "sent by ${channels//,/ and }"
  fi
}

# Send a message by each channel, print which receivers have it, and count a channel that fails as a fault.
send_test_alert() {
  local channel channels alert
  TOPIC="test alert"
  channels=$(alert_channels)
  [[ -n $channels ]] || { FAULTS=$((FAULTS + 1)) && fault "no channel is configured" "put an address into secrets/alert_webhook" && return; }
  alert=$(describe_alert test "sent by ./stack doctor --alert; nothing has happened")
  for channel in ${channels//,/ }; do
    if post_alert "$channel" "$alert"; then
      ok "$(tail -n 1 <<<"$ANSWER")"
    else
      FAULTS=$((FAULTS + 1))
      fault "$channel does not take it: $(tool_error "$ANSWER")" "correct the address, the token or the chat: secrets/alert_*, STACK_TELEGRAM_CHAT"
    fi
  done
}

check_history() {
  local time result last success
  last=$(last_runs 1)
  [[ -n $last ]] || { ok "nothing was deployed here yet" && return; }
  read -r time _ result _ <<<"$last"
  success=$(last_success)
  if [[ $result == ok ]]; then
    ok "the last deploy succeeded at $(describe_time "$time")"
  else
    warning "the last one failed at $(describe_time "$time"); the last success was at ${success:-no time}" "./stack status"
  fi
}
