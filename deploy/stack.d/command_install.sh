# ---- ./stack install ----

command_install() { # [--no-timer]
  local timer=yes image
  case ${1-} in
    --no-timer) timer="" ;;
    "") ;;
    *) die "$EXIT_USAGE" "install accepts only --no-timer, found $1" ;;
  esac
  run_checks >&2
  ((FAULTS == 0)) || exit "$EXIT_USAGE" # nothing was written yet
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
