# ---- deploying one release, and the way back ----

# Begin a deploy or a rollback: everything both need before they decide about a release.
begin_event() { # deploy|rollback
  check_folder
  EVENT=$1
  keep_output "$1"
  take_lock
  DOCKER_FAULT=$(docker_fault)
  [[ -z $DOCKER_FAULT ]] || fail "$EXIT_UNHEALTHY" "Docker does not answer; is its service running?" "${DOCKER_FAULT#*\? }"
  read_settings
  refuse_other_installation
  refuse_lost_data
  tell_interrupted_run
  begin_run
  upgrade_state
  [[ -f $STATE/installation && $(claimed_folder) -ef $PWD ]] || claim_project
  remove_leftover_containers
  send_unsent_alerts || true
  check_environment || warn ".env is not checked yet: $ANSWER"
  check_backup_settings
}

# Deploy a release; end the script where that fails.
deploy_release() { # ID CONFIGURATION
  local code=0 asked=""
  TARGET=$1
  mark_run "$1"
  bring_images "$1"
  check_environment || warn ".env was not checked: $ANSWER"
  check_disk_space # the images have used some of it
  render_release "$1" "$NEXT_MODEL" || fail_unchanged "$EXIT_FAILED" "$REASON" "$DETAIL"
  check_postgres_versions "$1"
  back_up_database "$1" "$2"
  # A database that is up is asked before any container is replaced. With a new configuration it may not answer yet.
  if [[ -n $(current_release) && -n $(service_containers "$(setting STACK_BACKUP_SERVICE postgres)" --filter health=healthy) ]] &&
    ask_database "$(current_release)" "$1"; then
    judge_database "$1" "$2"
    asked=yes
  fi
  start_infrastructure "$NEXT_MODEL" "$1" || on_failed_infrastructure "$1" "$2"
  [[ -n $asked && -z $INFRASTRUCTURE_REPLACED ]] || refuse_other_database "$1" "$2"
  run_init "$1" "$NEXT_MODEL" || code=$?
  ((code == 0)) || on_failed_init "$1" "$2" "$code"
  [[ $EVENT == rollback ]] || release_image "$1" "$INIT_SERVICE" | write_file "$STATE/init-image" || true
  say "starting ${APPS[*]}"
  start_release "$1" "$NEXT_MODEL" || on_failed_start "$1" "$2"
  [[ $EVENT == rollback ]] || unblock_release "$1"
  remove_departed "$STARTED_MODEL"
  record_success "$1" "$2" ||
    fail "$EXIT_UNHEALTHY" "$(describe_release "$1") serves and is healthy, but $PWD/$STATE cannot be written; the next run deploys it again"
  record_data "$1"
  prune_images
}

# Verify and pull the images of a release, and those of the current release for the way back.
bring_images() { # ID
  local current
  current=$(current_release)
  verify_signatures "$1" || fail_unchanged "$?" "$REASON" "$DETAIL"
  check_disk_space
  pull_release "$1" || fail_unchanged "$EXIT_REGISTRY" "$REASON" "$DETAIL"
  choose_infrastructure "$1" || fail_unchanged "$EXIT_REGISTRY" "$REASON" "$DETAIL"
  [[ -z $current || $current == "$1" ]] || { verify_signatures "$current" && pull_release "$current"; } ||
    warn "there may be no way back to the current release: $(full_reason)"
  VERIFIED_INIT_IMAGE=$(release_image "$1" "$INIT_SERVICE")
}

# End the script after the infrastructure, as people have written it now, did not become healthy.
on_failed_infrastructure() { # ID CONFIGURATION
  REASON="$REASON; init did not run"
  [[ -n $(current_release) ]] || fail "$EXIT_UNHEALTHY" "$REASON. See \`docker compose ps\` and ./stack logs"
  leave_configuration "$1" "$2"
}

# Go back from a configuration with which init could not run, for REASON, and end the script.
leave_configuration() { # ID CONFIGURATION
  local current
  current=$(current_release)
  # Where no container was replaced, the cause lies elsewhere and may pass. What does not start without a release does
  # not start with another one either.
  if [[ -n $INFRASTRUCTURE_REPLACED && -z $UPDATE && $EVENT != rollback ]]; then
    block_release "$1" "$2" "$REASON"
    [[ $1 == "$current" ]] || block_release "$current" "$2" "$REASON"
  fi
  roll_back "$current" "$REASON"
}

# End the script after init of a release has failed. This run has not touched the containers of applications.
on_failed_init() { # ID CONFIGURATION CODE
  local current
  trap - ERR
  set +e # whatever cannot be written: the way back comes first
  current=$(current_release)
  REASON="init of $(describe_release "$1") failed with exit code $3 ($(init_exit_meaning "$3"))"
  # Busy says nothing about the release: the timer may try it again.
  [[ $EVENT == rollback || $3 == "$EXIT_BUSY" ]] || block_release "$1" "$2" "its init failed with exit code $3"
  [[ -n $current ]] || fail "$EXIT_FAILED" "$REASON; no container of ${APPS[*]} was started, $(serving_now)"
  # Compose files that were changed have changed PostgreSQL; or a killed run had begun to start another release.
  if [[ -n $INFRASTRUCTURE_REPLACED ]] || ! runs_current_model; then
    ! is_current "$1" "$2" || fail "$EXIT_UNHEALTHY" "$REASON; ${APPS[*]} were left as they are, see ./stack status"
    roll_back "$current" "$REASON"
  fi
  services_are_healthy "$current" >/dev/null ||
    fail "$EXIT_UNHEALTHY" "$REASON; no container was replaced, but $(describe_release "$current") is not healthy either, see ./stack status"
  fail "$EXIT_FAILED" "$REASON; no container was replaced, $(describe_release "$current") still serves"
}

# End the script after the containers of a release did not become healthy or failed the probe.
on_failed_start() { # ID CONFIGURATION
  local current failure
  trap - ERR
  set +e # whatever cannot be written: the way back comes first
  current=$(current_release)
  failure="$(describe_release "$1") failed: $REASON"
  warn "$failure"
  compose --ansi never logs --no-color --tail 20 "${APPS[@]}" 2>&1 | sed "s/^/$TO_STDERR    /" >&2
  [[ -n $UPDATE || $EVENT == rollback ]] || block_release "$1" "$2" "$REASON"
  [[ -n $current ]] || fail "$EXIT_UNHEALTHY" "$failure; there is no earlier release to roll back to"
  [[ -n $UPDATE ]] || ! is_current "$1" "$2" || fail "$EXIT_UNHEALTHY" "$failure; it is the current release, and was left as it is"
  if [[ -z $INFRASTRUCTURE_REPLACED && $(started_release) == "$current" ]] && runs_current_model && is_serving "$current"; then
    fail "$EXIT_FAILED" "$failure; no container was replaced, $(describe_release "$current") still serves"
  fi
  roll_back "$current" "$failure"
}

# Return to the current release, with the configuration and the infrastructure that it worked with, and end the script.
roll_back() { # ID REASON
  say "rolling back to $(describe_release "$1")"
  return_to_current "$1" || fail "$EXIT_UNHEALTHY" "$2. $REASON"
  TOLD=yes
  record_history rolled-back "$1" "$2"
  [[ -z $ROLLED_BACK_FROM ]] || unblock_release "$ROLLED_BACK_FROM" -
  warn "$2"
  warn "$(describe_release "$1") serves again, with the configuration it had; the schema stays as the newer init has migrated it"
  send_alert rollback "$2. $(describe_release "$1") serves again, with the configuration it had; the schema and the seeded data stay as the newer init has left them"
  exit "$EXIT_FAILED"
}

# Start what was last seen to work; else set REASON. Where applications were replaced, init of the current release runs
# first, since only that knows whether the older image can work with the schema.
return_to_current() { # ID
  local code=0 name
  name=$(describe_release "$1")
  find_current_model "$1" || { REASON="The rollback is not possible: $(full_reason)" && return 1; }
  start_infrastructure "$CURRENT_MODEL" "$1" || { REASON="The rollback to $name failed as well: $REASON; see ./stack status" && return 1; }
  if ! runs_current_model; then
    run_init "$1" "$CURRENT_MODEL" || code=$?
    ((code == 0)) || {
      REASON="The rollback is not possible: init of $name failed with exit code $code ($(init_exit_meaning "$code")); ${APPS[*]} were left as they are"
      return 1
    }
  fi
  start_release "$1" "$CURRENT_MODEL" || { REASON="The rollback to $name failed as well: $REASON; see ./stack status" && return 1; }
  remove_departed "$CURRENT_MODEL"
}
