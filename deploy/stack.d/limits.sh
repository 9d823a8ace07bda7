# ---- bounds: no registry and no daemon that does not answer holds up a run for ever ----

readonly ANSWER_SECONDS=60  # the longest that Docker or a registry may take to answer a question
readonly VERIFY_SECONDS=180 # the longest that STACK_VERIFY may take for one image

# Run docker, within a bound that fits what it is asked. Every call of this script goes through here.
docker() {
  local limit code=0
  limit=$(docker_limit "$1 ${2-}")
  timeout --foreground --kill-after=10 "$limit" docker "$@" || code=$?
  # 137 where it had to be killed.
  if ((limit > 0 && (code == 124 || code == 137))); then echo "docker $1 did not end within $limit seconds" >&2; fi
  return "$code"
}

# Print how many seconds a docker command may take; 0 for one that works for as long as there is something to do.
docker_limit() { # WORDS
  case $1 in
    pull\ *) setting STACK_PULL_TIMEOUT 900 ;;
    buildx\ *) registry_limit "$ANSWER_SECONDS" ;;
    compose\ config | compose\ version | compose\ ps | compose\ images) echo "$ANSWER_SECONDS" ;;
    compose\ * | run\ * | exec\ * | stop\ * | logs\ *) echo 0 ;;
    *) echo "$ANSWER_SECONDS" ;;
  esac
}

# Print how many seconds an answer of the registry may take: no more than an image may.
registry_limit() { # SECONDS
  local pull
  pull=$(setting STACK_PULL_TIMEOUT 900)
  echo "$((pull < $1 ? pull : $1))"
}
