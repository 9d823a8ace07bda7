# ---- a dump: made in the container of PostgreSQL, and read back whole before it counts ----

readonly UNFINISHED_DUMP=backups/unfinished.dump.part # one name, so that killed runs leave one file at most

DATABASE=""      # the container of the database that runs now
DUMP_IS_EMPTY="" # why the last dump is of no use: what it says of a database without tables

# The login, each value as the entrypoint of the postgres image reads it, from NAME or NAME_FILE; and the database: the
# one that init keeps its ledger in, which need not be POSTGRES_DB.
# shellcheck disable=SC2016 # the container's own variables
readonly DATABASE_LOGIN='
value() { # NAME DEFAULT
  eval "given=\${$1:-} file=\${$1_FILE:-}"
  if [ -z "$given" ] && [ -n "$file" ]; then given=$(cat "$file") || exit 1; fi
  printf %s "${given:-$2}"
}
PGUSER=$(value POSTGRES_USER postgres) && PGDATABASE=$(value POSTGRES_DB "$PGUSER") && PGPASSWORD=$(value POSTGRES_PASSWORD "") || exit 1
export PGHOST=127.0.0.1 PGUSER PGDATABASE PGPASSWORD PGCONNECT_TIMEOUT=10
has_ledger() { # DATABASE
  sql="SELECT 1 FROM pg_tables WHERE schemaname = '\''compose_init'\'' LIMIT 1"
  [ "$(psql -XAtqw --dbname="$1" --command="$sql" 2>/dev/null)" = 1 ]
}
if ! has_ledger "$PGDATABASE"; then
  found=0
  for name in $(psql -XAtqw --dbname=postgres --command="SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate" 2>/dev/null); do
    if has_ledger "$name"; then other=$name found=$((found + 1)); fi
  done
  if [ "$found" -gt 1 ]; then echo "several databases have a ledger, and none of them is POSTGRES_DB ($PGDATABASE)" >&2; exit 1; fi
  [ "$found" = 0 ] || PGDATABASE=$other
fi'

# Who holds a table locked for longer than five minutes ends the dump.
readonly DUMP="$DATABASE_LOGIN"'
exec pg_dump --format=custom --lock-wait-timeout=300000'

# Set DATABASE to the container of PostgreSQL, and wait until it answers. One that is down is started as it was; no
# container at all is right where nothing was deployed yet. Else set REASON and DETAIL.
find_database() {
  local service deadline
  service=$(setting STACK_BACKUP_SERVICE postgres)
  DATABASE=$(service_containers "$service" --filter status=running | head -n 1)
  if [[ -z $DATABASE ]]; then
    [[ -n $(current_release) ]] || return 0
    say "$service does not run; starting it as it was, for the dump"
    start_database "$service" || return 1
  fi
  REASON="$service does not answer, so that its database cannot be dumped" DETAIL=""
  deadline=$((SECONDS + $(setting STACK_WAIT_TIMEOUT 120)))
  until DETAIL=$(docker exec "$DATABASE" pg_isready --host=127.0.0.1 2>&1); do
    ((SECONDS < deadline)) || return 1
    sleep 1
  done
}

# Start the container of PostgreSQL that is there, with all that it was made with.
start_database() { # SERVICE
  REASON="$1 does not run and cannot be started as it was"
  DATABASE=$(service_containers "$1" --all | head -n 1)
  [[ -n $DATABASE ]] || { DETAIL="there is no container of it" && return 1; }
  DETAIL=$(docker start "$DATABASE" 2>&1)
}

# Dump the database of a container to UNFINISHED_DUMP, and check that the dump is whole: pg_restore reads its table of
# contents, and all of its data to the end. Else set REASON and DETAIL.
dump_database() { # CONTAINER
  local contents
  DUMP_IS_EMPTY=""
  mkdir -p backups
  REASON="the database could not be dumped"
  DETAIL=$(docker exec --interactive "$1" sh -c "$DUMP" 2>&1 >"$UNFINISHED_DUMP" </dev/null) || return 1
  [[ -s $UNFINISHED_DUMP ]] || { DETAIL="pg_dump has written nothing" && return 1; }
  REASON="the dump of the database is not whole"
  contents=$(docker exec --interactive "$1" pg_restore --list 2>&1 <"$UNFINISHED_DUMP") || { DETAIL=$contents && return 1; }
  DETAIL=$(docker exec --interactive "$1" pg_restore --file=/dev/null 2>&1 <"$UNFINISHED_DUMP") || return 1
  REASON="the database has no table, although a release has worked here: it is not the database of this installation, or it was emptied" DETAIL=""
  grep -qE '^[0-9]+; [0-9]+ [0-9]+ TABLE ' <<<"$contents" || DUMP_IS_EMPTY=yes
}

# Make the dump that was checked a file of its own, which no power cut takes away; else set REASON and DETAIL.
keep_dump() { # NAME
  REASON="the dump of the database could not be written to the disk"
  DETAIL=$({ sync "$UNFINISHED_DUMP" && mv "$UNFINISHED_DUMP" "backups/$1" && sync backups; } 2>&1)
}
