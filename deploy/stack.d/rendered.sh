# ---- rendered models: all that Compose makes of its files, .env and a release, each in one file ----
#
# Compose makes the same containers of such a file, whatever people have done to compose.yml and .env since. So there is
# a way back from a configuration that does not work, as there is one from a release.

readonly NEXT_MODEL=$STATE/next.json       # what the deploy that is under way runs
readonly STARTED_MODEL=$STATE/started.json # what Compose was last told to run
readonly CURRENT_MODEL=$STATE/current.json # what was last seen to work

compose_rendered() { docker compose --project-directory "$PWD" --profile '*' --file "$1" "${@:2}"; } # FILE ARGUMENT...

# Write to a file what Compose would run with a release, its infrastructure and the present configuration, and to
# `x-stack` in it what else belongs to that; else set REASON and DETAIL.
render_release() { # ID FILE
  local overlay
  REASON="a file that a service mounts cannot be read" DETAIL=""
  overlay=$(started_file "$1") || return 1
  REASON="Compose cannot put $(describe_release "$1") together"
  DETAIL=$({ printf '%s\n' "$overlay" && stack_section "$1" "$overlay"; } |
    COMPOSE_FILE="$(compose_files):-" docker compose config --format json 2>&1 >"$2.part") || return 1
  mv "$2.part" "$2"
}

stack_section() { # ID OVERLAY
  local section
  section=$(json_object release "$(json_string "$1")" folder "$(json_string "$PWD")" overlay "$(json_string "$2")" \
    probe "$(json_string "$(setting STACK_PROBE_URL "")")")
  printf 'x-stack: %s\n' "${section//'$'/'$$'}" # Compose reads a dollar sign as the beginning of a variable
}

# Print a value of `x-stack`: release, folder, overlay (the content of release.yml) or probe (STACK_PROBE_URL).
rendered_value() { # FILE NAME
  [[ -s $1 ]] || return 0
  json_text "$(json_lines <"$1" | awk -F '\t' -v name="$2" '$1 == "x-stack" && $2 == name {print $3}')"
}

# Print the lines of list_services for a rendered model.
rendered_services() { # FILE
  local MODEL
  MODEL=$(json_lines <"$1")
  list_services
}

# Print the names of a rendered model's services: of the release without init, or of everything else.
rendered_names() { # FILE ID apps|infrastructure
  rendered_services "$1" | awk -v init="$INIT_SERVICE" -v released=" $(release_images "$2" | awk '{print $1}' | tr '\n' ' ') " -v part="$3" '
    {is_released = index(released, " " $1 " ") > 0}
    part == "apps" && is_released && $1 != init || part == "infrastructure" && !is_released {print $1}'
}

# Print the lines of list_services for what should run: before the first start, what people have written.
started_services() {
  if [[ -s $STARTED_MODEL ]]; then rendered_services "$STARTED_MODEL"; else printf '%s\n' "$SERVICES"; fi
}

# Check that what should run is what was last seen to work.
runs_current_model() { cmp -s "$STARTED_MODEL" "$CURRENT_MODEL"; }

# See that CURRENT_MODEL is that of the current release, in this project and folder: a killed run may not have written
# it, and people rename projects and move folders.
find_current_model() { # ID
  local INFRASTRUCTURE_IMAGES
  if [[ $(rendered_value "$CURRENT_MODEL" release) == "$1" && $(rendered_value "$CURRENT_MODEL" folder) == "$PWD" ]] &&
    [[ $(json_lines <"$CURRENT_MODEL" | awk -F '\t' '$1 == "name" {print $2}') == "$PROJECT" ]]; then
    return 0
  fi
  INFRASTRUCTURE_IMAGES=$(recorded_infrastructure "$1")
  render_release "$1" "$CURRENT_MODEL"
}

# Stop the containers of services that were started and that a model has no more: a service that got another name must
# not run beside itself, on the same volume or with the same token.
stop_departed() { # FILE
  local name id
  while read -r name; do
    while read -r id; do
      say "stopping $name, which the Compose files no longer have"
      docker stop "$id" >/dev/null
    done < <(service_containers "$name")
  done < <(departed_services "$1")
}

remove_departed() { # FILE
  local name id
  while read -r name; do
    while read -r id; do docker rm --force "$id" >/dev/null; done < <(service_containers "$name" --all)
  done < <(departed_services "$1")
}

# Print the services of the other models here that a model does not have.
departed_services() { # FILE
  local file
  for file in "$STARTED_MODEL" "$CURRENT_MODEL" "$NEXT_MODEL"; do
    [[ ! -s $file ]] || rendered_services "$file"
  done | awk -v names=" $(rendered_services "$1" | awk '{print $1}' | tr '\n' ' ') " -v init="$INIT_SERVICE" \
    '$1 != init && !index(names, " " $1 " ") && !seen[$1]++ {print $1}'
}
