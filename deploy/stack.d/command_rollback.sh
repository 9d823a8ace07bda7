# ---- ./stack rollback ----

command_rollback() { # [TAG]
  local id current configuration
  [[ $# -le 1 ]] || die "$EXIT_USAGE" "rollback accepts one TAG at most"
  begin_event rollback
  current=$(current_release)
  [[ -n $current ]] || die "$EXIT_USAGE" "no release is deployed here"
  if [[ $# -eq 0 ]]; then
    id=$(release_before) ||
      die "$EXIT_USAGE" "there is no release before $(describe_release "$current") that is not blocked; name a TAG. $(list_known_releases)"
  elif ! id=$(find_release "$1"); then
    resolve_release "$1" ||
      die "$EXIT_REGISTRY" "no release $1 is known here, and $(full_reason). $(list_known_releases); $(serving_now)"
    id=$RELEASE
    refuse_mixed_images "$id"
  fi
  if [[ $id == "$current" ]] && is_serving "$current"; then die "$EXIT_USAGE" "$(describe_release "$id") already serves"; fi
  configuration=$(configuration_hash) || fail_unchanged "$EXIT_FAILED" "a file that Compose uses cannot be read"
  switch_release "$id" "$current" "$configuration"
}

# End a rollback to images that the registry has under one tag and that do not belong together.
refuse_mixed_images() { # ID
  local reason
  bring_images "$1"
  reason=$(incomplete_reason "$1")
  [[ -z $reason ]] || fail_unchanged "$EXIT_REGISTRY" "the images of $(describe_release "$1") do not belong together: $reason"
}

# Replace the current release because a person asked for it, now or in a run that was killed.
switch_release() { # ID CURRENT-ID CONFIGURATION
  EVENT=rollback
  say "rolling back from $(describe_release "$2") to $(describe_release "$1")"
  # Blocked from now on: the timer does not undo a rollback, and continues one that was killed half-way.
  if [[ $1 != "$2" ]]; then
    ROLLED_BACK_FROM=$2
    block_release "$2" - "$ROLLED_BACK_TO $1"
  fi
  deploy_release "$1" "$3"
  unblock_release "$1"
  print_current_release
  [[ -n $ROLLED_BACK_FROM ]] || return 0 # the current release was started again, and nothing else
  send_alert rollback "rolled back from $(describe_release "$2") to $(describe_release "$1"), by hand; the schema stays as it is"
}

# Print the newest release that has worked, is not the current one and is not blocked.
release_before() {
  local id
  while read -r id; do
    if [[ $id != "$(current_release)" && -f $STATE/$id.yml && -z $(block_reason "$id" -) ]]; then
      printf '%s' "$id" && return 0
    fi
  done < <(worked_releases)
  return 1
}

# Print the newest release on this server with that tag, version, revision or ID.
find_release() { # TAG
  local id image
  while read -r id; do
    [[ -f $STATE/$id.yml ]] || continue
    image=$(release_image "$id" "$(setting STACK_PROBE_SERVICE api)")
    if [[ $id == "$1" || $(image_label "$image" version) == "$1" || $(image_label "$image" revision) == "$1" ]] ||
      release_images "$id" | awk -v tag="$1" '{sub(".*:", "", $3)} $3 != tag {other = 1} END {exit other}'; then
      printf '%s' "$id" && return 0
    fi
  done < <(worked_releases)
  return 1
}

list_known_releases() {
  local id list=""
  while read -r id; do
    [[ ! -f $STATE/$id.yml ]] || list+="${list:+, }$(describe_release "$id")"
  done < <(worked_releases)
  echo "Known here: ${list:-none}"
}
