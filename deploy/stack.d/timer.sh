# ---- the timer: units of systemd, or a line for cron ----

install_timer() {
  local folder name=stack-$PROJECT
  folder=$(units_folder)
  if [[ -z ${STACK_UNITS-} ]] && { [[ ! -d /run/systemd/system ]] || [[ $(id -u) != 0 ]]; }; then
    say "no timer was installed: there is no systemd, or \`install\` was not run as root. The line for cron:"
    echo "    */5 * * * * sleep \$(shuf -i 0-59 -n 1); $(cron_word "$PWD/stack") deploy --timer >>$(cron_word "$PWD/$STATE/cron.log") 2>&1"
    return 0
  fi
  deploy_unit "$name" | write_file "$folder/$name.service"
  timer_unit | write_file "$folder/$name.timer"
  mail_unit "$name" | write_file "$folder/$name-mail.service"
  chmod 644 "$folder/$name".{service,timer} "$folder/$name-mail.service"
  if [[ -z ${STACK_UNITS-} ]]; then
    systemctl daemon-reload
    systemctl enable --now "$name.timer"
  fi
  say "the timer is $folder/$name.timer"
}

units_folder() { printf '%s' "${STACK_UNITS:-/etc/systemd/system}"; }

# Print the folder that a timer deploys; nothing where there is no such timer.
unit_folder() { # NAME
  sed -n 's/^ExecStart="\(.*\)\/stack" deploy --timer$/\1/p' "$(units_folder)/$1.service" 2>/dev/null | sed 's/%%/%/g' || true
}

remove_timer() { # NAME
  local folder
  folder=$(units_folder)
  [[ -n ${STACK_UNITS-} ]] || systemctl disable --now "$1.timer" || true
  rm -f "$folder/$1".{service,timer} "$folder/$1-mail.service"
  [[ -n ${STACK_UNITS-} ]] || systemctl daemon-reload || true
}

deploy_unit() { # NAME
  cat <<UNIT
[Unit]
Description=Deploys new images of $PROJECT
Wants=network-online.target docker.service
After=network-online.target docker.service
OnFailure=$1-mail.service

[Service]
Type=oneshot
ExecStart="${PWD//%/%%}/stack" deploy --timer
# \`docker login\` writes its credentials there.
Environment=HOME=%h
# Another run is in progress: not a failure.
SuccessExitStatus=$EXIT_BUSY
TimeoutStartSec=30min
# init rolls back and releases its lock.
TimeoutStopSec=60
UNIT
}

timer_unit() {
  cat <<UNIT
[Unit]
Description=Looks for new images of $PROJECT

[Timer]
OnBootSec=2min
OnCalendar=*:0/5
RandomizedDelaySec=60
Persistent=true

[Install]
WantedBy=timers.target
UNIT
}

mail_unit() { # NAME
  cat <<UNIT
[Unit]
Description=Mails that $1.service has failed
# A registry that cannot be reached for a night must not cause a hundred mails.
StartLimitIntervalSec=1h
StartLimitBurst=2

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'journalctl --unit=$1.service --lines=50 --no-pager | mail -s "$1 failed on %H" "\$\${MAILTO:-root}"'
UNIT
}

# Print a path as a word of a crontab, where % would end the command.
cron_word() { # PATH
  local word
  printf -v word %q "$1"
  printf '%s' "${word//%/\\%}"
}
