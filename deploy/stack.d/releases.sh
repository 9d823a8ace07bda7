# ---- releases: from tags to digests, from digests to images on this server ----

# Find the release that the tags of compose.yml (or TAG, for every image) name in the registry now. Write it to
# releases/ID.yml and set RELEASE to its ID; else set REASON and DETAIL.
resolve_release() { # [TAG]
  local name reference digest lines=""
  for name in "${RELEASED[@]}"; do
    reference=$(service_column "$name" image)
    [[ -z ${1-} ]] || reference=$(repository_of "$reference"):$1
    digest=$(resolve_digest "$reference") ||
      { REASON="the registry does not give the image $reference" DETAIL=$digest && return 1; }
    lines+="  \"$name\":"$'\n'"    image: $(repository_of "$reference")@$digest # $reference"$'\n'
  done
  RELEASE=$(awk '/image:/ {print $2}' <<<"$lines" | sha256sum | cut -c 1-12)
  [[ -f $STATE/$RELEASE.yml ]] ||
    printf '# release %s\nservices:\n%s' "$RELEASE" "$lines" | write_file "$STATE/$RELEASE.yml" ||
    { REASON="$PWD/$STATE/$RELEASE.yml cannot be written" DETAIL="" && return 1; }
}

# Print the digest that the registry has for a reference; on failure, why there is none.
resolve_digest() { # REFERENCE
  local digest output
  digest=$(docker buildx imagetools inspect "$1" 2>/dev/null </dev/null | awk '/^Digest:/ {print $2; exit}') || true
  if [[ -z $digest ]]; then # no buildx, or a registry that only the daemon knows how to reach
    output=$(docker pull --quiet "$1" 2>&1 </dev/null) || { printf '%s' "${output##*$'\n'}" && return 1; }
    digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1" |
      awk -v repository="$(repository_of "$1")@" 'index($0, repository) == 1 {sub(".*@", ""); print; exit}')
  fi
  [[ -n $digest ]] && printf '%s' "$digest"
}

# Print a reference without its tag and digest.
repository_of() { # REFERENCE
  local name=${1%%@*}
  [[ ${name##*/} != *:* ]] || name=${name%:*}
  printf '%s' "$name"
}

# Print a line for each service of a release: name, image by digest, tag.
release_images() { # ID
  [[ -s $STATE/$1.yml ]] || return 0 # of an old release only the ID is left, in `blocked` and `history`
  awk '/^  [^ ]/ {name = $1; gsub(/[":]/, "", name)} /^    image: / {print name, $2, $4}' "$STATE/$1.yml"
}

release_image() { # ID SERVICE
  release_images "$1" | awk -v name="$2" '$1 == name {print $2}'
}

image_label() { # IMAGE NAME
  [[ -z $DOCKER_FAULT ]] || return 0
  docker image inspect --format "{{index .Config.Labels \"org.opencontainers.image.$2\"}}" "$1" 2>/dev/null || true
}

# Print the version of a release; nothing where its image is not here.
release_version() { # ID
  local image
  image=$(release_image "$1" "$(setting STACK_PROBE_SERVICE api)")
  [[ -z $image ]] || image_label "$image" version | tr -d '\000-\037'
}

# Print a release's version and ID: `1.2.0 (3f2a9c0d1e2b)`.
describe_release() { # ID
  local version
  version=$(release_version "$1")
  printf '%s' "${version:+$version }($1)"
}

# Pull the images of a release and give each a name of ours, so that no `docker image prune` removes it; else set
# REASON and DETAIL.
pull_release() { # ID
  local name image tag
  [[ -s $STATE/$1.yml ]] || { REASON="the release $1 is not known here" DETAIL="" && return 1; }
  REASON="the images of $(describe_release "$1") cannot be pulled"
  while read -r name image tag; do
    if ! docker image inspect "$image" >/dev/null 2>&1; then
      say "pulling $tag"
      DETAIL=$(docker pull --quiet "$image" 2>&1 </dev/null) || return 1
    fi
    DETAIL=$(docker tag "$image" "stack.local/$PROJECT/$name:$1" 2>&1) || return 1
  done < <(release_images "$1")
}
