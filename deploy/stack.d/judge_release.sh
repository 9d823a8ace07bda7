# ---- whether what the registry has is deployed: only if it is newer and complete ----

readonly PUBLISHING_SECONDS=900 # for as long as this, a release may be on its way into the registry

# Judge a release that the registry has: set REFUSAL to older, blocked or incomplete and REASON to why, or REFUSAL to
# nothing. A run that no person watches goes back to nothing that is older than what has ever worked here, a person to
# nothing that is older than what serves.
judge_release() { # ID timer|push|person ALLOWED
  local than why=""
  REFUSAL=""
  than=$(current_release)
  [[ $1 != "$than" ]] || return 0
  [[ $2 == person ]] || than=$(newest_release)
  TARGET=$1
  [[ $3 == *older* ]] || why=$(older_reason "$1" "$than") # by its ID alone, before anything is pulled for it
  [[ -n $why ]] || bring_images "$1"
  [[ -n $why || $3 == *older* ]] || why=$(older_reason "$1" "$than")
  [[ -z $why ]] || { REFUSAL=older REASON="is older than $(describe_release "$than"): $why" && return; }
  [[ $2 == person ]] || why=$(rolled_back_twin "$1")
  [[ -z $why ]] || { REFUSAL=blocked REASON="is blocked ($why)" && return; }
  [[ $3 == *incomplete* ]] || why=$(incomplete_reason "$1")
  [[ -z $why ]] || REFUSAL=incomplete REASON="is not published completely: $why"
}

refuse_blocked_release() { # ID CONFIGURATION timer|push
  leave_release "$@" "$REASON"
}

refuse_older_release() { # ID CONFIGURATION timer|push|person
  local why=$REASON message
  message="the registry has $(describe_release "$1"), which $why"
  [[ $3 != person ]] || fail_unchanged "$EXIT_FAILED" "$message; ./stack deploy --older deploys it"
  leave_release "$1" "$2" timer "$why"
  send_alert failure "$message; it was not deployed, $(serving_now). ./stack deploy --older deploys it"
  [[ $3 != push ]] || die "$EXIT_FAILED" "$message; it was not deployed"
}

# A release that is being published is complete a moment later: only where it stays as it is, the timer tells of it.
refuse_incomplete_release() { # ID CONFIGURATION timer|push|person
  local why=$REASON message publish="Publish every image of it, or deploy it as it is: ./stack deploy --incomplete"
  message="the registry has $(describe_release "$1"), which $why"
  [[ $3 != person ]] || fail_unchanged "$EXIT_REGISTRY" "$message. $publish"
  note_incomplete
  [[ -z $(current_release) ]] || leave_release "$1" "$2" timer "$why; the next run tries again"
  TARGET=$1
  (($(incomplete_seconds) < PUBLISHING_SECONDS)) || fail_unchanged "$EXIT_REGISTRY" "$message. $publish"
  [[ $3 == timer && -n $(current_release) ]] || die "$EXIT_REGISTRY" "$message; the next run tries again"
}
