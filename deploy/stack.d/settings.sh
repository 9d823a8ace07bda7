# ---- settings: variables of .env, and the services of the Compose files ----

# The variables that this script reads.
readonly SETTING_NAMES="COMPOSE_FILE COMPOSE_PROJECT_NAME REGISTRY STACK_INIT_SERVICE STACK_SERVICES STACK_PROBE_URL STACK_PROBE_SERVICE
  STACK_PROBE_VERSION STACK_PROBE_TIMEOUT STACK_PULL_TIMEOUT STACK_WAIT_TIMEOUT STACK_WATCH_SECONDS STACK_KEEP STACK_MIN_FREE_MB
  STACK_BACKUP STACK_BACKUP_KEEP STACK_BACKUP_SERVICE STACK_VERIFY STACK_TELEGRAM_CHAT STACK_TELEGRAM_API"

declare -A SETTINGS=() # their values, as Compose reads them from the environment and from .env

setting() { # NAME DEFAULT
  local value=${SETTINGS[$1]-}
  printf '%s' "${value:-$2}"
}

is_enabled() { # NAME DEFAULT
  local value
  value=$(setting "$1" "$2")
  [[ ${value,,} =~ ^(1|true|yes|on)$ ]]
}

# Print the Compose files that people have written, separated by colons: all but release.yml.
compose_files() {
  local files
  files=$(setting COMPOSE_FILE compose.yml)
  printf '%s' "${files%:release.yml}"
}

# Set SETTINGS; fail where Compose cannot read .env.
read_variables() {
  local variables name value
  # What Compose prints, without its warnings.
  # shellcheck disable=SC2086 # several names
  variables=$(compose_variables $SETTING_NAMES 2>/dev/null) || return 1
  while IFS=$'\t' read -r name value; do SETTINGS[$name]=$(json_text "$value"); done <<<"$variables"
}

# Set SETTINGS, MODEL, PROJECT, INIT_SERVICE, SERVICES and the lists of classify_services.
read_settings() {
  read_variables || end_unreadable compose_variables COMPOSE_FILE
  MODEL=$(compose_model 2>/dev/null) || end_unreadable compose_model
  PROJECT=$(awk -F '\t' '$1 == "name" {print $2}' <<<"$MODEL")
  INIT_SERVICE=$(setting STACK_INIT_SERVICE init)
  SERVICES=$(list_services)
  classify_services
}

# End the script because Compose cannot answer a question.
end_unreadable() { # COMMAND...
  # It reports every fault, where Compose reports the first.
  [[ -n $DOCKER_FAULT ]] || check_environment || true
  fail "$EXIT_USAGE" "Compose cannot read its files or .env: $("$@" 2>&1 >/dev/null || true)"
}

# Print a line for each service of the model: name, image (or -), replicas, restart policy (or -).
list_services() {
  awk -F '\t' '
    $1 != "services" {next}
    !($2 in image) {names[++count] = $2; image[$2] = restart[$2] = "-"; replicas[$2] = 1}
    NF == 4 && $3 == "image" {image[$2] = $4}
    NF == 4 && $3 == "restart" {restart[$2] = $4}
    NF == 4 && $3 == "scale" || NF == 5 && $3 == "deploy" && $4 == "replicas" {replicas[$2] = $NF}
    END {for (n = 1; n <= count; n++) print names[n], image[names[n]], replicas[names[n]], restart[names[n]]}' <<<"$MODEL"
}

service_column() { # SERVICE image|replicas|restart
  awk -v name="$1" -v column="$2" '$1 == name {print column == "image" ? $2 : column == "replicas" ? $3 : $4}' <<<"$SERVICES"
}

# Sort the services into RELEASED (their images make up a release), APPS (RELEASED without init) and
# INFRASTRUCTURE (everything else).
classify_services() {
  local registry services name image
  registry=$(setting REGISTRY "")
  services=$(setting STACK_SERVICES "")
  APPS=() INFRASTRUCTURE=() RELEASED=()
  while read -r name image _; do
    if [[ -n $services && " $services " == *" $name "* ]] ||
      [[ -z $services && -n $registry && $image == "$registry"/* ]]; then
      RELEASED+=("$name")
      [[ $name == "$INIT_SERVICE" ]] || APPS+=("$name")
    else
      INFRASTRUCTURE+=("$name")
    fi
  done <<<"$SERVICES"
  [[ " ${RELEASED[*]-} " == *" $INIT_SERVICE "* ]] ||
    fail "$EXIT_USAGE" "the service $INIT_SERVICE has no image from REGISTRY (services that have: ${RELEASED[*]:-none}); set REGISTRY, STACK_SERVICES or STACK_INIT_SERVICE in .env"
  [[ ${#APPS[@]} -gt 0 ]] ||
    fail "$EXIT_USAGE" "no service besides $INIT_SERVICE has an image from REGISTRY; set REGISTRY or STACK_SERVICES in .env"
}
