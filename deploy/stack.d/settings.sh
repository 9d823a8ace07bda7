# ---- settings: .env, as compose-init has checked it, and what Compose makes of the files ----

# Print the value of a variable of the environment or of .env.
setting() { # NAME DEFAULT
  local value=${!1-}
  if [[ -z $value && -f .env ]]; then
    value=$(sed -nE "s/^[[:space:]]*(export[[:space:]]+)?$1=//p" .env | tail -n 1)
    if [[ $value =~ ^\"([^\"]*)\" || $value =~ ^\'([^\']*)\' ]]; then
      value=${BASH_REMATCH[1]}
    else
      value=$(sed -E 's/[[:space:]]+(#.*)?$//' <<<"$value")
    fi
  fi
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

# Set PROJECT, INIT_SERVICE, SERVICES and the lists of classify_services.
read_settings() {
  local model
  if ! model=$(compose_base config 2>/dev/null); then # the model alone, without Compose's warnings
    check_environment                                 # reports every fault, where Compose reports the first
    die "$EXIT_USAGE" "Compose cannot read its files or .env: $(compose_base config 2>&1 >/dev/null || true)"
  fi
  PROJECT=$(sed -n 's/^name: //p;/^name: /q' <<<"$model")
  INIT_SERVICE=$(setting STACK_INIT_SERVICE init)
  SERVICES=$(list_services <<<"$model")
  classify_services
}

# Print a line for each service of `docker compose config`: name, image (or -), replicas, restart policy (or -).
list_services() {
  # `config` prints a normal form: two spaces before a service, four before its keys.
  tr -d '"' | awk '
    function print_service() { if (name != "") print name, image, replicas, restart; name = "" }
    /^[^ ]/ {print_service(); on = $1 == "services:"}
    on && /^  [^ ]/ {print_service(); name = $1; sub(/:$/, "", name); image = restart = "-"; replicas = 1}
    on && /^    [^ ]/ {section = $1}
    on && /^    image: / {image = $2}
    on && /^    restart: / {restart = $2}
    on && (/^    scale: / || section == "deploy:" && /^      replicas: /) {replicas = $2}
    END {print_service()}'
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
    die "$EXIT_USAGE" "the service $INIT_SERVICE has no image from REGISTRY (services that have: ${RELEASED[*]:-none}); set REGISTRY, STACK_SERVICES or STACK_INIT_SERVICE in .env"
  [[ ${#APPS[@]} -gt 0 ]] ||
    die "$EXIT_USAGE" "no service besides $INIT_SERVICE has an image from REGISTRY; set REGISTRY or STACK_SERVICES in .env"
}
