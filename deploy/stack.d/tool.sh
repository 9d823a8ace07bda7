# ---- compose-init as a tool: the check of .env, the probe, alerts ----

readonly EXIT_NO_TOOL=125    # of run_tool: no image has answered; Docker has the same code where it cannot start one
readonly TOOL_SECONDS=90     # the longest that a check or an alert takes
VERIFIED_INIT_IMAGE=""       # the init image of the release that this run brings, once its signature is valid
ANSWER=""                    # what the tool has printed

# Print the init images that may be the tool, the best first: the one that was last seen to do init's work on this
# server, the one that this run brings, and those of releases that have worked here.
tool_images() {
  local id
  [[ -z $DOCKER_FAULT ]] || return 0
  {
    [[ ! -s $STATE/init-image ]] || cat "$STATE/init-image"
    echo "$VERIFIED_INIT_IMAGE"
    [[ ! -s $STATE/history ]] || while read -r id; do release_image "$id" "${INIT_SERVICE:-init}"; done < <(worked_releases)
  } | awk 'NF && !seen[$0]++ && ++count <= 4'
}

# Run a command of compose-init in the first image that answers; set ANSWER and return its exit code. SUCCESS is a part
# of what it prints where all is well: an image may end with any code without having done anything.
run_tool() { # NETWORK INPUT SUCCESS ARGUMENT...
  local image code
  ANSWER="no init image is on this server yet"
  while read -r image; do
    code=0
    run_tool_image "$1" "$2" "$image" "${@:4}" || code=$?
    if ((code == 0)) && [[ $ANSWER == *"$3"* ]]; then return 0; fi
    # 1 is a defect of the image.
    if ((code > 1)) && [[ $ANSWER == *"(exit_code=$code)"* ]]; then return "$code"; fi
    # Docker says its reason first, and Python last.
    if ((code < EXIT_NO_TOOL || code > 127)); then ANSWER=${ANSWER##*$'\n'}; else ANSWER=${ANSWER%%$'\n'*}; fi
    ANSWER="$image does not work (exit code $code${ANSWER:+: $ANSWER})"
  done < <(tool_images)
  return "$EXIT_NO_TOOL"
}

# Run a command of compose-init in an image that is on this server; set ANSWER and return its exit code.
run_tool_image() { # NETWORK INPUT IMAGE ARGUMENT...
  local name=stack-tool-$$ code=0 reader
  reader=$(reader_options)
  # The input is piped: it has secrets, and a here-document needs disk space.
  # shellcheck disable=SC2086 # several options
  ANSWER=$(printf '%s' "$2" | timeout --kill-after=5 "${TOOL_LIMIT:-$TOOL_SECONDS}" docker run --rm --interactive --pull never \
    --name "$name" --network "$1" --read-only --cap-drop ALL --security-opt no-new-privileges --env LOG_JSON=false \
    $reader --volume "$PWD:/stack:ro" --workdir /stack "${@:3}" 2>&1) || code=$?
  # Docker's client has ended, but the container may not have.
  ((code < 124)) || docker rm --force "$name" >/dev/null 2>&1 || true
  return "$code"
}

# Print the options of a container that can read what the user of this script can. Where Docker has user namespaces,
# root of a container is nobody here, and may not use the network of this machine; in a rootless Docker, it is the user
# whom Docker belongs to; with SELinux, a container may read only what has a label for it.
reader_options() {
  local user
  user=$(id -u):$(id -g)
  [[ $(timeout 20 docker info --format '{{.SecurityOptions}}' 2>/dev/null) != *name=rootless* ]] || user=0:0
  printf '%s' "--user $user --userns host --security-opt label=disable"
}

# Print the error in a tool's output without the marks of its log format.
tool_error() { # OUTPUT
  local error=${1#✗ }
  printf '%s' "${error%  (exit_code=*)}"
}

# Check .env, the Compose files and the secrets, once for each state of the files. Return 1, with the reason in ANSWER,
# where no image can check: that says nothing about the files, and ends no run.
check_environment() {
  local -a files arguments=()
  local file state code=0
  IFS=: read -r -a files <<<"$(compose_files)"
  # Contents, modes and owners; everything but the contents of secrets.
  state=$({ sha256sum .env "${files[@]}" && stat -c '%n %a %u %s %Y' .env secrets secrets/*; } 2>&1 | sha256sum) || true
  [[ ! -f $STATE/checked || $(<"$STATE/checked") != "$state" ]] || return 0
  for file in "${files[@]}"; do arguments+=(--compose-file "$file"); done
  run_tool none "" "nothing wrong" check --env-file .env "${arguments[@]}" || code=$?
  case $code in
    0) write_file "$STATE/checked" <<<"$state" || true ;; # else the next run checks again
    "$EXIT_USAGE") fail "$EXIT_USAGE" "$(tool_error "$ANSWER")" ;;
    *) return 1 ;;
  esac
}

# Ask the address of STACK_PROBE_URL from outside until the version of a release answers; else set REASON.
probe() { # ID URL
  local url=$2 image version limit arguments=()
  [[ -n $url ]] || { say "STACK_PROBE_URL is not set: the release was not probed from outside" && return 0; }
  image=$(release_image "$1" "$(setting STACK_PROBE_SERVICE api)")
  version=$([[ -z $image ]] || image_label "$image" version)
  if is_enabled STACK_PROBE_VERSION true && [[ -n $version ]]; then arguments=(--version "$version"); fi
  limit=$(setting STACK_PROBE_TIMEOUT 30)
  TOOL_LIMIT=$((limit + TOOL_SECONDS)) run_tool host "" "answers 200" probe "$url" "${arguments[@]}" --timeout "$limit" ||
    { REASON="the probe from outside failed: $(tool_error "$ANSWER")" && return 1; }
  say "${ANSWER##*$'\n'}"
}
