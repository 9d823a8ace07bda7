# ---- disk and backup ----

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

# Dump the database into backups/, where STACK_BACKUP is set, and delete the oldest dumps.
back_up_database() {
  local service file
  is_enabled STACK_BACKUP false || return 0
  service=$(setting STACK_BACKUP_SERVICE postgres)
  mkdir -p backups
  rm -f backups/*.part
  file=backups/$(date -u +%Y%m%dT%H%M%SZ).dump
  # shellcheck disable=SC2016 # the container's own variables
  compose exec -T "$service" sh -c 'PGPASSWORD=${POSTGRES_PASSWORD:-$(cat "$POSTGRES_PASSWORD_FILE")} \
    pg_dump --format=custom --host=127.0.0.1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB"' \
    >"$file.part" </dev/null || fail_unchanged "$EXIT_FAILED" "the database could not be dumped from the service $service"
  mv "$file.part" "$file"
  say "dumped the database to $file ($(du -h "$file" | cut -f 1))"
  find backups -name '*.dump' | sort -r | tail -n "+$(($(setting STACK_BACKUP_KEEP 5) + 1))" | xargs -r rm -f
}
