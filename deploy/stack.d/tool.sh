# ---- compose-init as a tool: the check of .env, the probe, alerts ----

# Print the init image that serves as the tool; nothing before the first deploy.
tool_image() {
  [[ ! -s $STATE/init-image ]] || cat "$STATE/init-image"
}

run_tool() { # NETWORK IMAGE ARGUMENT...
  docker run --rm --interactive --network "$1" --read-only --cap-drop ALL --security-opt no-new-privileges \
    --env LOG_JSON=false --user "$(id -u):$(id -g)" --volume "$PWD:/stack:ro" --workdir /stack "${@:2}"
}

# Print the error in a tool's output without the marks of its log format.
tool_error() { # OUTPUT
  local error=${1#✗ }
  printf '%s' "${error%  (exit_code=*)}"
}

# Check .env, the Compose files and the secrets, once for each state of the files.
check_environment() { # [IMAGE]
  local -a files arguments=()
  local file output image=${1:-$(tool_image)} state code=0
  [[ -n $image ]] || return 0 # the first deploy checks as soon as it has the image
  IFS=: read -r -a files <<<"$(compose_files)"
  # Contents, modes and owners; everything but the contents of secrets.
  state=$({ sha256sum .env "${files[@]}" && stat -c '%n %a %u %s %Y' .env secrets secrets/*; } 2>&1 | sha256sum) || true
  [[ ! -f $STATE/checked || $(<"$STATE/checked") != "$state" ]] || return 0
  for file in "${files[@]}"; do arguments+=(--compose-file "$file"); done
  output=$(run_tool none "$image" check --env-file .env "${arguments[@]}" 2>&1) || code=$?
  ((code == 0 || code == EXIT_USAGE)) || fail "$EXIT_FAILED" ".env could not be checked; nothing was changed" "$output"
  ((code == 0)) || fail "$EXIT_USAGE" "$(tool_error "$output")"
  write_file "$STATE/checked" <<<"$state"
}

# Ask STACK_PROBE_URL from outside until the version of a release answers; else set REASON.
probe() { # ID
  local url image version arguments=() output
  url=$(setting STACK_PROBE_URL "")
  [[ -n $url ]] || { say "STACK_PROBE_URL is not set: the release was not probed from outside" && return 0; }
  image=$(release_image "$1" "$(setting STACK_PROBE_SERVICE api)")
  version=$([[ -z $image ]] || image_label "$image" version)
  if is_enabled STACK_PROBE_VERSION true && [[ -n $version ]]; then arguments=(--version "$version"); fi
  output=$(run_tool host "$(tool_image)" probe "$url" "${arguments[@]}" --timeout "$(setting STACK_PROBE_TIMEOUT 30)" 2>&1) ||
    { REASON="the probe from outside failed: $(tool_error "$output")" && return 1; }
  say "${output##*$'\n'}"
}
