# ---- configuration: what a deploy brings besides the images ----

# Print a hash of all that Compose would use: its model, in which env files are resolved, the variables that are given
# to services as secrets or configs, and the contents of the files that services mount. Fail where one cannot be read.
configuration_hash() {
  local variables files
  variables=$(mounted_variables) || return 1
  files=$(mounted_files | cut -f 2 | sort -u | hash_files) || return 1
  printf '%s\n' "$MODEL" "$variables" "$files" | sha256sum | cut -c 1-12
}

# Print the variables that are secrets or configs of services: the model has only their names.
mounted_variables() {
  local names
  names=$(awk -F '\t' '$1 ~ /^(configs|secrets)$/ && NF == 4 && $3 == "environment" {print $4}' <<<"$MODEL" | sort -u)
  # shellcheck disable=SC2086 # several names
  [[ -z $names ]] || compose_variables $names
}

# Print a hash of the files that a service mounts; nothing where it mounts none.
mounts_hash() { # SERVICE
  local hashes
  hashes=$(mounted_files | awk -F '\t' -v name="$1" '$1 == name {print $2}' | hash_files) || return 1
  [[ -z $hashes ]] || sha256sum <<<"$hashes" | cut -c 1-12
}

# Print `SERVICE<TAB>PATH` for each config, secret and read-only mount of the model, and for the folder seeds/; PATH is
# a JSON string. What a service can write is data. Outside of this folder, only what init mounts can be seeds.
mounted_files() {
  local service path
  while IFS=$'\t' read -r service path; do
    [[ $service != "$INIT_SERVICE" && $(json_text "$path")/ != "$PWD"/* ]] || printf '%s\t%s\n' "$service" "$path"
  done < <(awk -F '\t' '
    $1 == "services" && $3 == "volumes" && NF == 6 {mounts[$2 FS $4]; value[$2 FS $4 FS $5] = $6}
    END {
      for (mount in mounts) if (value[mount FS "type"] == "bind" && value[mount FS "read_only"] == "true") {
        split(mount, part, FS)
        print part[1] FS value[mount FS "source"]
      }
    }' <<<"$MODEL")
  awk -F '\t' '
    $1 == "services" && $3 ~ /^(configs|secrets)$/ && NF == 6 && $5 == "source" {uses[$2 FS $3 FS $6]}
    $1 ~ /^(configs|secrets)$/ && NF == 4 && $3 == "file" {file[$1 FS $2] = $4}
    END {for (use in uses) {split(use, part, FS); if (part[2] FS part[3] in file) print part[1] FS file[part[2] FS part[3]]}}' <<<"$MODEL"
  [[ ! -e seeds ]] || printf '%s\tseeds\n' "$INIT_SERVICE"
}

# Print the hash of each file at or below the paths on stdin, behind links too; not of what this script writes. A path
# is a JSON string.
hash_files() {
  local path
  while IFS= read -r path; do
    path=$(json_text "$path")
    [[ -e $path ]] || continue
    find -L "$path" \( -path "$PWD/$STATE" -o -path "$PWD/backups" -o -path "$PWD/release.yml*" \) -prune \
      -o -type f -exec sha256sum {} + || return 1
  done | sort -k 2
}

# Print the Compose file of a release as it is started: with the images of the infrastructure, and a label that has a hash
# of what a service of the release mounts, so that Compose replaces its containers when a file has changed.
started_file() { # ID
  local line hash name image reference
  while IFS= read -r line; do
    printf '%s\n' "$line"
    [[ $line =~ ^\ \ \"?([^\ \"]+)\"?:$ && ${BASH_REMATCH[1]} != "$INIT_SERVICE" ]] || continue
    hash=$(mounts_hash "${BASH_REMATCH[1]}") || return 1
    [[ -z $hash ]] || printf '    labels: {stack.mounts: "%s"}\n' "$hash"
  done <"$STATE/$1.yml"
  while read -r name image reference; do
    [[ -z $name ]] || printf '  "%s":\n    image: %s # %s\n' "$name" "$image" "$reference"
  done <<<"$INFRASTRUCTURE_IMAGES"
}
