# ---- state: the files in releases/ ----
#
# No other part knows their formats. Each is written to FILE.part and renamed, except for the logs. TIME is UTC,
# 2026-11-24T02:15:00Z. CONFIGURATION is a hash of what a release is besides its images (configuration_hash).
#
# file             written by         read by              format
# ---------------  -----------------  -------------------  ---------------------------------------------------
# ID.yml           resolve_release    release_images       a Compose file: `# release ID`, then for each service
#                                                          `image: REPOSITORY@DIGEST # REFERENCE`
# ../release.yml   start_release      Compose,             ID.yml, and a label with a hash of what a service mounts:
#                                     started_release      the release that should run
# ID.infrastructure  record_success   choose_infra-        `SERVICE IMAGE REFERENCE`: the images of what belongs to no
#                                     structure            release, by digest or under a name of this script, that the
#                                                          release was last seen to work with
# next.json        render_release     Compose              what the deploy that is under way runs: a rendered model, with
#                                                          the variables of .env in it, and `x-stack`: the release, the
#                                                          content of its release.yml, and STACK_PROBE_URL
# started.json     start_release      Compose, status      the same: what Compose was last told to run
# current.json     record_success     return_to_current    the same: what was last seen to work
# current          record_success     current_release      `ID CONFIGURATION`: the release last seen to work
# previous         record_success     status, pruning      `ID`: the release that was current before
# history          record_history     status, rollback     `TIME EVENT RESULT ID MESSAGE`; EVENT is deploy or
#                                                          rollback, RESULT is ok, failed or rolled-back, ID is -
#                                                          where none is known yet; the last 1000 lines
# blocked          block_release,     block_reason,        `ID CONFIGURATION TIME REASON`; CONFIGURATION is -
#                  unblock_release    status               where it does not matter; the last 20 lines
# init-image       deploy_release     tool_images          the init image, by digest, whose init last succeeded here
# order            add_to_order       older_reason         `TIME ID SERVICE IMAGE REVISION CREATED`: a line for each
#                                                          service of each release that has worked here, the oldest
#                                                          release first; TIME is when it first worked, IMAGE a hash of
#                                                          what the image is, - stands for what it does not say; the
#                                                          last 3000 lines
# incomplete       note_incomplete    incomplete_seconds   `TIME` since when each release that the timer found in the
#                                                          registry was not published completely; else absent
# verified         record_verified    is_verified          `ID HASH`: STACK_VERIFY has accepted the release; HASH is of
#                                                          the command and the files that it names; the last 100 lines
# dumps            record_dump,       list_dumps, status   `TIME NAME BYTES ID CONFIGURATION well|unwell`: the dumps in
#                  rotate_dumps                            backups/ that this script has made, the oldest first, and the
#                                                          deploy that each was made for; well where a release worked
#                                                          and no deploy had failed since
# checked          check_environment  check_environment    a hash of .env, Compose files and secrets as last checked
# open-alert       send_alert         send_alert, status   `CHANNELS MESSAGE` of each failure and rollback that no
#                                                          recovery has followed, the newest first, 20 lines; commas
#                                                          between channels, - for none
# unsent-alerts    send_alert         send_unsent_alerts,  `webhook|telegram ALERT`: members of a JSON object,
#                                     status               without its braces and without address and token; 100 lines
# refused-alerts   deliver_alert      status, people       the same, with the member `refused`: why; 20 lines
# init.log         run_init           logs, send_alert     the output of the last run of init
# version          upgrade_state      check_state_version  the number of the format of all these files, STATE_VERSION
# installation     claim_project,     is_installation,     `project NAME`, `folder PATH`, `engine ID` of Docker,
#                  record_data        lost_data,           `database ID` as init tells it, and `data ROW` for each
#                                     refuse_other_…       volume and folder that services write; `./stack install`
#                                                          writes the first three, a release that has worked all
# running          begin_run          tell_interrupted_   `TIME EVENT ID`: the run that is under way, ID as in history;
#                                     run                  what a run finds there has not come to its end
# reserve          begin_run          write_file           64 KB, to be deleted for what must be written to a full disk
# deploy.log       keep_output        logs                 what deploys and rollbacks print; from 1 MB on it is renamed
#                                                          to deploy.log.1
# lock             take_lock          take_lock            empty; locked by flock while a command runs
# cron.log         cron               people               the output of runs that cron starts

readonly STATE_VERSION=2                 # before it there was no file `version`; that is version 1
readonly SAME_ATTEMPT_SECONDS=3600         # for how long the timer takes the dump of a deploy for recent enough
readonly ROLLED_BACK_TO="rolled back to" # how the REASON of a block begins that a rollback has made; then the ID

# Make stdin the content of a file, completely or not at all; where the disk is full, in the place of the reserve.
write_file() { # FILE
  local content
  content=$(cat && printf .) || return 1 # the dot keeps the line ends before it
  replace_file "$1" "${content%.}" 2>/dev/null || { rm -f "$STATE/reserve" && replace_file "$1" "${content%.}"; }
}

replace_file() { # FILE CONTENT
  { printf '%s' "$2" >"$1.part" && mv "$1.part" "$1"; } || { rm -f "$1.part" && return 1; }
}

# End the script where a newer one has written the state files, which this one cannot read.
check_state_version() {
  local found
  found=$(state_version)
  [[ $found =~ ^[0-9]{1,9}$ ]] ||
    die "$EXIT_USAGE" "$PWD/$STATE/version must hold a number, found '$found'; restore $STATE/ from a backup"
  ((found <= STATE_VERSION)) ||
    die "$EXIT_USAGE" "$PWD was written by a newer stack: its state files have version $found, and this script knows versions up to $STATE_VERSION; bring the newer deploy/stack, or a later one. Nothing was changed"
}

state_version() {
  if [[ -e $STATE/version ]]; then cat "$STATE/version"; else echo 1; fi
}

# Bring the state files of an older version to this one: version 2 only adds files.
upgrade_state() {
  [[ -e $STATE/version && $(state_version) == "$STATE_VERSION" ]] || write_file "$STATE/version" <<<"$STATE_VERSION"
}

# Print what is recorded of this installation; nothing where nothing is.
installation_value() { # project|folder|engine|database
  [[ ! -f $STATE/installation ]] || sed -n "s/^$1 //p" "$STATE/installation"
}

recorded_data() { installation_value data; }

record_installation() { # ENGINE DATABASE DATA
  {
    printf 'project %s\nfolder %s\nengine %s\n' "$PROJECT" "$PWD" "$1"
    [[ -z $2 ]] || echo "database $2"
    [[ -z $3 ]] || sort <<<"$3" | sed 's/^/data /'
  } | write_file "$STATE/installation"
}

timestamp() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# Print the ID of the release that was last seen to work; nothing before the first deploy.
current_release() { [[ ! -s $STATE/current ]] || awk '{print $1}' "$STATE/current"; }

previous_release() { [[ ! -s $STATE/previous ]] || cat "$STATE/previous"; }

# Print the ID of the release that Compose was last told to run.
started_release() { [[ ! -f release.yml ]] || sed -n 's/^# release //p' release.yml; }

is_current() { # ID CONFIGURATION
  [[ -s $STATE/current && $(<"$STATE/current") == "$1 $2" ]]
}

# Print why the timer leaves a release alone; nothing if it does not.
block_reason() { # ID CONFIGURATION
  awk -v id="$1" -v configuration="$2" \
    '$1 == id && ($2 == "-" || $2 == configuration) {$1 = $2 = ""; print substr($0, 3); exit}' "$STATE/blocked"
}

block_release() { # ID CONFIGURATION|- REASON
  unblock_release "$1" "$2"
  { tail -n 19 "$STATE/blocked" && echo "$1 $2 $(timestamp) $3"; } | write_file "$STATE/blocked"
}

unblock_release() { # ID [CONFIGURATION|-]
  grep -sq "^$1 " "$STATE/blocked" || return 0
  awk -v id="$1" -v configuration="${2-}" \
    '!($1 == id && (configuration == "" || $2 == configuration))' "$STATE/blocked" | write_file "$STATE/blocked"
}

# Print the release to which a rollback has led from this one; nothing if none has.
rollback_destination() { # ID
  [[ ! $(block_reason "$1" -) =~ $ROLLED_BACK_TO\ ([0-9a-f]{12}) ]] || printf '%s' "${BASH_REMATCH[1]}"
}

# Print `ID TIME REASON` of each release that the timer leaves alone.
blocked_releases() {
  [[ ! -f $STATE/blocked ]] || awk '{id = $1; sub(/^[^ ]+ [^ ]+ /, ""); print id, $0}' "$STATE/blocked"
}

# Print the last lines of the history.
last_runs() { # NUMBER
  [[ ! -f $STATE/history ]] || tail -n "$1" "$STATE/history"
}

# Print when a deploy last succeeded; nothing if none has.
last_success() {
  [[ ! -f $STATE/history ]] || awk '$3 == "ok" {time = $1} END {if (time) print time}' "$STATE/history"
}

# Print since when a release has been the current one; nothing if the history does not say.
serving_since() { # ID
  [[ ! -f $STATE/history ]] ||
    awk -v id="$1" '$3 == "ok" {if ($4 != last) since = $1; last = $4} END {if (last == id) print since}' "$STATE/history"
}

record_history() { # RESULT ID MESSAGE
  {
    [[ ! -f $STATE/history ]] || tail -n 999 "$STATE/history"
    printf '%s %s %s %s %s\n' "$(timestamp)" "$EVENT" "$1" "$2" "${3//$'\n'/; }"
  } | write_file "$STATE/history"
}

# Print the images of the infrastructure that a release was seen to work with: service, image, reference.
recorded_infrastructure() { [[ ! -s $STATE/$1.infrastructure ]] || cat "$STATE/$1.infrastructure"; } # ID

# Print the IDs of the releases that have worked here, the newest first.
worked_releases() {
  awk '$3 == "ok" {print $4}' "$STATE/history" | tac | awk '!seen[$0]++'
}

record_success() { # ID CONFIGURATION
  local before
  before=$(current_release)
  if [[ -n $before && $before != "$1" ]]; then write_file "$STATE/previous" <<<"$before" || return 1; fi
  record_place "$1" "$before" || warn "the place of $(describe_release "$1") among the releases was not recorded"
  printf '%s' "$INFRASTRUCTURE_IMAGES" | write_file "$STATE/$1.infrastructure" || return 1
  write_file "$CURRENT_MODEL" <"$STARTED_MODEL" || return 1
  write_file "$STATE/current" <<<"$1 $2" || return 1
  record_history ok "$1" "${before:-nothing} -> $(describe_release "$1")"
}

# Write the facts of a release, from stdin, into `order`: before another one, or (with -) at the end.
add_to_order() { # ID LATER-ID|-
  touch "$STATE/order"
  {
    sed "/^[^ ]* $2 /,\$d" "$STATE/order"
    sed "s/^/$(timestamp) $1 /"
    sed -n "/^[^ ]* $2 /,\$p" "$STATE/order"
  } | tail -n 3000 | write_file "$STATE/order"
}

# Print the IDs of a release and of those that stand after it in `order`.
order_from() { # ID
  [[ ! -f $STATE/order ]] || awk -v id="$1" '$2 == id {on = 1} on && !seen[$2]++ {print $2}' "$STATE/order"
}

is_in_order() { # ID
  [[ -f $STATE/order ]] && awk -v id="$1" '$2 == id {found = 1; exit} END {exit !found}' "$STATE/order"
}

# Print the ID of the newest release that has worked here; nothing if there is none.
newest_release() { [[ ! -s $STATE/order ]] || tail -n 1 "$STATE/order" | cut -d ' ' -f 2; }

# Print what `order` has of a service of a release.
fact_in_order() { # ID SERVICE time|image|revision|created
  [[ ! -f $STATE/order ]] || awk -v id="$1" -v service="$2" -v fact="$3" '
    BEGIN {column["time"] = 1; column["image"] = 4; column["revision"] = 5; column["created"] = 6}
    $2 == id && $3 == service {print $column[fact]; exit}' "$STATE/order"
}

# Check that a release stands before another one in `order`.
precedes() { # ID THAN-ID
  [[ -f $STATE/order ]] && awk -v id="$1" -v than="$2" '$2 == than {exit} $2 == id {found = 1; exit} END {exit !found}' "$STATE/order"
}

# Check that a service had this image or revision in a release before another one.
had_before() { # THAN-ID SERVICE image|revision VALUE
  awk -v than="$1" -v service="$2" -v column="$([[ $3 == image ]] && echo 4 || echo 5)" -v value="$4" \
    '$2 == than {exit} $3 == service && $column == value {found = 1; exit} END {exit !found}' "$STATE/order"
}

# Remember that the registry has an incomplete release now.
note_incomplete() { [[ -s $STATE/incomplete ]] || timestamp | write_file "$STATE/incomplete"; }

forget_incomplete() { rm -f "$STATE/incomplete"; }

# Print for how many seconds each release that the registry had was incomplete.
incomplete_seconds() { echo $(($(date +%s) - $(unix_time "$(<"$STATE/incomplete")"))); }

is_verified() { # ID [HASH]
  if [[ -n ${2-} ]]; then grep -sqxF "$1 $2" "$STATE/verified"; else grep -sq "^$1 " "$STATE/verified"; fi
}

record_verified() { # ID HASH
  { [[ ! -f $STATE/verified ]] || tail -n 99 "$STATE/verified"; echo "$1 $2"; } | write_file "$STATE/verified"
}

# Check that a state file, or release.yml, names an image; what is in a log counts for nothing.
is_named_by_state() { # IMAGE
  local file
  for file in release.yml "$STATE"/*; do
    if [[ -f $file && $file != *.log* && $file != */history ]] && grep -qF "${1#*@}" "$file"; then return 0; fi
  done
  return 1
}

# Print the lines of the dumps that are there as they were made, the oldest first.
list_dumps() {
  local time name bytes rest
  [[ -s $STATE/dumps ]] || return 0
  while read -r time name bytes rest; do
    if [[ $name =~ ^[0-9]{8}T[0-9]{6}Z(-[0-9]+)?\.dump$ && -f backups/$name && ! -L backups/$name ]] &&
      [[ $(stat -c %s "backups/$name") == "$bytes" ]]; then
      echo "$time $name $bytes $rest"
    fi
  done <"$STATE/dumps"
}

# Print the paths of dumps that are there and have another size than they were made with.
cut_dumps() {
  local name bytes
  [[ -s $STATE/dumps ]] || return 0
  while read -r _ name bytes _; do
    if [[ -f backups/$name && $(stat -c %s "backups/$name") != "$bytes" ]]; then echo "backups/$name"; fi
  done <"$STATE/dumps"
}

# Print the path of the newest dump; nothing if there is none.
newest_backup() { list_dumps | awk '{name = $2} END {if (NR) print "backups/" name}'; }

record_dump() { # NAME ID CONFIGURATION well|unwell
  {
    [[ ! -s $STATE/dumps ]] || cat "$STATE/dumps"
    echo "$(timestamp) $1 $(stat -c %s "$UNFINISHED_DUMP") $2 $3 $4"
  } | write_file "$STATE/dumps"
}

# Print the release and the configuration that the newest dump was made for.
last_dump_attempt() { list_dumps | awk '{attempt = $4 " " $5} END {print attempt}'; }

# Check that the newest dump was made for this release and configuration, within SAME_ATTEMPT_SECONDS.
has_recent_dump() { # ID CONFIGURATION
  local time id configuration age
  read -r time _ _ id configuration _ < <(list_dumps | tail -n 1) || return 1
  [[ $id == "$1" && $configuration == "$2" ]] || return 1
  age=$(($(date +%s) - $(unix_time "$time")))
  ((age >= 0 && age < SAME_ATTEMPT_SECONDS)) # a clock that was ahead says nothing
}
