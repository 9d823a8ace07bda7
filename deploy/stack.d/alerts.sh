# ---- alerts: a webhook and Telegram ----

readonly EXIT_REFUSED=76     # of `compose-init alert`: the receiver would refuse the same alert again
readonly ALERT_TEXT_BYTES=3000
FAILED_CHANNELS=" "          # what has failed in this run: a receiver that is gone costs each run one attempt
UNSENT=""                    # the alerts that are left for the next run

# Tell people of an EVENT (failure, rollback, recovery). The same failure is told once, until a recovery.
send_alert() { # EVENT MESSAGE [DETAIL]
  local channel channels line alert lines=""
  channels=$(alert_channels)
  line="${channels:--} ${2//$'\n'/; }"
  case $1 in
    recovery) [[ -f $STATE/open-alert ]] || return 0 ;;
    failure) ! grep -sqxF -e "$line" "$STATE/open-alert" || return 0 ;;
    rollback) [[ ! -f $STATE/open-alert || $(head -n 1 "$STATE/open-alert") != "$line" ]] || return 0 ;;
  esac
  alert=$(describe_alert "$@")
  for channel in ${channels//,/ }; do lines+="$channel $alert"$'\n'; done
  send_unsent_alerts "$lines" || return 0 # it is not taken for told
  if [[ $1 == recovery ]]; then
    rm -f "$STATE/open-alert" || true
  else
    record_open_alert "$line" || warn "this failure cannot be recorded, so the next run tells it again"
  fi
}

# Make a line the first of the failures that no success has followed; it replaces one with the same message.
record_open_alert() { # LINE
  {
    echo "$1"
    [[ ! -f $STATE/open-alert ]] ||
      MESSAGE=${1#* } awk '{message = $0; sub(/^[^ ]+ /, "", message)} message != ENVIRON["MESSAGE"]' "$STATE/open-alert" | head -n 19
  } | write_file "$STATE/open-alert"
}

# Print an alert as members of a JSON object, without its braces.
describe_alert() { # EVENT MESSAGE [DETAIL]
  local summary=null text=$2${3:+: $3}
  if [[ -n $INIT_RAN && -s $STATE/init.log ]]; then summary=$(json_string "$(tail -n 1 "$STATE/init.log")"); fi
  [[ ${#text} -le $ALERT_TEXT_BYTES ]] || text="${text:0:ALERT_TEXT_BYTES} …"
  printf '"event": "%s", "time": "%s", "project": %s, "host": %s, "text": %s, "summary": %s' "$1" "$(timestamp)" \
    "$(json_string "${PROJECT:-${PWD##*/}}")" "$(json_string "$(uname -n)")" "$(json_string "$text")" "$summary"
}

# Print the channels that are configured, with commas between them.
alert_channels() {
  local channel channels=""
  for channel in webhook telegram; do
    [[ -z $(alert_recipient "$channel") ]] || channels+="${channels:+,}$channel"
  done
  printf '%s' "$channels"
}

# Print by which channels a failure was sent, and by which not.
describe_open_alert() { # CHANNELS MESSAGE
  local channel sent="" unsent="" refused="" text
  [[ $1 != - ]] || { printf 'nobody was told, no alert channel was configured' && return; }
  text="\"text\": $(json_string "$2")"
  for channel in ${1//,/ }; do
    if grep -sq "^$channel " "$STATE/unsent-alerts"; then
      unsent+=" and $channel"
    elif grep -s "^$channel " "$STATE/refused-alerts" | grep -qF -e "${text%\"}"; then
      refused+=" and $channel"
    else
      sent+=" and $channel"
    fi
  done
  text=${sent:+, sent by${sent# and}}${unsent:+, not sent yet by${unsent# and}}${refused:+, refused by the receiver of${refused# and}}
  printf '%s' "${text#, }"
}

# Send what has not been sent yet, and then LINES, in order; each channel by itself, so that nobody gets an alert twice.
# Return 1 where one could neither be sent nor kept.
send_unsent_alerts() { # [LINES]
  local channel alert before
  before=$([[ ! -s $STATE/unsent-alerts ]] || cat "$STATE/unsent-alerts")
  [[ -n $before${1-} ]] || return 0
  before+=${before:+$'\n'}
  UNSENT=$before${1-}
  # First of all, so that the next run sends what this one does not, if it is killed.
  [[ -z ${1-} ]] || keep_unsent_alerts || true
  UNSENT=""
  while read -r channel alert; do deliver_alert "$channel" "$alert"; done < <(printf '%s' "$before${1-}")
  [[ -n ${1-} || $UNSENT != "$before" ]] || return 0
  keep_unsent_alerts || [[ -z $UNSENT ]]
}

keep_unsent_alerts() {
  [[ -n $UNSENT ]] || { rm -f "$STATE/unsent-alerts" && return; }
  printf '%s' "$UNSENT" | tail -n 100 | write_file "$STATE/unsent-alerts"
}

# Send one alert by one channel, or add it to UNSENT. What a receiver refuses for good is put aside, where people see it.
deliver_alert() { # CHANNEL ALERT
  local code=0
  if [[ $FAILED_CHANNELS == *" $1 "* ]]; then
    UNSENT+="$1 $2"$'\n'
    return 0
  fi
  post_alert "$1" "$2" || code=$?
  if ((code == EXIT_REFUSED)); then
    warn "an alert was refused, and is not sent again (see $STATE/refused-alerts): $(tool_error "$ANSWER")"
    { [[ ! -s $STATE/refused-alerts ]] || tail -n 19 "$STATE/refused-alerts"
      printf '%s %s, "refused": %s\n' "$1" "$2" "$(json_string "$(tool_error "$ANSWER")")"; } | write_file "$STATE/refused-alerts" || true
  elif ((code != 0)); then
    FAILED_CHANNELS+="$1 "
    UNSENT+="$1 $2"$'\n'
    warn "an alert could not be sent by $1; the next run tries again: $(tool_error "$ANSWER")"
  elif [[ $ANSWER == *"has not answered"* && $2 != *'"unanswered": true'* ]]; then
    FAILED_CHANNELS+="$1 "
    UNSENT+="$1 $2, \"unanswered\": true"$'\n' # whether it has arrived is not known: once more, by the next run
  fi
}

# Send one alert by one channel; return EXIT_REFUSED where it never will be, with the reason in ANSWER.
post_alert() { # CHANNEL ALERT
  local recipient code=0
  recipient=$(alert_recipient "$1")
  [[ -n $recipient ]] || return 0 # the channel was removed meanwhile
  # Where Compose cannot read .env, nobody knows the chat, and Telegram would refuse the alert for good.
  [[ $1 != telegram || -n $(setting STACK_TELEGRAM_CHAT "") ]] || { ANSWER="STACK_TELEGRAM_CHAT is not known" && return 1; }
  # On stdin, so that no secret is in a list of processes or in what Docker knows of a container.
  run_tool host "{$2, \"$1\": $recipient}" "sent to " alert || code=$?
  if ((code == EXIT_NO_TOOL)); then
    code=0
    post_from_host "$1" "$2" || code=$?
  fi
  ((code != EXIT_USAGE)) || code=$EXIT_REFUSED # an alert that nobody can read
  return "$code"
}

# Print to whom a channel sends, as JSON; nothing where the channel is not configured.
alert_recipient() { # CHANNEL
  local secret=secrets/alert_webhook
  [[ $1 == webhook ]] || secret=secrets/alert_telegram_token
  [[ -s $secret ]] || return 0
  if [[ $1 == webhook ]]; then
    json_string "$(<"$secret")"
  else
    printf '{"api": %s, "token": %s, "chat": %s}' "$(json_string "$(setting STACK_TELEGRAM_API https://api.telegram.org)")" \
      "$(json_string "$(<"$secret")")" "$(json_string "$(setting STACK_TELEGRAM_CHAT "")")"
  fi
}
