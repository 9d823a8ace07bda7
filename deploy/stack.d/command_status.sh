# ---- ./stack status, ./stack logs ----

command_status() {
  local unhealthy code=0
  prepare_command
  print_current_release
  if [[ $(started_release) != "$(current_release)" ]]; then
    say "a run was interrupted: release.yml is $(started_release); the next run continues from there"
  fi
  if unhealthy=$(services_are_healthy "$(current_release)"); then
    say "every service is up and healthy"
  else
    say "not healthy: ${unhealthy//$'\n'/; }"
    code=$EXIT_UNHEALTHY
  fi
  print_blocked_releases
  print_alerts
  if [[ -s $STATE/history ]]; then
    say "the last runs that changed something or failed:"
    tail -n 10 "$STATE/history" | sed 's/^/    /'
  fi
  print_timer
  exit "$code"
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

print_blocked_releases() {
  local id reason
  [[ -s $STATE/blocked ]] || return 0
  while read -r id _ reason; do say "blocked for the timer: $(describe_release "$id"): $reason"; done <"$STATE/blocked"
}

print_alerts() {
  local channels message
  if [[ -s $STATE/open-alert ]]; then
    read -r channels message <"$STATE/open-alert"
    say "the last failure that no success has followed ($(describe_open_alert "$channels")): $message"
  fi
  if [[ -s $STATE/unsent-alerts ]]; then say "alerts that are not sent yet: $(wc -l <"$STATE/unsent-alerts")"; fi
}

print_timer() {
  command -v systemctl >/dev/null || return 0
  systemctl list-timers --no-pager "stack-$PROJECT.timer" 2>/dev/null | sed -n '2p' | sed 's/^/    /' || true
}

command_logs() { # [SERVICE...]
  prepare_command
  if [[ " $* " == *" $INIT_SERVICE "* && $# -eq 1 ]]; then
    [[ -s $STATE/init.log ]] || die "$EXIT_USAGE" "this script has not run $INIT_SERVICE yet"
    cat "$STATE/init.log"
  else
    compose logs --no-color --tail 200 "$@"
  fi
}

# Check what every command but `install` needs.
prepare_command() {
  local output
  [[ -f compose.yml ]] || die "$EXIT_USAGE" "there is no compose.yml in $PWD"
  [[ ! -d $STATE || -r $STATE && -x $STATE ]] ||
    die "$EXIT_USAGE" "$(id -un) may not read $PWD/$STATE; run this as $(stat -c %U "$STATE")"
  [[ -d $STATE && -f release.yml ]] || die "$EXIT_USAGE" "$PWD is not prepared; run ./stack install"
  output=$(timeout 20 docker version --format '{{.Server.Version}}' 2>&1) ||
    die "$EXIT_UNHEALTHY" "Docker does not answer; is its service running? ${output##*$'\n'}"
  read_settings
}
