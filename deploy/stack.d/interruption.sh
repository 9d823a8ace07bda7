# ---- runs that do not come to their end ----

TOLD="" # yes once people know how this run has failed

# Note that a run has begun, and put a reserve aside, for which write_file finds no other place where the disk is full
# later on. Where neither can be written, end the run before anything is changed.
begin_run() {
  local output
  rm -f release.yml.part "$STATE"/*.part # of a run that was killed
  output=$({ { [[ -f $STATE/reserve ]] || replace_file "$STATE/reserve" "$(printf '%065536d' 0)"; } &&
    replace_file "$STATE/running" "$(timestamp) $EVENT -"$'\n'; } 2>&1) && return
  rm -f "$STATE/reserve"
  fail_unchanged "$EXIT_FAILED" "$PWD/$STATE cannot be written" "${output##*: }; \`df -h $PWD\` shows how full the disk is"
}

# Note which release this run deploys, for the next run, in case that this one does not come to its end.
mark_run() { # ID
  write_file "$STATE/running" <<<"$(timestamp) $EVENT $1" || true
}

# Tell that the run before this one did not come to its end: nobody else has told it.
tell_interrupted_run() {
  local time event id message
  [[ -s $STATE/running ]] || return 0
  read -r time event id <"$STATE/running"
  message="a $event was ended by a signal or with the machine, before it had changed anything"
  [[ $id == - ]] || message="the $event of $(describe_release "$id") was ended half-way, by a signal or with the machine"
  message+="; this run goes on from there, $(serving_now)"
  warn "$message: it began at $time"
  EVENT=$event record_history failed "$id" "$message: it began at $time" || true
  send_alert failure "$message" "it began at $time"
}

# Of `trap … EXIT`: forget a run that came to its end, and tell a failure that nothing else has told. A run that a signal
# has ended leaves its mark for the next one, which tells it: bash does not get far here where the signal came while it
# was starting a program.
on_exit() { # CODE
  trap - ERR
  set +e
  case $1 in
    130) warn "ended by SIGINT${LOCKED:+; the next run continues from here, and tells people}" ;;
    143) warn "ended by SIGTERM${LOCKED:+; the next run continues from here, and tells people}" ;;
    *)
      if [[ -n $LOCKED && -n $EVENT ]]; then
        [[ $1 == 0 || -n $TOLD ]] || tell_failure "the script ended unexpectedly with exit code $1; $(serving_now)"
        rm -f "$STATE/running"
      fi
      ;;
  esac
  close_output
}
