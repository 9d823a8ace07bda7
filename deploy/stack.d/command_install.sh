# ---- ./stack install ----

command_install() { # [--no-timer]
  local timer=yes image
  case ${1-} in
    --no-timer) timer="" ;;
    "") ;;
    *) die "$EXIT_USAGE" "install accepts only --no-timer, found $1" ;;
  esac
  check_requirements
  mkdir -p "$STATE" backups
  touch "$STATE/blocked" "$STATE/history"
  [[ -f release.yml ]] || write_file release.yml <<<"services: {} # \`./stack deploy\` writes the images here, by digest"
  read_settings
  take_lock
  check_disk_space
  image=$(tool_image)
  [[ -n $image ]] || pull_init_image
  check_environment "${image:-$INIT_IMAGE}"
  [[ -z $timer ]] || install_timer
  say "$PWD is ready; run ./stack deploy"
}

# Pull the init image that the tags name and set INIT_IMAGE to it, for the first check of .env.
pull_init_image() {
  local output
  resolve_release || die "$EXIT_REGISTRY" "$(full_reason). Is \`docker login\` done?"
  INIT_IMAGE=$(release_image "$RELEASE" "$INIT_SERVICE")
  output=$(docker pull --quiet "$INIT_IMAGE" 2>&1) || die "$EXIT_REGISTRY" "$INIT_IMAGE cannot be pulled: $output"
}

# Check programs, versions and files; report every fault at once, before anything is written.
check_requirements() {
  FAULTS=()
  check_programs
  check_files
  if [[ ${#FAULTS[@]} -gt 0 ]]; then
    printf 'stack: %s\n' "${FAULTS[@]}" >&2
    exit "$EXIT_USAGE"
  fi
}

check_programs() {
  local program version
  for program in docker flock sha256sum awk tac timeout; do
    command -v "$program" >/dev/null || FAULTS+=("the command $program is missing; install it")
  done
  if version=$(timeout 20 docker version --format '{{.Server.Version}}' 2>&1); then
    is_at_least "$version" 25 || FAULTS+=("Docker is $version; 25 or later is needed (health checks with start_interval)")
  else
    FAULTS+=("Docker does not answer; is its service running? ${version##*$'\n'}")
  fi
  if version=$(docker compose version --short 2>&1); then
    is_at_least "$version" 2.26 || FAULTS+=("Compose is $version; 2.26 or later is needed")
  else
    FAULTS+=("Docker has no compose command; install its Compose plugin: $version")
  fi
}

check_files() {
  local file
  for file in compose.yml .env; do
    [[ -f $file ]] || FAULTS+=("$file is not here; copy it to $PWD")
  done
  if [[ -f .env && $(stat -c %a .env) != ?00 ]]; then FAULTS+=(".env is readable by other users: chmod 600 .env"); fi
  if [[ -d secrets && $(stat -c %a secrets) != 700 ]]; then FAULTS+=("secrets/ is open to other users: chmod 700 secrets"); fi
}

is_at_least() { # VERSION LEAST
  [[ $(printf '%s\n%s\n' "$2" "${1#v}" | sort -V | head -n 1) == "$2" ]]
}
