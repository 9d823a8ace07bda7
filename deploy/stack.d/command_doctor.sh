# ---- ./stack doctor: everything that can be known before a deploy needs it ----

# One row for each check: NAME NEEDS TOPIC. check_NAME makes it, and prints by `ok`, `warning` and `fault` what it
# found. NEEDS is what it cannot do without, - for nothing: docker (it answers), model (Compose can read its files),
# folder (`install` was here), release (one was deployed), image (an init image is here that can work).
readonly CHECKS='programs - programs
docker - Docker
compose - Compose
files - files
disk - disk
settings - settings
installation docker,model installation
data docker,model,folder data
database docker,model,release database
env docker,model,image .env and secrets
mounts docker,model mounts
selinux docker,model SELinux
clock model clock
dns docker,model names
ports docker,model ports
registry docker,model registry
images docker,model images
signatures docker,model,folder signatures
timer model timer
backup model backup
alerts model alerts
history model,folder last runs'

command_doctor() { # [--alert]
  [[ $# -eq 0 || $* == --alert ]] || die "$EXIT_USAGE" "doctor accepts only --alert, found $*"
  run_checks
  [[ $# -eq 0 ]] || send_test_alert
  print_counts
  ((FAULTS == 0)) || exit "$EXIT_USAGE"
}

# Make every check, print what each has found, and set FAULTS and WARNINGS to their numbers.
run_checks() {
  local name needs missing said
  FAULTS=0 WARNINGS=0
  bound_docker
  DOCKER_FAULT=$(docker_fault)
  collect_settings
  while read -r name needs TOPIC; do
    missing=$(first_missing "$needs")
    if [[ -n $missing ]]; then said=$(finding skipped "$missing"); else said=$(run_check "$name"); fi
    printf '%s\n' "$said"
    FAULTS=$((FAULTS + $(grep -c '^fault ' <<<"$said" || true)))
    WARNINGS=$((WARNINGS + $(grep -c '^warning ' <<<"$said" || true)))
  done <<<"$CHECKS"
}

print_counts() { printf 'faults: %d, warnings: %d\n' "$FAULTS" "$WARNINGS"; }

# Make one check. Whatever ends it early is a fault too, and ends no other check.
run_check() { # NAME
  trap - ERR
  trap 'end_check $?' EXIT
  set -e
  "check_$1" 2>&1 </dev/null
}

end_check() { # CODE
  (($1 == 0)) || fault "this could not be checked to its end (exit code $1)" "read the lines before this one"
  exit 0
}

# Print why a check cannot be made; nothing where it can.
first_missing() { # NEEDS
  case ",$1," in
    *,docker,*) [[ -z $DOCKER_FAULT ]] || { echo "Docker does not answer" && return; } ;;&
    *,model,*) [[ -z $SETTINGS_FAULT ]] || { echo "the settings cannot be read" && return; } ;;&
    *,folder,*) [[ -d $STATE ]] || { echo "./stack install was not here yet" && return; } ;;&
    *,release,*) [[ -n $(current_release) ]] || { echo "no release is deployed here" && return; } ;;&
    *,image,*) [[ -n $(tool_images) ]] || { echo "no init image is on this server yet" && return; } ;;
  esac
}

# Print what a check has found, and how to fix it on a line of its own.
finding() { # MARK TEXT [REMEDY]
  printf '%-8s %s: %s\n' "$1" "$TOPIC" "${2//$'\n'/; }"
  [[ -z ${3-} ]] || printf '%-8s %s\n' "" "-> $3"
}

ok() { finding ok "$1"; }           # TEXT
warning() { finding warning "$@"; } # TEXT REMEDY
fault() { finding fault "$@"; }     # TEXT REMEDY
