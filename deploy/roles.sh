#!/bin/sh
# Creates the application's own role, which reads and writes data and can change nothing else.
#
# The postgres image runs this script in a new database, from /docker-entrypoint-initdb.d/. In an existing database, or
# after the password in the file has changed, run it by hand:
#
#   docker compose exec -T postgres sh /docker-entrypoint-initdb.d/roles.sh
#
# It can be run again at any time. init checks the result (INIT_APPLICATION_ROLE).
#
#   POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD[_FILE]   the owner, as which init connects; tables that the owner
#                                                          creates later are covered too
#   APPLICATION_ROLE, APPLICATION_PASSWORD_FILE            the role, and a file with its password on one line
#   PGHOST, PGPORT                                         where PostgreSQL is, if not in this container
( # a subshell: the image sources a script that is not executable into its own shell
  set -eu
  : "${APPLICATION_ROLE:?is not set}" "${APPLICATION_PASSWORD_FILE:?is not set}" "${POSTGRES_USER:?is not set}"
  if [ "$APPLICATION_ROLE" = "$POSTGRES_USER" ]; then
    echo "roles.sh: APPLICATION_ROLE must differ from the owner, $POSTGRES_USER" >&2
    exit 1
  fi
  password=$(tr -d '\r' <"$APPLICATION_PASSWORD_FILE")
  case $password in
    "" | *"
"*) echo "roles.sh: $APPLICATION_PASSWORD_FILE must contain one line, the password" >&2 && exit 1 ;;
  esac
  PGPASSWORD=${POSTGRES_PASSWORD-}
  if [ -z "$PGPASSWORD" ] && [ -n "${POSTGRES_PASSWORD_FILE-}" ]; then
    PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  fi
  # While the image prepares a new database, its server listens on this socket only.
  export PGPASSWORD PGHOST="${PGHOST:-/var/run/postgresql}" PGUSER="$POSTGRES_USER"
  export PGDATABASE="${POSTGRES_DB:-$POSTGRES_USER}"

  psql -X -q -w -v ON_ERROR_STOP=1 -v role="$APPLICATION_ROLE" <<'SQL'
\set application '(n.nspname !~ ''^pg_'' AND n.nspname NOT IN (''information_schema'', ''compose_init'') AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = ''pg_namespace''::regclass AND d.objid = n.oid AND d.deptype = ''e''))'
BEGIN;

SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role')
\gexec
-- Only what differs: a role without SUPERUSER may not even state NOSUPERUSER.
SELECT format('ALTER ROLE %I %s', rolname, concat_ws(' ', 'LOGIN', CASE WHEN rolsuper THEN 'NOSUPERUSER' END,
                                                     CASE WHEN rolcreatedb THEN 'NOCREATEDB' END,
                                                     CASE WHEN rolcreaterole THEN 'NOCREATEROLE' END))
FROM pg_roles WHERE rolname = :'role' AND (NOT rolcanlogin OR rolsuper OR rolcreatedb OR rolcreaterole)
\gexec

GRANT CONNECT ON DATABASE :"DBNAME" TO :"role";
REVOKE CREATE ON DATABASE :"DBNAME" FROM PUBLIC, :"role";

-- Each schema, and what is created there from now on. The owner keeps what it had through PUBLIC.
SELECT format('GRANT USAGE, CREATE ON SCHEMA %I TO CURRENT_USER', n.nspname),
       format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, %I', n.nspname, :'role'),
       format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, :'role'),
       format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I',
              n.nspname, :'role'),
       format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT USAGE, SELECT ON SEQUENCES TO %I', n.nspname, :'role')
FROM pg_namespace n WHERE :application AND pg_has_role(n.nspowner, 'USAGE')
\gexec

-- What exists already, except for what belongs to extensions. Alembic's version table has any name, and the single
-- column version_num: the application may only read it.
SELECT CASE WHEN c.relkind = 'S' THEN format('GRANT USAGE, SELECT ON SEQUENCE %I.%I TO %I', n.nspname, c.relname, :'role')
            WHEN v.is_version THEN format('GRANT SELECT ON %I.%I TO %I', n.nspname, c.relname, :'role')
            ELSE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I.%I TO %I', n.nspname, c.relname, :'role') END,
       CASE WHEN v.is_version THEN format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON %I.%I FROM PUBLIC, %I',
                                          n.nspname, c.relname, :'role') END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT c.relkind = 'r' AND array_agg(a.attname::text) = ARRAY['version_num'] AS is_version
  FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) v
WHERE :application AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND pg_has_role(c.relowner, 'USAGE')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
\gexec

-- Only init uses its ledger.
SELECT format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM PUBLIC, %I', nspname, :'role'),
       format('REVOKE ALL ON SCHEMA %I FROM PUBLIC, %I', nspname, :'role')
FROM pg_namespace WHERE nspname = 'compose_init' AND pg_has_role(nspowner, 'USAGE')
\gexec
COMMIT;
SQL

  # psql hashes the password itself, so the server, its log and its statistics never see it. psql asks on a terminal if
  # it can open one; setsid takes the terminal away, so it reads stdin.
  output=$(printf '%s\n%s\n' "$password" "$password" |
    setsid psql -X -q -w -v ON_ERROR_STOP=1 -v role="$APPLICATION_ROLE" -c '\password :"role"' 2>&1) ||
    { echo "roles.sh: the password could not be set: $output" >&2 && exit 1; }
  echo "roles.sh: $APPLICATION_ROLE reads and writes the data of $PGDATABASE, and changes nothing else"
)
