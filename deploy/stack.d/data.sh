# ---- data: the volumes and folders that services write ----
#
# A row is `SERVICE<TAB>TARGET<TAB>SOURCE`, in the strings of the model. SOURCE is `volume NAME`, as Docker knows it,
# `bind PATH`, or `anonymous`. A path in this folder begins with a dot, so that the folder can be moved.

# End the script where a service would not have the data that it had before. A volume that was renamed is an empty one,
# and an empty database would be migrated and seeded as a new one.
refuse_lost_data() {
  local lost
  lost=$(lost_data)
  [[ -n $lost ]] || return 0
  lost=${lost//$'\n'/; }
  if [[ -n $NEW_DATA ]]; then
    say "as --new-data says: $lost"
  else
    fail_unchanged "$EXIT_USAGE" "this installation would no longer have its data: $lost. Change that back; or, if the services are to begin with what they find there, run ./stack deploy --new-data"
  fi
}

# Print a line for people for each row of data that a service would no longer have.
lost_data() {
  local why service target source
  while IFS=$'\t' read -r why service target source; do
    echo "$service has $(describe_source "$source") at $(json_text "$target"), $(
      if [[ $why == gone ]]; then
        echo "which does not exist any more, and would have an empty one"
      else
        echo "and would have $(describe_source "$(new_source "$service" "$target")") there"
      fi
    )"
  done < <(lost_rows)
}

# Print `replaced<TAB>ROW` or `gone<TAB>ROW` for the known rows that the model lacks, or whose volume does not exist. A
# service that was only taken out of the model, as by a profile, leaves its data; where another one comes with data of
# its own, it may be the same service under another name. Where a person has replaced the container already, what runs
# is the data, and the database is asked whose it is.
lost_rows() {
  awk -F '\t' '
    function without_subpath(row,   part, word) {
      split(row, part, FS)
      split(part[3], word, " ")
      return word[1] == "volume" ? part[1] FS part[2] FS word[1] " " word[2] : row
    }
    list == "services" {services[$1]}
    list == "volumes" {volumes[$1]}
    list == "running" {runs[$1]; running[$0]}
    list == "known" {known[++count] = $0; is_known[$0]}
    list == "model" {model[$0]; mounted[$2 FS $3]; if (!($0 in is_known)) is_new = 1}
    END {
      for (n = 1; n <= count; n++) {
        split(known[n], part, FS)
        split(part[3], word, " ")
        is_kept = part[1] in services ? known[n] in model : (part[2] FS part[3]) in mounted || !is_new
        if (!is_kept && (!(part[1] in runs) || without_subpath(known[n]) in running)) print "replaced" FS known[n]
        else if (part[1] in services && known[n] in model && word[1] == "volume" && !(word[2] in volumes)) print "gone" FS known[n]
      }
    }' list=services <(cut -d ' ' -f 1 <<<"$SERVICES") list=volumes <(docker volume ls --quiet) \
    list=running <(container_data running) list=known <(known_data) list=model <(model_data)
}

# Print the source that the model has at a place of a service.
new_source() { # SERVICE TARGET
  model_data | TARGET=$2 awk -F '\t' -v name="$1" '$1 == name && $2 == ENVIRON["TARGET"] {print $3}'
}

describe_source() { # SOURCE
  case $1 in
    "volume "*) echo "the volume ${1#volume }" ;;
    "bind "*) echo "the folder $(json_text "${1#bind }")" ;;
    anonymous) echo "a new volume without a name" ;;
    *) echo "no volume" ;;
  esac
}

# Print the rows of the last release that worked; from before they were recorded, those of the containers.
known_data() {
  if [[ -f $STATE/installation ]]; then
    recorded_data
  elif [[ -n $(current_release) ]]; then
    container_data
  fi
}

# Print the rows of what Compose would start.
model_data() {
  awk -F '\t' '
    $1 == "volumes" && NF == 4 && $3 == "name" {volume[$2] = $4}
    $1 == "services" && $3 == "volumes" && NF == 6 {mounts[$2 FS $4]; value[$2 FS $4 FS $5] = $6}
    $1 == "services" && $3 == "volumes" && NF == 7 && $6 == "subpath" {subpath[$2 FS $4] = " " $7}
    END {
      for (mount in mounts) {
        split(mount, part, FS)
        source = value[mount FS "source"]
        type = value[mount FS "type"]
        if (value[mount FS "read_only"] == "true") continue
        if (type == "volume") source = source == "" ? "anonymous" : "volume " volume[source] subpath[mount]
        else if (type == "bind") source = "bind " source
        else continue
        print part[1] FS value[mount FS "target"] FS source
      }
    }' <<<"$MODEL" | with_relative_paths
}

# Print the rows of what the containers of this project have mounted; with `running`, also a row for each that runs.
container_data() { # [running]
  local ids
  ids=$(docker ps ${1:+--filter status=running} --all --quiet --filter "label=com.docker.compose.project=$PROJECT" \
    --filter label=com.docker.compose.oneoff=False)
  [[ -n $ids ]] || return 0
  # shellcheck disable=SC2086 # several IDs
  docker inspect $ids | json_lines | awk -F '\t' -v running="${1-}" '
    {gsub(/\$/, "$$")}
    $2 == "Config" && $3 == "Labels" && $4 == "com.docker.compose.service" {service[$1] = $5}
    $2 == "Mounts" && NF == 5 {mounts[$1 FS $3]; value[$1 FS $3 FS $4] = $5}
    END {
      if (running) for (id in service) print service[id]
      for (mount in mounts) {
        split(mount, part, FS)
        type = value[mount FS "Type"]
        if (value[mount FS "RW"] == "false" || type !~ /^(volume|bind)$/) continue
        print service[part[1]] FS value[mount FS "Destination"] FS type " " value[mount FS (type == "bind" ? "Source" : "Name")]
      }
    }' | with_relative_paths
}

with_relative_paths() {
  HERE="bind $(compose_string "$PWD")" awk -F '\t' -v OFS='\t' '
    index($3 "/", ENVIRON["HERE"] "/") == 1 {$3 = "bind ." substr($3, length(ENVIRON["HERE"]) + 1)}
    {print}'
}
