# ---- Compose: containers ----

compose() { COMPOSE_FILE="$(compose_files):release.yml" docker compose "$@"; }              # with the release that should run
compose_base() { COMPOSE_FILE=$(compose_files) docker compose "$@"; }                       # with what people have written alone
compose_release() { COMPOSE_FILE="$(compose_files):$STATE/$1.yml" docker compose "${@:2}"; } # ID ARGUMENT...

# Start services by their dependencies among one another, and wait until all of them are healthy.
compose_up() { # SERVICE...
  local limit
  limit=$(setting STACK_WAIT_TIMEOUT 120)
  # `--wait-timeout` does not count the time for which one service waits for another.
  COMPOSE_FILE="$(compose_files):release.yml" timeout --foreground "$limit" docker compose --progress quiet up --detach --no-deps \
    --quiet-pull --wait --wait-timeout "$limit" "$@" </dev/null 2>&1 | sed 's/^/    /'
}

# Start what is not part of a release and not running: PostgreSQL, Redis.
start_infrastructure() {
  [[ ${#INFRASTRUCTURE[@]} -gt 0 ]] || return 0
  compose_up "${INFRASTRUCTURE[@]}" ||
    fail "$EXIT_UNHEALTHY" "${INFRASTRUCTURE[*]}: not healthy in time; init did not run. See \`docker compose ps\` and ./stack logs"
}

# Check that every service is up and healthy, and (with ID) runs the image of that release; print those that do not.
services_are_healthy() { # [ID]
  local failed=0 name state health code image wanted rows
  rows=$(compose ps --all --format '{{.Service}} {{.State}} {{or .Health "-"}} {{.ExitCode}} {{.Image}}') ||
    { echo "Docker does not list the containers" && return 1; }
  for name in "${INFRASTRUCTURE[@]}" "${APPS[@]}"; do
    read -r _ state health code image < <(awk -v name="$name" '$1 == name' <<<"$rows") || true
    if [[ -z ${state-} ]]; then
      echo "$name has no container" && failed=1
    elif [[ $state == running && $health =~ ^(-|healthy)$ ]] ||
      [[ $state == exited && $code == 0 && $'\n'$ONE_SHOT_SERVICES$'\n' == *$'\n'"$name"$'\n'* ]]; then
      wanted=$([[ -z ${1-} ]] || release_image "$1" "$name")
      [[ -z $wanted || $image == "$wanted" ]] || { echo "$name runs $image" && failed=1; }
    else
      echo "$name is $state${health:+, $health}" && failed=1
    fi
    state="" health=""
  done
  return "$failed"
}

# Check that a release is the one that should run, and healthy.
is_serving() { # ID
  services_are_healthy "$1" >/dev/null && [[ $(started_release) == "$1" ]]
}

# Run init of a release while the old containers serve; return its exit code.
run_init() { # ID
  local began=$SECONDS code
  say "running init of $(describe_release "$1")"
  INIT_RAN=yes
  compose_release "$1" run --rm --no-deps -T "$INIT_SERVICE" </dev/null 2>&1 | tee "$STATE/init.log"
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

# Replace the old containers by those of a release, wait until they are healthy and probe them; else set REASON.
start_release() { # ID
  local unhealthy
  write_file release.yml <"$STATE/$1.yml" || { REASON="release.yml cannot be written" && return 1; }
  # Without init, which has just run: a second run would only prolong the time without an API.
  compose_up "${APPS[@]}" || { REASON="its containers did not become healthy" && return 1; }
  unhealthy=$(services_are_healthy "$1") || { REASON="not every service is healthy: ${unhealthy//$'\n'/; }" && return 1; }
  probe "$1"
}
