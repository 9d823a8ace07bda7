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

# Print the path of the newest dump; nothing if there is none.
newest_backup() {
  [[ ! -d backups ]] || find backups -maxdepth 1 -name '*.dump' | sort | tail -n 1
}

# The dump, in the container: each value as the entrypoint of the postgres image reads it, from NAME or NAME_FILE.
# shellcheck disable=SC2016 # the container's own variables
readonly DUMP='
value() { # NAME DEFAULT
  eval "given=\${$1:-} file=\${$1_FILE:-}"
  if [ -z "$given" ] && [ -n "$file" ]; then given=$(cat "$file") || exit 1; fi
  printf %s "${given:-$2}"
}
user=$(value POSTGRES_USER postgres) && database=$(value POSTGRES_DB "$user") && PGPASSWORD=$(value POSTGRES_PASSWORD "") || exit 1
export PGPASSWORD
exec pg_dump --format=custom --host=127.0.0.1 --username="$user" --dbname="$database"'

# Dump the database into backups/, where STACK_BACKUP is set, and delete the oldest dumps.
back_up_database() {
  local service file
  is_enabled STACK_BACKUP false || return 0
  service=$(setting STACK_BACKUP_SERVICE postgres)
  mkdir -p backups
  rm -f backups/*.part
  file=backups/$(date -u +%Y%m%dT%H%M%SZ).dump
  compose exec -T "$service" sh -c "$DUMP" >"$file.part" </dev/null ||
    fail_unchanged "$EXIT_FAILED" "the database could not be dumped from the service $service"
  mv "$file.part" "$file"
  say "dumped the database to $file ($(du -h "$file" | cut -f 1))"
  find backups -name '*.dump' | sort -r | tail -n "+$(($(setting STACK_BACKUP_KEEP 5) + 1))" | xargs -r rm -f
}
