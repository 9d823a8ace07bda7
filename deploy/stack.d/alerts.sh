# ---- alerts: a webhook and Telegram ----

# Tell people of an EVENT (failure, rollback, recovery). The same failure is told once, until a recovery.
send_alert() { # EVENT MESSAGE [DETAIL]
  local channel channels alert summary=null
  channels=$(alert_channels)
  if [[ $1 == recovery ]]; then
    [[ -f $STATE/open-alert ]] || return 0
    rm "$STATE/open-alert"
  else
    [[ ! -f $STATE/open-alert || $(<"$STATE/open-alert") != "${channels:--} $2" ]] || return 0
    write_file "$STATE/open-alert" <<<"${channels:--} $2"
  fi
  if [[ -n $INIT_RAN && -s $STATE/init.log ]]; then summary=$(json_string "$(tail -n 1 "$STATE/init.log")"); fi
  alert="\"event\": \"$1\", \"time\": \"$(timestamp)\", \"project\": $(json_string "${PROJECT:-${PWD##*/}}"), \
\"host\": $(json_string "$(uname -n)"), \"text\": $(json_string "$2${3:+: $3}"), \"summary\": $summary"
  for channel in ${channels//,/ }; do
    printf '%s %s\n' "$channel" "$alert" >>"$STATE/unsent-alerts"
  done
  send_unsent_alerts
}

# Print the channels that are configured, with commas between them.
alert_channels() {
  local channel channels=""
  for channel in webhook telegram; do
    [[ -z $(alert_recipient "$channel") ]] || channels+="${channels:+,}$channel"
  done
  printf '%s' "$channels"
}

# Print which channels the last failure was sent by, and which not.
describe_open_alert() { # CHANNELS
  local channel sent="" unsent=""
  [[ $1 != - ]] || { printf 'nobody was told, no alert channel was configured' && return; }
  for channel in ${1//,/ }; do
    if grep -sq "^$channel " "$STATE/unsent-alerts"; then unsent+=" and $channel"; else sent+=" and $channel"; fi
  done
  printf '%s' "${sent:+sent by${sent# and}}${sent:+${unsent:+, }}${unsent:+not sent yet by${unsent# and}}"
}

# Send what has not been sent yet, in order; each channel by itself, so that nobody gets an alert twice.
send_unsent_alerts() {
  local channel alert unsent="" failed=" "
  [[ -s $STATE/unsent-alerts ]] || return 0
  while read -r channel alert; do
    if [[ $failed == *" $channel "* ]] || ! post_alert "$channel" "$alert"; then
      failed+="$channel "
      unsent+="$channel $alert"$'\n'
    fi
  done <"$STATE/unsent-alerts"
  printf '%s' "$unsent" | tail -n 20 | write_file "$STATE/unsent-alerts"
  [[ -z $unsent ]] || warn "an alert could not be sent by${failed% }; the next run tries again"
}

post_alert() { # CHANNEL ALERT
  local recipient image
  recipient=$(alert_recipient "$1")
  [[ -n $recipient ]] || return 0 # the channel was removed meanwhile
  image=$(tool_image)
  [[ -n $image ]] || { warn "the alert cannot be sent: no init image is on this server yet" && return 1; }
  # On stdin, so that no secret is in a list of processes or in what Docker knows of a container.
  run_tool host "$image" alert <<<"{$2, \"$1\": $recipient}"
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
