# ---- configuration: what a deploy brings besides the images ----

# Print a hash of all that Compose would use: its model, in which env files are resolved, the variables of .env, and
# the contents of the files that services mount. Fail where one of them cannot be read.
configuration_hash() {
  local model variables files
  model=$(compose_base config) || return 1
  variables=$(sed -E '/^[[:space:]]*(#|$|(export[[:space:]]+)?STACK_)/d' .env) || return 1
  files=$(mounted_files <<<"$model" | cut -d ' ' -f 2- | sort -u | hash_files) || return 1
  printf '%s\n' "$model" "$variables" "$files" | sha256sum | cut -c 1-12
}

# Print a hash of the files that a service mounts, from `docker compose config`; nothing where it mounts none.
mounts_hash() { # SERVICE
  local hashes
  hashes=$(mounted_files | sed -n "s/^$1 //p" | hash_files) || return 1
  [[ -z $hashes ]] || sha256sum <<<"$hashes" | cut -c 1-12
}

# Print `SERVICE PATH` for each config, secret and read-only mount of `docker compose config`, and the folder seeds/.
# What a service can write is data. Outside of this folder, only what init mounts can be seeds.
mounted_files() {
  awk -v init="$INIT_SERVICE" -v here="$PWD/" '
    function rest(key) { sub("^ *(- )?" key ": ", ""); gsub(/^["\047]|["\047]$/, ""); return $0 }
    /^[^ ]/ {top = $1}
    /^  [^ ]/ {name = $1; gsub(/[:"\047]/, "", name)}
    /^    [^ ]/ {section = $1}
    top == "services:" && section == "volumes:" && /^      - type: / {type = $3}
    top == "services:" && section == "volumes:" && /^        source: / {source = rest("source")}
    top == "services:" && section == "volumes:" && /^        read_only: true/ && type == "bind" {
      if (name == init || index(source "/", here) == 1) print name, source
    }
    top == "services:" && section ~ /^(configs|secrets):$/ && /^      - source: / {uses[name " " section rest("source")]}
    top ~ /^(configs|secrets):$/ && /^    file: / {file[top name] = rest("file")}
    END {for (use in uses) {split(use, part, " "); if (part[2] in file) print part[1], file[part[2]]}}'
  [[ ! -e seeds ]] || echo "$INIT_SERVICE $PWD/seeds"
}

# Print the hash of each file at or below the paths on stdin, behind links too; not of what this script writes.
hash_files() {
  local path
  while IFS= read -r path; do
    [[ -e $path ]] || continue
    find -L "$path" \( -path "$PWD/$STATE" -o -path "$PWD/backups" -o -path "$PWD/release.yml*" \) -prune \
      -o -type f -exec sha256sum {} + || return 1
  done | sort -k 2
}

# Print the Compose file of a release as it is started: with a label that has a hash of what a service mounts, so that
# Compose replaces its containers when a file has changed.
started_file() { # ID
  local model line hash
  model=$(compose_base config) || return 1
  while IFS= read -r line; do
    printf '%s\n' "$line"
    [[ $line =~ ^\ \ ([^ ]+):$ && ${BASH_REMATCH[1]} != "$INIT_SERVICE" ]] || continue
    hash=$(mounts_hash "${BASH_REMATCH[1]}" <<<"$model") || return 1
    [[ -z $hash ]] || printf '    labels: {stack.mounts: "%s"}\n' "$hash"
  done <"$STATE/$1.yml"
}
