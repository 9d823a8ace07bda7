# ---- output: to whoever called, and to a file, whether or not anybody still reads ----

OUTPUT="" # the process that passes on what a run prints

# From here on, write what this run prints to releases/deploy.log too, and go on where nobody reads it any more: an SSH
# session that drops, or `| head`, ends no deploy half-way. Every program that the run starts writes into the same pipe.
keep_output() { # COMMAND
  local log=$STATE/deploy.log
  trap '' HUP # for the programs that this run starts, too
  [[ ! -f $log ]] || (($(stat -c %s "$log") < 1000000)) || mv -f "$log" "$log.1" || true
  { printf '%s ./stack %s\n' "$(timestamp)" "$1" >>"$log"; } 2>/dev/null || true
  TO_STDERR=$'\x01'
  exec > >(pass_on_output "$log" 3>&1 4>&2) 2>&1
  OUTPUT=$!
}

# Write each line of stdin to a file, and to whoever called, where that is possible.
pass_on_output() { # FILE
  local line
  trap - ERR
  trap '' HUP INT TERM PIPE # it ends after the last program that writes
  set +e
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line == "$TO_STDERR"* ]]; then
      line=${line#"$TO_STDERR"}
      printf '%s\n' "$line" >&4
    else
      printf '%s\n' "$line" >&3
    fi
    printf '%s\n' "$line" >>"$1"
  done 2>/dev/null
}

# Wait until everything is passed on; not for long, since a reader may have stopped reading.
close_output() {
  local tries
  [[ -n $OUTPUT ]] || return 0
  exec >&- 2>&-
  for ((tries = 0; tries < 100; tries++)); do
    kill -0 "$OUTPUT" || return 0
    sleep 0.05
  done
}
