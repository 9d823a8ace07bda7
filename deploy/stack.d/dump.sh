# ---- a dump: made in the container of PostgreSQL, and read back whole before it counts ----

readonly UNFINISHED_DUMP=backups/unfinished.dump.part # one name, so that killed runs leave one file at most

DATABASE_CONTAINER=""      # the container of the database that runs now
DUMP_IS_EMPTY="" # why the last dump is of no use: what it says of a database without tables

# The login, each value as the entrypoint of the postgres image reads it, from NAME or NAME_FILE; and the database, which
# need not be POSTGRES_DB: the one whose ledger is that of INSTALLATION, or, as long as that is not known, any ledger.
# shellcheck disable=SC2016 # the container's own variables
readonly DATABASE_LOGIN='
value() { # NAME DEFAULT
  eval "given=\${$1:-} file=\${$1_FILE:-}"
  if [ -z "$given" ] && [ -n "$file" ]; then given=$(cat "$file") || exit 1; fi
  printf %s "${given:-$2}"
}
PGUSER=$(value POSTGRES_USER postgres) && PGDATABASE=$(value POSTGRES_DB "$PGUSER") && PGPASSWORD=$(value POSTGRES_PASSWORD "") || exit 1
export PGHOST=127.0.0.1 PGUSER PGDATABASE PGPASSWORD PGCONNECT_TIMEOUT=10
installation_of() { # DATABASE
  sql="SELECT left(encode(sha256(convert_to('\''installation '\'' || salt, '\''UTF8'\'')), '\''hex'\''), 16) FROM compose_init.format"
  psql -XAtqw --dbname="$1" --command="$sql" 2>/dev/null
}
is_ours() { # DATABASE
  found=$(installation_of "$1") && [ -n "$found" ] && [ "$found" = "${INSTALLATION:-$found}" ]
}
if ! is_ours "$PGDATABASE"; then
  ours=0
  for name in $(psql -XAtqw --dbname=postgres --command="SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate" 2>/dev/null); do
    if is_ours "$name"; then other=$name ours=$((ours + 1)); fi
  done
  case $ours in
    1) PGDATABASE=$other ;;
    0) [ -z "${INSTALLATION-}" ] || { psql -XAtqw --command="SELECT" && echo "no database of this server is that of this installation, $INSTALLATION" >&2; exit 1; } ;;
    *) echo "several databases have a ledger, and none of them is POSTGRES_DB ($PGDATABASE)" >&2; exit 1 ;;
  esac
fi'

# Who holds a table locked for longer than five minutes ends the dump.
readonly DUMP="$DATABASE_LOGIN"'
exec pg_dump --format=custom --lock-wait-timeout=300000'

# Set DATABASE_CONTAINER to the container of PostgreSQL, and wait until it answers. One that is down, or that a killed run has
# replaced by one that does not work, is started as it was; no container at all is right where nothing was deployed yet.
# Else set REASON and DETAIL.
find_database() {
  local service
  service=$(setting STACK_BACKUP_SERVICE postgres)
  DATABASE_CONTAINER=$(service_containers "$service" --filter status=running | head -n 1)
  [[ -z $DATABASE_CONTAINER ]] || ! database_answers || return 0
  if [[ -z $(current_release) ]]; then
    [[ -z $DATABASE_CONTAINER ]] || return 1
    return 0
  fi
  say "$service does not run; starting it as it was, for the dump"
  find_current_model "$(current_release)" || return 1
  REASON="$service does not run and cannot be started as it was"
  DETAIL=$(compose_up "$CURRENT_MODEL" "$service") || return 1
  DATABASE_CONTAINER=$(service_containers "$service" | head -n 1)
  [[ -n $DATABASE_CONTAINER ]] && database_answers
}

# Wait until PostgreSQL answers; else set REASON and DETAIL.
database_answers() {
  local deadline=$((SECONDS + $(setting STACK_WAIT_TIMEOUT 120)))
  REASON="$(setting STACK_BACKUP_SERVICE postgres) does not answer, so that its database cannot be dumped"
  until DETAIL=$(docker exec "$DATABASE_CONTAINER" pg_isready --host=127.0.0.1 2>&1); do
    ((SECONDS < deadline)) || return 1
    sleep 1
  done
}

# Dump the database of a container to UNFINISHED_DUMP, and check that the dump is whole: pg_restore reads its table of
# contents, and all of its data to the end. Else set REASON and DETAIL.
dump_database() { # CONTAINER
  local contents known
  DUMP_IS_EMPTY=""
  mkdir -p backups
  REASON="the database could not be dumped"
  known=$([[ -n $NEW_DATA ]] || installation_value database)
  DETAIL=$(docker exec --interactive --env "INSTALLATION=$known" "$1" sh -c "$DUMP" 2>&1 >"$UNFINISHED_DUMP" </dev/null) || return 1
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
