# ---- checks of ./stack doctor: the registry and what it has ----

# Check that the registry gives each image of a release, and each other image that is not here, without pulling any.
check_registry() {
  local name image output well=0
  for name in "${RELEASED[@]}" "${INFRASTRUCTURE[@]}"; do
    image=$(service_column "$name" image)
    if [[ " ${RELEASED[*]} " != *" $name "* ]] && docker image inspect "$image" >/dev/null 2>&1; then continue; fi
    if output=$(read_manifest "$image" 2>&1 >/dev/null); then
      well=$((well + 1))
    elif uses_proxy; then
      warning "$image cannot be read: ${output##*$'\n'}" "Docker may reach it through its proxy all the same; set HTTPS_PROXY for its client, too"
    else
      fault "$image cannot be read: ${output##*$'\n'}" "docker login $(registry_host), as the user who deploys; is the tag published?"
    fi
  done
  ((well == 0)) || ok "it gives $well images"
}

# Print the manifest of an image in the registry. The second way knows registries without TLS, too.
read_manifest() { # REFERENCE
  timeout 60 docker buildx imagetools inspect "$1" 2>/dev/null || timeout 60 docker manifest inspect --insecure "$1"
}

# Check that this machine can run the images in the registry, and that they say of themselves what a deploy asks.
check_images() {
  local name image config missing label well=yes
  for name in "${RELEASED[@]}"; do
    image=$(service_column "$name" image)
    config=$(published_config "$image")
    [[ -n $config ]] || continue # a fault of the registry, which has a line of its own
    check_architecture "$image" "$config" || { well="" && continue; }
    missing=""
    for label in version revision created $([[ $name != "$INIT_SERVICE" ]] || echo base.digest); do
      grep -q $'\t'"org.opencontainers.image.$label"$'\t.' <<<"$config" || missing+=", $label"
    done
    [[ -z $missing ]] || { well="" && warning "$image has no label ${missing#, }, by which a deploy knows what it gets" "set org.opencontainers.image.NAME where it is built: docs/publishing.md"; }
  done
  [[ -z $well ]] || ok "they are for this machine, and have the labels that a deploy asks for"
}

# Print the lines of what an image says of itself in the registry, for each platform that it is for.
published_config() { # REFERENCE
  timeout 60 docker buildx imagetools inspect --format '{{json .Image}}' "$1" 2>/dev/null | json_lines || true
}

check_architecture() { # REFERENCE CONFIG
  local here found
  here=$(docker version --format '{{.Server.Arch}}')
  found=$(awk -F '\t' '$(NF - 1) == "architecture" && NF <= 3 && $NF != "unknown" {print $NF}' <<<"$2" | sort -u | tr '\n' ' ')
  [[ -n $found && " $found" != *" $here "* ]] || return 0
  ! compgen -G '/proc/sys/fs/binfmt_misc/qemu-*' >/dev/null || return 0 # it can be emulated
  fault "$1 is for ${found% }, and this machine is $here" "publish it for $here too"
  return 1
}

# Verify the signatures of the images that the tags name now, without pulling any of them.
check_signatures() {
  [[ -n $(setting STACK_VERIFY "") ]] || { ok "none is asked for: STACK_VERIFY is not set" && return; }
  docker buildx version >/dev/null 2>&1 || { finding skipped "there is no buildx, and without it only a pulled image can be verified" && return; }
  resolve_release || { finding skipped "$(full_reason)" && return; }
  if verify_signatures "$RELEASE" >/dev/null; then
    ok "STACK_VERIFY accepts the images in the registry"
  else
    fault "$(full_reason)" "find out who pushed it; sign it, or correct STACK_VERIFY"
  fi
}
