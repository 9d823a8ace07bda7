# ---- messages ----

TO_STDERR="" # the mark of a line for stderr, once stdout and stderr are one pipe (keep_output)

say() { printf 'stack: [%3d s] %s\n' "$SECONDS" "$*"; }

warn() { # MESSAGE
  local text=$*
  printf '%sstack: [%3d s] %s\n' "$TO_STDERR" "$SECONDS" "${text//$'\n'/$'\n'$TO_STDERR}" >&2
}

die() { # CODE MESSAGE
  TOLD=yes # whoever called it
  warn "$2"
  exit "$1"
}

# Print why a function has returned 1.
full_reason() { printf '%s' "$REASON${DETAIL:+: $DETAIL}"; }

# Print what answers requests at the moment, as a part of a message.
serving_now() {
  local current
  current=$(current_release)
  if [[ -z $current ]]; then
    echo "no release is deployed here"
  elif services_are_healthy "$current" >/dev/null; then
    echo "$(describe_release "$current") still serves"
  else
    echo "$(describe_release "$current") is the current release but not healthy; see ./stack status"
  fi
}

# End a deploy or a rollback as failed, and tell people. Any other command only prints the message.
fail() { # CODE MESSAGE [DETAIL]
  [[ -n $EVENT && -n $LOCKED ]] || die "$1" "$2${3:+: $3}"
  tell_failure "${@:2}"
  exit "$1"
}

# Print a failure, write it to the history and send an alert, the last two only once for the same MESSAGE. What cannot be
# written keeps it from nobody.
tell_failure() { # MESSAGE [DETAIL]
  local line=${1//$'\n'/; } full=$1${2:+: $2} last=""
  trap - ERR
  set +e
  TOLD=yes
  warn "$full"
  [[ -z $ROLLED_BACK_FROM ]] || unblock_release "$ROLLED_BACK_FROM" - # a refused rollback blocks nothing
  # A registry that cannot be reached for a night is one line in the history.
  [[ ! -s $STATE/history ]] || last=$(tail -n 1 "$STATE/history" | cut -d ' ' -f 2-)
  [[ $last == "$EVENT failed ${TARGET:--} $line"* ]] || record_history failed "${TARGET:--}" "$full"
  send_alert failure "$1" "${2-}"
}

# End a deploy or a rollback that has failed before it changed anything.
fail_unchanged() { # CODE MESSAGE [DETAIL]
  fail "$1" "$2; nothing was changed, $(serving_now)" "${3-}"
}

# Of `trap … ERR`: end an unexpected error in the same way as any other failure.
on_error() { # CODE LINE COMMAND
  local code=$EXIT_UNHEALTHY
  ((BASH_SUBSHELL == 0)) || exit "$1"
  trap - ERR
  [[ -n $LOCKED && -n $EVENT ]] || die "$1" "line $2 failed with exit code $1: $3"
  if [[ -n $(current_release) ]] && is_serving "$(current_release)"; then code=$EXIT_FAILED; fi
  fail "$code" "line $2 failed with exit code $1: $3; $(serving_now)"
}
