# ---- ./stack deploy ----

command_deploy() { # [--timer|--push] [--older] [--incomplete] [--new-data] [--update]
  local by=person allowed="" word configuration reason=""
  for word in "$@"; do
    case $word in
      --timer | --push) by=${word#--} ;;
      --older | --incomplete) allowed+=" ${word#--}" ;;
      --new-data) NEW_DATA=yes ;;
      --update) UPDATE=yes ;;
      *) die "$EXIT_USAGE" "deploy accepts --timer, --push, --older, --incomplete, --new-data and --update, found $word" ;;
    esac
  done
  [[ $by == person || -z $allowed$NEW_DATA$UPDATE ]] || die "$EXIT_USAGE" "--older, --incomplete, --new-data and --update are for people, not for --timer or --push"
  [[ $by == person ]] || BY_TIMER=yes
  begin_event deploy
  configuration=$(configuration_hash) || fail_unchanged "$EXIT_FAILED" "a file that Compose uses cannot be read"
  resolve_release || fail_unchanged "$EXIT_REGISTRY" "$REASON" "$DETAIL"
  [[ $by == person ]] || reason=$(block_reason "$RELEASE" "$configuration")
  if [[ -n $reason ]]; then
    leave_release "$RELEASE" "$configuration" "$by" "is blocked ($reason)"
    return
  fi
  if [[ -z $UPDATE ]] && is_current "$RELEASE" "$configuration" && is_serving "$RELEASE"; then
    say "nothing new: $(describe_release "$RELEASE") serves"
    [[ $by != person ]] || unblock_release "$RELEASE"
  else
    judge_release "$RELEASE" "$by" "$allowed"
    if [[ -n $REFUSAL ]]; then
      VERIFIED_INIT_IMAGE="" # nothing of it runs, not even as the tool
      "refuse_${REFUSAL}_release" "$RELEASE" "$configuration" "$by"
      return
    fi
    deploy_release "$RELEASE" "$configuration"
    print_current_release
  fi
  forget_incomplete
  send_alert recovery "$(describe_release "$RELEASE") serves and is healthy"
}

# Leave the release of the registry alone in a run that no person watches, and see that the current one serves with the
# present configuration. A push has failed then: what was pushed does not serve.
leave_release() { # ID CONFIGURATION BY WHY
  keep_current_release "$1" "$2" "$4"
  [[ $3 != push ]] || die "$EXIT_FAILED" "$(describe_release "$1") was not deployed: it $4; ./stack deploy on the server tries it"
}

# Instead of a release that is left alone, see that the current one serves with the present configuration.
keep_current_release() { # ID CONFIGURATION WHY
  local current destination
  current=$(current_release)
  [[ -n $current ]] ||
    die "$EXIT_FAILED" "$(describe_release "$1") $3, and no other release is here; ./stack deploy tries it again"
  destination=$(rollback_destination "$current")
  if [[ -n $destination && -s $STATE/$destination.yml ]]; then
    say "a rollback was interrupted; continuing it"
    switch_release "$destination" "$current" "$2"
  elif ! is_settled "$1" "$2"; then
    deploy_release "$current" "$2"
    print_current_release
  elif is_serving "$current" && runs_current_model; then
    say "nothing new: $(describe_release "$1") $3; $(describe_release "$current") serves"
  else
    start_current_release "$current"
  fi
}

# Start the current release again, as it was last seen to work.
start_current_release() { # ID
  TARGET=$1
  say "starting $(describe_release "$1") as it was last seen to work"
  pull_release "$1" || warn "$(full_reason)"
  return_to_current "$1" || fail "$EXIT_UNHEALTHY" "$REASON"
  record_history ok "$1" "started again as it was last seen to work"
  print_current_release
}

# Check that there is nothing left to try: the current release has this configuration, or has failed with it too.
is_settled() { # ID CONFIGURATION
  local current
  current=$(current_release)
  is_current "$current" "$2" || [[ $1 == "$current" || -n $(block_reason "$current" "$2") ]]
}
