# ---- checks of ./stack doctor: the registry and what it has ----

# Check that the registry gives each image of a release, and each other image that is not here, without pulling any.
check_registry() {
  local name image output well=0
  for name in "${RELEASED[@]}" "${INFRASTRUCTURE[@]}"; do
    image=$(service_column "$name" image)
    if [[ " ${RELEASED[*]} " != *" $name "* ]] && docker image inspect "$image" >/dev/null 2>&1; then continue; fi
    if output=$(read_manifest "$image" 2>&1 >/dev/null); then
      well=$((well + 1))
    elif [[ -n $(docker info --format '{{.HTTPProxy}}{{.HTTPSProxy}}') ]]; then
      warning "$image cannot be read: ${output##*$'\n'}" "Docker itself goes through a proxy, and its client does not: set HTTPS_PROXY"
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
