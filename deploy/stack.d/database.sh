# ---- the database: this installation's, or the deploy stops ----
#
# compose-init's ledger has an id that is made with it and goes with every dump. Only init knows where the database is,
# so init is asked, of a release that has worked here.

DATABASE="" # whose the database is: an ID, none where no run has been in it, empty where no image can tell

# End the script where the database, which must be up, is not the one that this installation's releases worked with.
refuse_other_database() { # ID [CONFIGURATION]
  local current
  current=$(current_release)
  [[ -n $current ]] || return 0 # nothing was ever seeded from here
  ask_database "$current" "$1" ||
    end_before_init "$1" "${2-}" "$EXIT_FAILED" "init cannot ask the database whose it is: $REASON; init did not run, $(serving_now)" "$DETAIL"
  judge_database "$1" "${2-}"
}

# End the script where DATABASE, as it was answered, is not that of this installation.
judge_database() { # ID CONFIGURATION
  local known fault
  known=$(installation_value database)
  case $DATABASE in
    "" | "$known") return 0 ;;
    none) fault="no run of init has been in it" ;;
    *)
      [[ -n $known ]] || return 0
      fault="it belongs to the installation $DATABASE, and this one is $known"
      ;;
  esac
  if [[ -n $NEW_DATA ]]; then
    say "as --new-data says, the database is another one: $fault"
  else
    end_before_init "$1" "$2" "$EXIT_USAGE" "the database is not that of this installation: $fault. init did not run, $(serving_now). Restore the database from backups/, or change compose.yml and .env back; or, if it is to be migrated and seeded as a new one, run ./stack deploy --new-data"
  fi
}

# End the script because of the database; where PostgreSQL was replaced by then, go back to what it was.
end_before_init() { # ID CONFIGURATION CODE MESSAGE [DETAIL]
  REASON=$4
  # Of the present configuration there is nothing to go back to: its data is gone.
  [[ -z $INFRASTRUCTURE_REPLACED ]] || is_current "$1" "$2" || leave_configuration "$1" "$2"
  fail "$3" "$4" "${5-}"
}

# Set DATABASE, as the first of some releases says whose init can tell; else set REASON and DETAIL.
ask_database() { # ID...
  local id code output
  for id in "$@"; do
    code=0
    output=$(compose_release "$id" run --rm --no-deps -T "$INIT_SERVICE" installation </dev/null 2>&1) || code=$?
    DATABASE=$(grep -xE '[0-9a-f]{16}|none' <<<"$output" | tail -n 1) || true
    if ((code == 0)) && [[ -n $DATABASE ]]; then return 0; fi
    DATABASE=""
    case $code in
      69 | 77) REASON=$(init_exit_meaning "$code") DETAIL=$(tool_error "${output##*$'\n'}") && return 1 ;;
    esac
  done
}

# Record what this installation is, after a release has worked.
record_data() { # ID
  local known
  known=$(installation_value database)
  # The first run of init has made the ledger.
  [[ -n $DATABASE && $DATABASE != none ]] || ask_database "$1" || DATABASE=""
  record_installation "$(docker_engine)" "${DATABASE:-$known}" "$(model_data)"
}
