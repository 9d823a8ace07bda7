# ---- ./stack status --output json ----

print_status_json() {
  json_object project "$(json_string "$PROJECT")" folder "$(json_string "$PWD")" host "$(json_string "$(uname -n)")" \
    time "$(json_string "$(timestamp)")" exit_code "$(status_code)" \
    fault "$(json_value "$SETTINGS_FAULT")" docker_fault "$(json_value "$DOCKER_FAULT")" \
    healthy "$(case $HEALTHY in yes) echo true ;; no) echo false ;; *) echo null ;; esac)" \
    unhealthy "$(json_records unhealthy_json "$UNHEALTHY")" \
    current "$(current_json)" previous "$(previous_json)" started "$(json_value "$STARTED")" \
    in_progress "$(if [[ -n $IN_PROGRESS ]]; then echo true; else echo false; fi)" \
    blocked "$(json_records blocked_json "$BLOCKED")" \
    alert "$(alert_json)" unsent_alerts "$UNSENT_ALERTS" refused_alerts "$REFUSED_ALERTS" \
    backup "$(backup_json)" timer "$(timer_json)" \
    runs "$(json_records run_json "$RUNS")"
  echo
}

# Print the array of what a function prints for each line of records.
json_records() { # FUNCTION RECORDS
  local line
  local -a elements=()
  if [[ -n $2 ]]; then
    while IFS= read -r line; do elements+=("$("$1" <<<"$line")"); done <<<"$2"
  fi
  json_array "${elements[@]}"
}

unhealthy_json() {
  local name fault reason
  IFS=$US read -r name fault reason
  json_object service "$(json_string "$name")" fault "$(json_string "$fault")" reason "$(json_value "$reason")"
}

current_json() {
  if [[ -z $CURRENT ]]; then printf null && return; fi
  json_object id "$(json_string "$CURRENT")" version "$(json_value "$CURRENT_VERSION")" since "$(json_value "$SINCE")" \
    images "$(json_records image_json "$IMAGES")"
}

image_json() {
  local name image tag version
  IFS=$US read -r name image tag version
  json_object service "$(json_string "$name")" version "$(json_value "$version")" image "$(json_string "$image")" \
    tag "$(json_string "$tag")"
}

previous_json() {
  if [[ -z $PREVIOUS ]]; then printf null && return; fi
  json_object id "$(json_string "$PREVIOUS")" version "$(json_value "$PREVIOUS_VERSION")"
}

blocked_json() {
  local id since version reason
  IFS=$US read -r id since version reason
  json_object id "$(json_string "$id")" version "$(json_value "$version")" since "$(json_string "$since")" \
    reason "$(json_string "$reason")"
}

alert_json() {
  if [[ -z $OPEN_ALERT ]]; then printf null && return; fi
  json_object text "$(json_string "$OPEN_ALERT")" sent "$(json_string "$SENT")"
}

backup_json() {
  if [[ -z $BACKUP ]]; then printf null && return; fi
  json_object file "$(json_string "$BACKUP")" time "$(json_string "$BACKUP_TIME")" bytes "$BACKUP_BYTES"
}

timer_json() {
  if [[ -z $TIMER ]]; then printf null && return; fi
  json_object name "$(json_string "$TIMER")" next "$(json_value "$NEXT_RUN")"
}

run_json() {
  local time event result id message
  read -r time event result id message
  json_object time "$(json_string "$time")" event "$(json_string "$event")" result "$(json_string "$result")" \
    release "$(json_string "$id")" message "$(json_string "$message")"
}
