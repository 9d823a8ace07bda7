# ---- signatures: nothing of a release runs before STACK_VERIFY has accepted it ----

# Run STACK_VERIFY on each image of a release, once for each release and each state of the command and of the files
# that it names, since a digest cannot change; else set REASON and DETAIL, and return EXIT_REGISTRY
# where the command has not ended in time.
verify_signatures() { # ID
  local verify state name image tag output limit code=0
  local -a words
  verify=$(setting STACK_VERIFY "")
  [[ -n $verify ]] || return 0
  read -r -a words <<<"$verify"
  type -P "${words[0]}" >/dev/null ||
    { REASON="STACK_VERIFY cannot be run: there is no command ${words[0]}" DETAIL="" && return 1; }
  state=$(verification_state "${words[@]}") || state="" # a file cannot be read: nothing is remembered
  if [[ -n $state ]] && is_verified "$1" "$state"; then return 0; fi
  limit=$(registry_limit "$VERIFY_SECONDS")
  while read -r name image tag; do
    output=$(timeout --kill-after=10 "$limit" "${words[@]}" "$image" 2>&1 </dev/null) || {
      code=$?
      DETAIL=$(tail -n 3 <<<"$output")
      REASON="the signature of $name ($tag) could not be checked: STACK_VERIFY did not end within $limit seconds"
      ((code != 124 && code != 137)) || return "$EXIT_REGISTRY"
      REASON="the signature of $name ($tag) is not valid$(! is_verified "$1" || echo "; it was accepted by another STACK_VERIFY, key or policy")"
      return 1
    }
  done < <(release_images "$1")
  [[ -z $state ]] || record_verified "$1" "$state"
  say "signatures are valid"
}

# Print a hash of a command and of all that it may read: its program, and the files, and folders in this folder, that its
# words name, such as --key cosign.pub, --key=/etc/cosign.pub, --volume ./keys:/keys. Fail where one cannot be read.
verification_state() { # WORD...
  local word part hashes
  local -a files=() parts
  files+=("$(type -P "$1")")
  for word in "$@"; do
    IFS='=:,@' read -r -a parts <<<"$word"
    for part in "$word" "${parts[@]}"; do
      if [[ -f $part || (-d $part && $(readlink -f "$part") == "$PWD"/*) ]]; then files+=("$part"); fi
    done
  done
  hashes=$(find -L "${files[@]}" -type f -exec sha256sum {} + 2>/dev/null | sort -u) || return 1
  printf '%s\n' "$*" "$hashes" | sha256sum | cut -c 1-12
}
