# ---- ./stack deploy ----

command_deploy() { # [--timer]
  local timer="" configuration reason=""
  case ${1-} in
    --timer) timer=yes ;;
    "") ;;
    *) die "$EXIT_USAGE" "deploy accepts only --timer, found $1" ;;
  esac
  begin_event deploy
  configuration=$(configuration_hash) || fail_unchanged "$EXIT_FAILED" "a file that Compose uses cannot be read"
  resolve_release || fail_unchanged "$EXIT_REGISTRY" "$REASON" "$DETAIL"
  [[ -z $timer ]] || reason=$(block_reason "$RELEASE" "$configuration")
  if [[ -n $reason ]]; then
    keep_current_release "$RELEASE" "$configuration" "$reason"
    return
  fi
  if is_current "$RELEASE" "$configuration" && is_serving "$RELEASE"; then
    say "nothing new: $(describe_release "$RELEASE") serves"
    [[ -n $timer ]] || unblock_release "$RELEASE"
  else
    deploy_release "$RELEASE" "$configuration"
    print_current_release
  fi
  send_alert recovery "$(describe_release "$RELEASE") serves and is healthy"
}

# Instead of a blocked release, see that the current one serves with the present configuration.
keep_current_release() { # BLOCKED-ID CONFIGURATION REASON
  local current destination
  current=$(current_release)
  [[ -n $current ]] ||
    die "$EXIT_FAILED" "$(describe_release "$1") is blocked ($3), and no other release is here; ./stack deploy tries it again"
  destination=$(rollback_destination "$current")
  if [[ -n $destination && -s $STATE/$destination.yml ]]; then
    say "a rollback was interrupted; continuing it"
    switch_release "$destination" "$current" "$2"
  elif is_serving "$current" && is_settled "$1" "$2"; then
    say "nothing new: $(describe_release "$1") is blocked ($3); $(describe_release "$current") serves"
  else
    deploy_release "$current" "$2"
    print_current_release
  fi
}

# Check that there is nothing left to try: the current release has this configuration, or has failed with it too.
is_settled() { # BLOCKED-ID CONFIGURATION
  local current
  current=$(current_release)
  is_current "$current" "$2" || [[ $1 == "$current" || -n $(block_reason "$current" "$2") ]]
}
