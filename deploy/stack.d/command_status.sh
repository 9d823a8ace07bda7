# ---- ./stack status, ./stack logs ----

command_status() { # [--output text|json]
  local output=text
  case "$*" in
    "" | "--output text" | --output=text) ;;
    "--output json" | --output=json) output=json ;;
    *) die "$EXIT_USAGE" "status accepts only --output text or --output json, found $*" ;;
  esac
  collect_status
  "print_status_$output"
  exit "$(status_code)"
}

print_current_release() {
  local name image tag current previous
  current=$(current_release)
  if [[ -z $current ]]; then say "no release is deployed here" && return 0; fi
  previous=$(previous_release)
  say "the current release is $(describe_release "$current")${previous:+, the release before it $(describe_release "$previous")}"
  [[ -s $STATE/$current.yml ]] || say "$STATE/$current.yml, which names its images, is missing; ./stack deploy writes it again"
  while read -r name image tag; do
    printf '    %-10s %-14s %s\n' "$name" "$(image_label "$image" version)" "${tag%@*} ${image#*@}"
  done < <(release_images "$current")
}

command_logs() { # [SERVICE...]
  prepare_command
  if [[ $* == deploy && -z $(service_column deploy image) ]]; then
    cat "$STATE"/deploy.log.1 "$STATE"/deploy.log 2>/dev/null | tail -n 200
  elif [[ " $* " == *" $INIT_SERVICE "* && $# -eq 1 ]]; then
    [[ -s $STATE/init.log ]] || die "$EXIT_USAGE" "this script has not run $INIT_SERVICE yet"
    cat "$STATE/init.log"
  else
    compose logs --no-color --tail 200 "$@"
  fi
}

# Check what every command but `install` needs.
prepare_command() {
  check_folder
  DOCKER_FAULT=$(docker_fault)
  [[ -z $DOCKER_FAULT ]] || die "$EXIT_UNHEALTHY" "$DOCKER_FAULT"
  read_settings
}

# Check that this folder is prepared.
check_folder() {
  [[ -f compose.yml ]] || die "$EXIT_USAGE" "there is no compose.yml in $PWD"
  [[ ! -d $STATE || -r $STATE && -x $STATE ]] ||
    die "$EXIT_USAGE" "$(id -un) may not read $PWD/$STATE; run this as $(stat -c %U "$STATE")"
  [[ -d $STATE && -f release.yml ]] || die "$EXIT_USAGE" "$PWD is not prepared; run ./stack install"
}

# Print why Docker does not answer; nothing where it does.
docker_fault() {
  local output
  output=$(timeout 20 docker version --format '{{.Server.Version}}' 2>&1) ||
    printf '%s' "Docker does not answer; is its service running? ${output##*$'\n'}"
}
