# ---- ./stack plan ----

command_plan() {
  local current code=0
  [[ $# -eq 0 ]] || die "$EXIT_USAGE" "plan accepts no argument, found $1"
  prepare_command
  take_lock
  refuse_other_installation
  refuse_lost_data
  remove_leftover_containers
  check_environment || warn ".env was not checked: $ANSWER"
  resolve_release || die "$EXIT_REGISTRY" "$(full_reason)"
  current=$(current_release)
  verify_signatures "$RELEASE" || die "$?" "$(full_reason)"
  if [[ $RELEASE == "$current" ]]; then
    say "images: nothing new, $(describe_release "$RELEASE") is the current release"
  else
    pull_release "$RELEASE" || die "$EXIT_REGISTRY" "$(full_reason)"
    say "images: $(describe_release "$RELEASE") would replace $(if [[ -n $current ]]; then describe_release "$current"; else echo nothing; fi)"
    print_refusal "$RELEASE"
    code=$EXIT_CHANGES
  fi
  if [[ -z $current ]]; then
    say "schema and data: everything that $INIT_SERVICE has; PostgreSQL starts with the first deploy"
    exit "$code"
  fi
  refuse_other_database "$RELEASE"
  compose_release "$RELEASE" run --rm --no-deps -T "$INIT_SERVICE" --plan </dev/null ||
    { code=$? && ((code == EXIT_CHANGES)) || exit "$code"; }
  exit "$code"
}

# Print why a deploy would refuse a release; nothing if it would not.
print_refusal() { # ID
  local reason
  reason=$(older_reason "$1" "$(newest_release)")
  [[ -z $reason ]] || say "images: older than $(describe_release "$(newest_release)"): $reason; only ./stack deploy --older deploys it"
  reason=$(incomplete_reason "$1")
  [[ -z $reason ]] || say "images: not published completely: $reason; only ./stack deploy --incomplete deploys it"
}
