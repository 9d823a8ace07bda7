# ---- commands ----

# One row for each form of a command: how it is called | what it does. command_NAME runs it.
COMMANDS='install [--no-timer] | check Docker, .env and secrets, prepare this folder and start the timer
doctor [--alert] | check everything that a deploy needs, and say how to fix what is not right; change nothing
deploy | deploy what the registry has now; init runs first, while the old containers serve
deploy --older | the same, also if the registry has an older release than has worked here
deploy --incomplete | the same, also if the images in the registry do not belong together
deploy --new-data | the same, where volumes or the database are meant to be others than before
deploy --update | the same, and take the images of PostgreSQL, Redis and the like that the registry has now
deploy --timer | the same, for a timer: a blocked release is not tried again
deploy --push | the same as --timer; exit code 1 if the release in the registry was left alone
rollback [TAG] | return to the previous release, or to TAG; the registry may be unreachable
plan | show what a deploy would change: images, schema, data; change nothing
status [--output json] | show what serves since when, what is blocked and why, alerts, backup, timer
logs [SERVICE...] | show the logs of services; of init, its last run; of deploy, what deploys and rollbacks printed'

EXIT_CODES='0 | done, or nothing new
1 | failed; the previous release still serves, or serves again
2 | failed, and what serves is not known to be healthy; plan: there would be changes
69 | the registry cannot be reached, or has not every image of one release
75 | another run is in progress; nothing was done
78 | .env, the Compose files or the arguments are wrong'

print_usage() {
  local name text
  printf 'usage: ./stack COMMAND\n\n'
  while IFS='|' read -r name text; do printf '  %-26s%s\n' "$name" "$text"; done <<<"$COMMANDS"
  printf '\nexit codes:\n'
  while IFS='|' read -r name text; do printf '  %-4s%s\n' "$name" "$text"; done <<<"$EXIT_CODES"
}

main() { # [COMMAND [ARGUMENT...]]
  local name found=""
  case ${1-} in "" | help | -h | --help) print_usage && return 0 ;; esac
  while IFS=' |' read -r name _; do [[ $name != "$1" ]] || found=yes; done <<<"$COMMANDS"
  if [[ -z $found ]]; then
    print_usage >&2
    die "$EXIT_USAGE" "there is no command $1"
  fi
  check_state_version
  "command_$1" "${@:2}"
}

trap 'on_error $? $LINENO "$BASH_COMMAND"' ERR
trap 'on_exit $?' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
main "$@"
