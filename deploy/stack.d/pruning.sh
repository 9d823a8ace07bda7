# ---- old images go ----

# Remove the images of old releases. What a rollback may need stays, so that it works without a registry, and every
# image that a state file names.
prune_images() {
  local id name image tag kept old
  tail -n 1000 "$STATE/history" | write_file "$STATE/history"
  kept=" $(kept_releases | tr '\n' ' ') "
  for id in "$STATE"/????????????.yml; do
    id=$(basename "$id" .yml)
    [[ $kept == *" $id "* ]] && continue
    old=$(release_images "$id")
    rm -f "$STATE/$id.yml"
    while read -r name image tag; do
      docker image rm "stack.local/$PROJECT/$name:$id" >/dev/null 2>&1 || true
      is_named_by_state "$image" || docker image rm "$image" >/dev/null 2>&1 || true
    done <<<"$old"
    prune_infrastructure "$id"
  done
}

# Print the IDs of the releases whose images stay, some of them more than once.
kept_releases() {
  local tool
  current_release
  previous_release
  started_release
  echo "${RELEASE-}" # what the registry has now, where it was left alone
  rollback_destination "$(current_release)" && echo
  worked_releases | awk -v keep="$(setting STACK_KEEP 5)" 'NR <= keep'
  # The image that is the tool has its name through its release.
  read -r tool < <(tool_images) || return 0
  grep -lsF "$tool" "$STATE"/????????????.yml | xargs -r basename -a -s .yml || true
}
