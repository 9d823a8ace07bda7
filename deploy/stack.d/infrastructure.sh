# ---- infrastructure: PostgreSQL, Redis and whatever else is not part of a release ----

INFRASTRUCTURE_IMAGES=""   # the images of a deploy: the lines of ID.infrastructure
INFRASTRUCTURE_REPLACED="" # yes once this run has replaced a container of them
UPDATE=""                  # yes where a person asked for the images that the registry has now

# Set INFRASTRUCTURE_IMAGES: for each service the image that was seen to work under the same reference, and else what
# the reference names now. A tag that has moved changes nothing. Else set REASON and DETAIL.
choose_infrastructure() { # ID
  local name reference image lines=""
  for name in "${INFRASTRUCTURE[@]}"; do
    reference=$(service_column "$name" image)
    [[ $reference != - ]] || continue # Compose builds it, and gives it a name
    image=""
    [[ -n $UPDATE ]] || image=$(recorded_image "$name" "$reference" "$1")
    if [[ -n $image ]]; then
      have_image "$image" "$name" "$reference" || return 1
      keep_image "$name" "$image"
    else
      take_image "$name" "$reference" || return 1
      keep_image "$name" "$reference"
      image=$(image_name "$name" "$reference")
    fi
    lines+="$name $image $reference"$'\n'
  done
  INFRASTRUCTURE_IMAGES=$lines
}

# Print the image that a service had under a reference when a release was seen to work: in a rollback the release that
# it leads to, else the current one.
recorded_image() { # SERVICE REFERENCE ID
  local id
  for id in $([[ $EVENT != rollback ]] || echo "$3") $(current_release); do
    recorded_infrastructure "$id" | awk -v name="$1" -v reference="$2" '$1 == name && $3 == reference {print $2}'
  done | head -n 1
}

# See that a recorded image is on this server.
have_image() { # IMAGE SERVICE REFERENCE
  ! docker image inspect "$1" >/dev/null 2>&1 || return 0
  REASON="the image of $2 that was seen to work is not on this server any more; ./stack deploy --update takes the one that $3 names now"
  DETAIL=$(docker pull --quiet "$1" 2>&1 </dev/null)
}

# See that the image of a reference is on this server: that of the registry, where it is missing or UPDATE is set. What
# the Compose files build here is in no registry.
take_image() { # SERVICE REFERENCE
  REASON="the image $2 of $1 cannot be pulled"
  if [[ -n $UPDATE ]] && ! is_built_here "$1" || ! docker image inspect "$2" >/dev/null 2>&1; then
    say "pulling $2"
    DETAIL=$(docker pull --quiet "$2" 2>&1 </dev/null)
  fi
}

is_built_here() { # SERVICE
  awk -F '\t' -v name="$1" '$1 == "services" && $2 == name && $3 == "build" {found = 1} END {exit !found}' <<<"$MODEL"
}

# Print a name of a local image that no tag moves: by digest, or by its ID where no registry has it.
image_name() { # SERVICE REFERENCE
  local digest
  digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$2" |
    awk -v repository="$(familiar_repository "$2")@" 'index($0, repository) == 1 {print; exit}')
  printf '%s' "${digest:-$(kept_name "$1" "$2")}"
}

# Print the repository of a reference as Docker prints it: `postgres` for docker.io/library/postgres:16.
familiar_repository() { # REFERENCE
  local repository
  repository=$(repository_of "$1")
  repository=${repository#docker.io/}
  printf '%s' "${repository#library/}"
}

# Give an image a name of ours, so that no `docker image prune` removes it.
keep_image() { docker tag "$2" "$(kept_name "$1" "$2")"; } # SERVICE IMAGE

kept_name() { # SERVICE IMAGE
  local id
  id=$(docker image inspect --format '{{.Id}}' "$2")
  printf 'stack.local/%s/%s:%s' "$PROJECT" "$1" "$(cut -c 8-19 <<<"$id")"
}

# Start the infrastructure of a rendered model, or replace it where the model is another; else set REASON. A container
# that Compose leaves as it is goes on.
start_infrastructure() { # FILE ID
  local before faults since names
  mapfile -t names < <(rendered_names "$1" "$2" infrastructure)
  before=$(infrastructure_containers "${names[@]}") since=$(date +%s)
  stop_departed "$1"
  if compose_up "$1" "${names[@]}" && faults=$(infrastructure_faults "$1" "$since" "${names[@]}"); then
    REASON=""
  else
    faults=$(infrastructure_faults "$1" "$since" "${names[@]}") || true
    REASON="${names[*]}: not healthy${faults:+: ${faults//$'\n'/; }}"
    compose_rendered "$1" --ansi never logs --no-color --tail 20 "${names[@]}" 2>&1 | sed "s/^/$TO_STDERR    /" >&2 || true
  fi
  [[ $(infrastructure_containers "${names[@]}") == "$before" ]] || INFRASTRUCTURE_REPLACED=yes
  [[ -z $REASON ]]
}

infrastructure_containers() { # SERVICE...
  local name
  for name in "$@"; do service_containers "$name" --all; done
}

# Print what is wrong with services of a rendered model.
infrastructure_faults() { # FILE SINCE SERVICE...
  local rows faults SERVICES
  SERVICES=$(rendered_services "$1")
  rows=$(list_containers) || { echo "Docker does not list the containers" && return 1; }
  faults=$(for name in "${@:3}"; do
    service_faults "$name" "$(service_column "$name" image)" "$2" <<<"$rows" | sort -u
  done)
  printf '%s' "$faults"
  [[ -z $faults ]]
}

# Remove the images of a release's infrastructure, where no other release has them.
prune_infrastructure() { # ID
  local name image lines
  lines=$(recorded_infrastructure "$1")
  rm -f "$STATE/$1.infrastructure"
  while read -r name image _; do
    if [[ -n $name ]] && ! grep -qsF "$name $image " "$STATE"/*.infrastructure; then
      docker image rm "$(kept_name "$name" "$image" 2>/dev/null)" >/dev/null 2>&1 || true
      # Another stack on this server may have the same image.
      [[ $(docker image inspect --format '{{len .RepoTags}}' "$image" 2>/dev/null) != 0 ]] ||
        docker image rm "$image" >/dev/null 2>&1 || true
    fi
  done <<<"$lines"
}
