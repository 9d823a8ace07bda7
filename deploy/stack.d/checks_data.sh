# ---- checks of ./stack doctor: the installation, its data, its database and its dumps ----

# Check that this folder is the one of its project, as a deploy does; `install` takes over what has moved.
check_installation() {
  local reason
  if is_installation; then
    ok "$PROJECT is here, in $PWD"
  else
    reason=${REASON%%[.;] *} # what follows says what to do
    fault "$reason" "${REASON#"$reason"??}"
  fi
}

# Check that services would have the volumes and folders that they had, as a deploy does; `install` comes before it.
check_data() {
  local lost mark=fault
  lost=$(lost_data)
  if [[ -z $lost ]]; then ok "services have the volumes and folders that they had" && return; fi
  [[ -z $ADOPTS ]] || mark=warning
  while IFS= read -r lost; do
    finding "$mark" "$lost" "change that back; or, if it is meant: ./stack deploy --new-data"
  done <<<"$lost"
}

# Ask the database whose it is, by init of the current release, as a deploy does.
check_database() {
  local current known
  current=$(current_release) known=$(installation_value database)
  ! is_locked || { finding skipped "a run is in progress" && return; }
  services_are_healthy "$current" >/dev/null || { finding skipped "not every service is healthy, see ./stack status" && return; }
  if ! ask_database "$current"; then
    fault "init cannot ask it whose it is: $(full_reason)" "./stack logs shows what PostgreSQL says"
  elif [[ $DATABASE == none ]]; then
    fault "no run of init has been in it" "restore it from backups/, or change compose.yml and .env back"
  elif [[ -n $DATABASE && -n $known && $DATABASE != "$known" ]]; then
    fault "it belongs to the installation $DATABASE, and this one is $known" "restore it from backups/, or change compose.yml and .env back"
  else
    ok "it is that of this installation${DATABASE:+, $DATABASE}"
  fi
}

# Read the newest dump to its end, as a restore would, in the container of PostgreSQL.
check_backup() {
  local service container output code=0
  is_enabled STACK_BACKUP false ||
    { warning "the database is not dumped before a deploy" "set STACK_BACKUP=true in .env" && return; }
  while IFS= read -r output; do
    fault "$output is not as it was made, so it counts for nothing" "keep the others; the next deploy that brings something dumps the database again"
  done < <(cut_dumps)
  collect_backup
  [[ -n $BACKUP ]] || { ok "there is none yet; the next deploy makes one" && return; }
  service=$(setting STACK_BACKUP_SERVICE postgres)
  container=$(docker ps --quiet --filter "label=com.docker.compose.project=$PROJECT" \
    --filter "label=com.docker.compose.service=$service" --filter label=com.docker.compose.oneoff=False | head -n 1)
  [[ -n $container ]] || { finding skipped "$(describe_backup); $service does not run, so nobody can read it" && return; }
  output=$(timeout 600 docker exec --interactive "$container" pg_restore --file=/dev/null <"$BACKUP" 2>&1) || code=$?
  if ((code == 0)); then
    ok "pg_restore reads $(describe_backup)"
  elif ((code == 124)); then
    warning "$BACKUP was not read to its end within ten minutes" "restore it into a database of its own"
  else
    fault "$BACKUP cannot be restored: ${output##*$'\n'}" "keep the ones before it; the next deploy that brings something dumps the database again"
  fi
}
