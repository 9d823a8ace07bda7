# ---- the version of PostgreSQL: what a new image would do to the data that is there ----

# What an image has of PostgreSQL: its major version, and the C library that sorts its text.
# shellcheck disable=SC2016 # variables of the container's shell
readonly DESCRIBE_POSTGRES='
version=$(postgres --version) || exit 1
version=${version##*) }
libc=$(ldd --version 2>&1 | head -n 1)
case $libc in *musl*) libc=musl ;; *) libc="glibc ${libc##* }" ;; esac
echo "${version%%[!0-9]*} $libc"'

# Check, before anything is replaced, each service of NEXT_MODEL that gets another image of PostgreSQL: an image of
# another major version does not start on the data, and another C library sorts text by other rules.
check_postgres_versions() { # ID
  local name image container major libc old old_libc
  while read -r name; do
    image=$(rendered_services "$NEXT_MODEL" | awk -v name="$name" '$1 == name {print $2}')
    container=$(service_containers "$name" --all | head -n 1)
    has_other_image "$container" "$image" || continue
    read -r major libc < <(describe_postgres "$image") || continue # no PostgreSQL
    old=$(data_version "$name" "$container")
    [[ -z $old || $old == "$major" ]] ||
      fail_unchanged "$EXIT_USAGE" "$name would become PostgreSQL $major, and its data is of PostgreSQL $old, on which no other major version starts. Put the image of PostgreSQL $old back into the Compose files; or follow \"Upgrade PostgreSQL to a new major version\" in the runbook: a dump, a new volume, and the dump restored there"
    [[ -n $container ]] || continue
    read -r _ old_libc < <(describe_postgres "$(docker inspect --format '{{.Image}}' "$container")") || continue
    [[ $libc == "$old_libc" ]] || report_other_libc "$name" "$old_libc" "$libc"
  done < <(rendered_names "$NEXT_MODEL" "$1" infrastructure)
}

has_other_image() { # CONTAINER|"" IMAGE
  [[ $2 != - && (-z $1 || $(docker inspect --format '{{.Image}}' "$1") != $(docker image inspect --format '{{.Id}}' "$2")) ]]
}

# Print `MAJOR LIBC`, such as `16 musl` or `16 glibc 2.41`; nothing where the image has no PostgreSQL.
describe_postgres() { # IMAGE
  docker run --rm --network none --entrypoint sh "$1" -c "$DESCRIBE_POSTGRES" 2>/dev/null </dev/null
}

# Print the major version of the data that a service has: of its container, running or not, or where there is none, of
# the volume that the new one would get.
data_version() { # SERVICE CONTAINER|""
  local folder file=$STATE/PG_VERSION.part
  if [[ -z $2 ]]; then
    # shellcheck disable=SC2016 # of the container
    compose_rendered "$NEXT_MODEL" run --rm --no-deps -T --entrypoint sh "$1" -c 'cat "${PGDATA:-/var/lib/postgresql/data}/PG_VERSION"' \
      2>/dev/null </dev/null || true
    return 0
  fi
  folder=$(docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$2" | sed -n 's/^PGDATA=//p')
  # Of a stopped container too.
  docker cp --quiet "$2:${folder:-/var/lib/postgresql/data}/PG_VERSION" "$file" 2>/dev/null || return 0
  cat "$file" && rm -f "$file"
}

# Text indexes of the old order are silently wrong in the new one: rows are not found, and unique values doubled. A
# person must know before it happens; the timer does not do it.
report_other_libc() { # SERVICE OLD NEW
  local what="the new image of $1 has another C library ($3 instead of $2), which may sort text by other rules, so that indexes on text are wrong"
  local remedy="REINDEX DATABASE and ALTER DATABASE … REFRESH COLLATION VERSION, as in \"Take another image of PostgreSQL\" in the runbook"
  [[ -z $BY_TIMER ]] || fail_unchanged "$EXIT_USAGE" "$what. Run ./stack deploy by hand, and right after it $remedy"
  warn "$what. Right after this deploy, run $remedy"
}
