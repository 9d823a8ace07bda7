# ---- Compose: containers ----

compose() { COMPOSE_FILE="$(compose_files):release.yml" docker compose "$@"; }              # with the release that should run
compose_base() { COMPOSE_FILE=$(compose_files) docker compose "$@"; }                       # with what people have written alone
compose_release() { COMPOSE_FILE="$(compose_files):$STATE/$1.yml" docker compose "${@:2}"; } # ID ARGUMENT...

# Start services of a rendered model by their dependencies among one another, and wait until all of them are healthy.
compose_up() { # FILE [SERVICE...]
  local limit
  [[ $# -gt 1 ]] || return 0
  limit=$(setting STACK_WAIT_TIMEOUT 120)
  # `--wait-timeout` does not count the time for which one service waits for another.
  timeout --foreground "$limit" docker compose --progress quiet --project-directory "$PWD" --profile '*' --file "$1" up --detach \
    --no-deps --quiet-pull --wait --wait-timeout "$limit" "${@:2}" </dev/null 2>&1 | sed 's/^/    /'
}

# Print the IDs of the containers of a service.
service_containers() { # SERVICE [ARGUMENT...]
  docker ps --quiet --filter "label=com.docker.compose.project=$PROJECT" --filter "label=com.docker.compose.service=$1" \
    --filter label=com.docker.compose.oneoff=False "${@:2}"
}

# Print a line for each container of the stack: service, state, health, exit code, restarts, last start, image.
list_containers() {
  local ids
  ids=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$PROJECT" \
    --filter label=com.docker.compose.oneoff=False) || return 1
  # shellcheck disable=SC2086 # several IDs
  [[ -z $ids ]] || docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{with .State.Health}}{{.Status}}{{else}}-{{end}} {{.State.ExitCode}} {{.RestartCount}} {{.State.StartedAt}} {{.Config.Image}}' $ids
}

# Check that every container of what should run is up, healthy and of the right image (with ID that of a release), and
# that none has restarted since a moment, by default within the last STACK_WATCH_SECONDS; print what is wrong.
services_are_healthy() { # [ID [SINCE]]
  local rows name image wanted since faults services
  rows=$(list_containers 2>/dev/null) || { echo "Docker does not list the containers" && return 1; }
  since=${2:-$(($(date +%s) - $(watch_seconds)))}
  services=$(started_services)
  local SERVICES=$services
  faults=$(while read -r name image _; do
    [[ $name != "$INIT_SERVICE" ]] || continue
    wanted=$([[ -z ${1-} ]] || release_image "$1" "$name")
    service_faults "$name" "${wanted:-$image}" "$since" <<<"$rows" | sort -u
  done <<<"$services")
  printf '%s' "$faults"
  [[ -z $faults ]]
}

# Print what is wrong with the containers of a service, a line for each, from the lines of list_containers.
service_faults() { # SERVICE IMAGE|- SINCE
  local name state health code restarts started image found=0 expected
  expected=$(service_column "$1" replicas)
  while read -r name state health code restarts started image; do
    [[ $name == "$1" ]] || continue
    found=$((found + 1))
    if [[ $state == restarting ]] || ((restarts > 0 && $(unix_time "$started") >= $3)); then
      # The same words in each moment of a crash loop.
      echo "$1 does not stay up: it has restarted"
    elif [[ $state == exited && $code == 0 && $(service_column "$1" restart) == no ]]; then
      : # a job that is done
    elif [[ $state != running ]]; then
      echo "$1 is $state$([[ $state != exited ]] || echo " with exit code $code")"
    elif [[ ! $health =~ ^(-|healthy)$ ]]; then
      echo "$1 is $health"
    elif [[ $2 != - && $image != "$2" ]]; then
      echo "$1 runs $image"
    fi
  done
  ((found > 0 || expected == 0)) || { echo "$1 has no container" && return; }
  ((found >= expected)) || echo "$1 has $found of $expected containers"
}

watch_seconds() { setting STACK_WATCH_SECONDS 15; }

# Print a time of Docker, such as 2026-11-24T02:15:00.123456789Z, in seconds since 1970.
unix_time() { # TIME
  local time=${1%%.*}
  time=${time%Z}
  date -u -d "${time/T/ }" +%s
}

# Check that a release is the one that should run, and healthy.
is_serving() { # ID
  services_are_healthy "$1" >/dev/null && [[ $(started_release) == "$1" ]]
}

# Run init of a release, as a rendered model has it, while the old containers serve; return its exit code.
run_init() { # ID FILE
  local began=$SECONDS code
  say "running init of $(describe_release "$1")"
  INIT_RAN=yes
  compose_rendered "$2" run --rm --no-deps -T "$INIT_SERVICE" </dev/null 2>&1 | tee "$STATE/init.log"
  code=${PIPESTATUS[0]}
  if ((code == 0)); then say "init succeeded in $((SECONDS - began)) s"; fi
  return "$code"
}

# Print what an exit code of init means.
init_exit_meaning() { # CODE
  case $1 in
    2 | 70) echo "a migration failed" ;;
    65 | 66) echo "the seeds are invalid or cannot be read" ;;
    69) echo "PostgreSQL or the API was not ready in time" ;;
    73) echo "the schema is not compatible with this image" ;;
    75) echo "busy; run it again" ;;
    76) echo "a record was rejected" ;;
    77) echo "credentials or permissions" ;;
    78) echo "settings are invalid" ;;
    *) echo "see ./stack logs $INIT_SERVICE" ;;
  esac
}

# Replace the old containers by those of a release, as a rendered model has it, wait until they are healthy, probe them
# and watch them for a while; else set REASON.
start_release() { # ID FILE
  local names unhealthy began since
  mapfile -t names < <(rendered_names "$2" "$1" apps)
  { rendered_value "$2" overlay | write_file release.yml && write_file "$STARTED_MODEL" <"$2"; } ||
    { REASON="release.yml cannot be written" && return 1; }
  stop_departed "$2"
  # Without init, which has just run: a second run would only prolong the time without an API.
  compose_up "$2" "${names[@]}" || {
    unhealthy=$(services_are_healthy "$1") || true
    REASON="its containers did not become healthy${unhealthy:+: ${unhealthy//$'\n'/; }}"
    return 1
  }
  began=$SECONDS since=$(date +%s)
  probe "$1" "$(rendered_value "$2" probe)" || return 1
  # What dies again and again is up in between: what is up must stay so for a while.
  until unhealthy=$(services_are_healthy "$1" "$since") && ((SECONDS - began >= $(watch_seconds))); do
    [[ -z $unhealthy ]] || { REASON="not every service is healthy: ${unhealthy//$'\n'/; }" && return 1; }
    sleep 1
  done
}
