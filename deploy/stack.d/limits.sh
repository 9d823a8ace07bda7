# ---- bounds: no registry and no daemon that does not answer holds up a run for ever ----

readonly ANSWER_SECONDS=60 # the longest that Docker or a registry may take to answer a question

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
  local pull
  pull=$(setting STACK_PULL_TIMEOUT 900)
  case $1 in
    pull\ *) echo "$pull" ;;
    buildx\ *) echo "$((pull < ANSWER_SECONDS ? pull : ANSWER_SECONDS))" ;;
    compose\ config | compose\ version | compose\ ps | compose\ images) echo "$ANSWER_SECONDS" ;;
    compose\ * | run\ * | exec\ * | logs\ *) echo 0 ;;
    *) echo "$ANSWER_SECONDS" ;;
  esac
}
