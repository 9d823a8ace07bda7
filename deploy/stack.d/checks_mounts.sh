# ---- checks of ./stack doctor: what services mount, and whether their users can read it ----

# Tried in containers: which users they have on this machine depends on Docker (rootless, user namespaces).
check_mounts() {
  local name path image user drop paths well=yes
  while IFS=$'\t' read -r name path; do
    path=$(json_text "$path")
    [[ -e $path ]] || { well="" && fault "$path is not here, and $name mounts it" "bring it, or take it out of compose.yml"; }
  done < <(mounted_files | sort -u)
  while IFS=$'\t' read -r name user drop; do
    image=$(present_image "$name")
    [[ -n $image ]] || continue
    mapfile -t paths < <(mounted_paths "$name")
    [[ ${#paths[@]} -eq 0 ]] || try_to_read "$name" "$image" "$user" "$drop" "${paths[@]}" || well=""
  done < <(service_users)
  [[ -z $well ]] || ok "all of it is here, and the containers whose images are here can read it"
}

# Print the path of each file or folder that a service mounts and that is here; none has a line end in its name.
mounted_paths() { # SERVICE
  local name path
  mounted_files | sort -u | while IFS=$'\t' read -r name path; do
    path=$(json_text "$path")
    if [[ $name == "$1" && $path == /* && -e $path && $path != *$'\n'* ]]; then readlink -f "$path"; fi
  done
}

# Print `NAME<TAB>USER<TAB>DROP` for each service of the model: - is the user of the image, DROP is ALL where the
# service drops all capabilities.
service_users() {
  awk -F '\t' '
    $1 != "services" {next}
    !($2 in user) {user[$2] = drop[$2] = "-"}
    NF == 4 && $3 == "user" {user[$2] = $4}
    NF == 5 && $3 == "cap_drop" && $5 == "ALL" {drop[$2] = $5}
    END {for (name in user) print name FS user[name] FS drop[name]}' <<<"$MODEL" | sort
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
try_to_read() { # SERVICE IMAGE USER|- ALL|- PATH...
  local path number=0 output code=0 rest
  local -a options=() paths=("${@:5}")
  [[ $3 == - ]] || options+=(--user "$3")
  [[ $4 == - ]] || options+=(--cap-drop ALL)
  for path in "${paths[@]}"; do
    options+=(--mount "type=bind,\"source=${path//\"/\"\"}\",target=/mounted/$number,readonly")
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
    path=$(json_text "$path")
    [[ ! -e $path || $(stat -c %C "$path" 2>/dev/null) =~ :(container_file_t|container_ro_file_t|container_share_t|svirt_sandbox_file_t): ]] ||
      { well="" && fault "containers may not read $path" "chcon -R -t container_file_t $path; or write :z after the mount"; }
  done < <(unlabelled_mounts)
  [[ -z $well ]] || ok "is $mode, and containers may read what they mount"
}

# Print the paths that services mount, as JSON strings, but for those that Docker labels itself.
unlabelled_mounts() {
  local labelled
  labelled=$(awk -F '\t' '
    $1 == "services" && $3 == "volumes" && NF == 6 && $5 == "source" {source[$2 FS $4] = $6}
    $1 == "services" && $3 == "volumes" && NF == 7 && $6 == "selinux" {labelled[$2 FS $4]}
    END {for (mount in labelled) print source[mount]}' <<<"$MODEL")
  mounted_files | cut -f 2 | grep ^/ | sort -u | grep -vxF "$labelled" || true
}
