# ---- checks of ./stack doctor: what services mount, and whether their users can read it ----

# Tried in containers: which users they have on this machine depends on Docker (rootless, user namespaces).
check_mounts() {
  local model name image user drop paths well=yes
  model=$(compose_base config)
  while read -r name image; do
    [[ -e $image ]] || { well="" && fault "$image is not here, and $name mounts it" "bring it, or take it out of compose.yml"; }
  done < <(mounted_files <<<"$model" | sort -u)
  while read -r name user drop; do
    image=$(present_image "$name")
    [[ -n $image ]] || continue
    mapfile -t paths < <(mounted_files <<<"$model" | sed -n "s/^$name //p" | sort -u)
    [[ ${#paths[@]} -gt 0 ]] || continue
    try_to_read "$name" "$image" "$user" "$drop" "${paths[@]}" || well=""
  done < <(service_users <<<"$model")
  [[ -z $well ]] || ok "all of it is here, and the containers whose images are here can read it"
}

# Print `NAME USER DROP` for each service of `docker compose config`: - is the user of the image, DROP is `all`
# where the service drops all capabilities.
service_users() {
  tr -d '"' | awk '
    function print_service() { if (name != "") print name, user, drop; name = "" }
    /^[^ ]/ {print_service(); on = $1 == "services:"}
    on && /^  [^ ]/ {print_service(); name = $1; sub(/:$/, "", name); user = drop = "-"}
    on && /^    [^ ]/ {section = $1}
    on && /^    user: / {user = $2}
    on && section == "cap_drop:" && /^      - ALL/ {drop = "all"}
    END {print_service()}'
}

# Print the image of a service, where it is here.
present_image() { # SERVICE
  local image
  image=$(release_image "$(current_release)" "$1")
  [[ -n $image ]] || image=$(service_column "$1" image)
  ! docker image inspect "$image" >/dev/null 2>&1 || printf '%s' "$image"
}

# shellcheck disable=SC2016 # the variables of the container's shell
readonly LIST_UNREADABLE='find /mounted/* -exec sh -c '\''
  for path; do if ! [ -r "$path" ] || { [ -d "$path" ] && ! [ -x "$path" ]; }; then echo "$path"; fi; done'\'' sh {} + 2>/dev/null; true'

# Print a fault for what the user of a service cannot read, and return 1.
try_to_read() { # SERVICE IMAGE USER|- all|- PATH...
  local path number=0 output code=0 rest
  local -a options=() paths=("${@:5}")
  [[ $3 == - ]] || options+=(--user "$3")
  [[ $4 == - ]] || options+=(--cap-drop ALL)
  for path in "${paths[@]}"; do
    [[ ! -e $path ]] || options+=(--mount "type=bind,\"source=${path//\"/\"\"}\",target=/mounted/$number,readonly")
    number=$((number + 1))
  done
  # Labels are the matter of another check.
  output=$(timeout 60 docker run --rm --network none --security-opt label=disable --entrypoint sh "${options[@]}" "$2" \
    -c "$LIST_UNREADABLE" 2>&1) || code=$?
  ((code != 126 && code != 127)) || return 0 # an image without a shell; nobody can try
  if ((code != 0)); then warning "$1 could not be tried: ${output##*$'\n'}" "docker run $2" && return 1; fi
  [[ -n $output ]] || return 0
  while IFS= read -r path; do
    rest=${path#/mounted/}
    number=${rest%%/*}
    path=${paths[number]}${rest#"$number"}
    fault "$1 cannot read $path, as $(if [[ $3 == - ]]; then echo "the user of its image"; else echo "user $3"; fi)" \
      "chmod o+rX $path; a folder around it may stay closed"
  done < <(head -n 3 <<<"$output")
  return 1
}

# Check that the labels let containers read what services mount: Docker sets a label only where `z` is written.
check_selinux() {
  local path mode well=yes
  mode=$(getenforce 2>/dev/null) || { ok "is not on this machine" && return; }
  [[ $mode == Enforcing ]] || { ok "is $mode" && return; }
  [[ $(docker info --format '{{.SecurityOptions}}') == *name=selinux* ]] ||
    { ok "is $mode, and Docker does not use it for containers" && return; }
  while IFS= read -r path; do
    [[ $(stat -c %C "$path" 2>/dev/null) =~ :(container_file_t|container_ro_file_t|container_share_t|svirt_sandbox_file_t): ]] ||
      { well="" && fault "containers may not read $path" "chcon -R -t container_file_t $path; or write :z after the mount"; }
  done < <(unlabelled_mounts < <(compose_base config))
  [[ -z $well ]] || ok "is $mode, and containers may read what they mount"
}

# Print the paths that services mount, but for those that Docker labels itself, from `docker compose config`.
unlabelled_mounts() {
  local model labelled
  model=$(cat)
  labelled=$(awk '/^        source: / {sub("^ *source: ", ""); source = $0} /^          selinux: / {print source}' <<<"$model")
  mounted_files <<<"$model" | cut -d ' ' -f 2- | sort -u | while IFS= read -r path; do
    [[ ! -e $path ]] || grep -qxF "$path" <<<"$labelled" || printf '%s\n' "$path"
  done
}
