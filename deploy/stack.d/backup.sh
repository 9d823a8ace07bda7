# ---- backups: when a dump is made, and which dumps stay ----

# A disk that pulling or dumping fills up stops PostgreSQL.
check_disk_space() {
  local least free folder
  least=$(setting STACK_MIN_FREE_MB 1024)
  for folder in "$(docker info --format '{{.DockerRootDir}}')" "$PWD"; do
    [[ -d $folder ]] || continue # Docker's own folder may be on another machine, or not readable for us
    free=$(df -Pm "$folder" | awk 'NR == 2 {print $4}')
    ((free >= least)) ||
      fail_unchanged "$EXIT_FAILED" "less than $least MB of disk space are free at $folder (STACK_MIN_FREE_MB)" \
        "$free MB; \`docker system df\` shows what uses the space"
  done
}

# End the script where STACK_BACKUP asks for what cannot be done.
check_backup_settings() {
  local keep service
  is_enabled STACK_BACKUP false || return 0
  keep=$(setting STACK_BACKUP_KEEP 5)
  [[ $keep =~ ^0*[1-9][0-9]{0,5}$ ]] ||
    fail "$EXIT_USAGE" "STACK_BACKUP_KEEP must be a whole number from 1 on, found $keep; nothing was changed"
  service=$(setting STACK_BACKUP_SERVICE postgres)
  [[ -n $(service_column "$service" image) ]] ||
    fail "$EXIT_USAGE" "STACK_BACKUP is set, and the Compose files have no service $service; nothing was changed. Name the service of PostgreSQL in STACK_BACKUP_SERVICE. A PostgreSQL outside of this stack cannot be dumped from here: back it up where it runs, and remove STACK_BACKUP from .env"
}

# Dump the database that runs now into backups/, where STACK_BACKUP is set and the deploy brings something new. This is
# called before anything is started, replaced or migrated.
back_up_database() { # ID CONFIGURATION
  local name state=unwell
  is_enabled STACK_BACKUP false || return 0
  [[ -n $UPDATE ]] || ! is_current "$1" "$2" || return 0 # what was seen to work is started again: its init has nothing new
  if [[ -n $BY_TIMER ]] && has_recent_dump "$1" "$2"; then
    say "the database was dumped for this release less than an hour ago" && return 0
  fi
  ! is_before_trouble || state=well
  find_database || fail_without_dump
  [[ -n $DATABASE_CONTAINER ]] || { say "there is no database to dump yet" && return 0; }
  check_space_for_dump
  dump_database "$DATABASE_CONTAINER" || fail_without_dump
  if [[ -n $DUMP_IS_EMPTY ]]; then
    rm -f "$UNFINISHED_DUMP"
    [[ -z $(current_release) || -n $NEW_DATA ]] || fail_without_dump
    say "the database is empty: there is nothing to dump yet" && return 0
  fi
  name=$(unused_dump_name)
  # First into the list: what is on the list and not in backups/ is a run that was killed here, and is left out.
  record_dump "$name" "$1" "$2" "$state"
  keep_dump "$name" || fail_without_dump
  say "dumped the database to backups/$name ($(du -h "backups/$name" | cut -f 1))"
  rotate_dumps
}

fail_without_dump() {
  rm -f "$UNFINISHED_DUMP" # it may have filled the disk
  fail_unchanged "$EXIT_FAILED" "$REASON; no $EVENT without a dump, as STACK_BACKUP asks (STACK_BACKUP=false ./stack $EVENT goes on without)" "$DETAIL"
}

# Check that a release serves, and that no deploy has failed since it was seen to work: its database is as users left it.
is_before_trouble() {
  local current last
  current=$(current_release)
  # Who rolls back by hand has seen a trouble that no health check sees.
  [[ -n $current && $EVENT != rollback ]] && is_serving "$current" || return 1
  last=$(last_dump_attempt)
  [[ -z $last ]] || is_current "${last% *}" "${last#* }"
}

# A dump takes about as much space as the one before.
check_space_for_dump() {
  local last free least
  last=$(newest_backup)
  [[ -n $last ]] || return 0
  least=$(($(setting STACK_MIN_FREE_MB 1024) + $(stat -c %s "$last") / 1048576))
  free=$(df -Pm backups | awk 'NR == 2 {print $4}')
  ((free >= least)) || {
    REASON="less than $least MB of disk space are free for a dump (STACK_MIN_FREE_MB and the size of $last)" DETAIL="$free MB"
    fail_without_dump
  }
}

# Print a name in backups/ that no file has: a clock may go back, and people name files too.
unused_dump_name() {
  local name number=1
  name=$(date -u +%Y%m%dT%H%M%SZ)
  while [[ -e backups/$name$( ((number == 1)) || echo "-$number").dump ]]; do number=$((number + 1)); done
  printf '%s' "$name$( ((number == 1)) || echo "-$number").dump"
}

# Delete the oldest dumps that this script has made: all but the last STACK_BACKUP_KEEP, and the last that was made
# before any trouble. Their order is that of the list, whatever the clock said.
rotate_dumps() {
  local name
  while read -r name; do
    rm -f "backups/$name"
  done < <(list_dumps | tac | awk -v keep="$(setting STACK_BACKUP_KEEP 5)" \
    '{well = $6 == "well" && !seen++} NR > keep + 0 && !well {print $2}')
  list_dumps | write_file "$STATE/dumps"
}
