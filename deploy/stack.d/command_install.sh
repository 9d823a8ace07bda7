# ---- ./stack install ----

command_install() { # [--no-timer]
  local timer=yes
  case ${1-} in
    --no-timer) timer="" ;;
    "") ;;
    *) die "$EXIT_USAGE" "install accepts only --no-timer, found $1" ;;
  esac
  ADOPTS=yes
  { run_checks && print_counts; } >&2
  ((FAULTS == 0)) || exit "$EXIT_USAGE" # nothing was written yet
  mkdir -p "$STATE" backups
  touch "$STATE/blocked" "$STATE/history"
  [[ -f release.yml ]] || write_file release.yml <<<"services: {} # \`./stack deploy\` writes the images here, by digest"
  check_backup_settings
  take_lock
  upgrade_state
  claim_project
  remove_leftover_containers
  check_disk_space
  check_environment || {
    pull_init_image
    check_environment || die "$EXIT_FAILED" ".env could not be checked: $ANSWER. Publish an init image that works, and run ./stack install again"
  }
  [[ -z $timer ]] || install_timer
  say "$PWD is ready; run ./stack deploy"
}

# Pull the init image that the tags name for the first check of .env. It runs before any deploy, so its signature is
# verified here too.
pull_init_image() {
  local image output
  resolve_release || die "$EXIT_REGISTRY" "$(full_reason). Is \`docker login\` done?"
  verify_signatures "$RELEASE" || die "$?" "$(full_reason); nothing of it was run"
  image=$(release_image "$RELEASE" "$INIT_SERVICE")
  output=$(docker pull --quiet "$image" 2>&1) || die "$EXIT_REGISTRY" "$image cannot be pulled: $output"
  VERIFIED_INIT_IMAGE=$image
}
