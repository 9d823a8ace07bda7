# ---- the lock ----

# Take the lock, or end the script.
take_lock() {
  exec 9>"$STATE/lock"
  # Every program that this script starts inherits the descriptor: where the script is killed, the lock is free
  # when the last of them has ended, and not before.
  flock --nonblock 9 || die "$EXIT_BUSY" "another run is in progress in $PWD; nothing was done"
  LOCKED=yes
}

# Tell if another run holds the lock, without taking it: a run that begins just now would find it taken.
is_locked() {
  local inode
  inode=$(stat -c %i "$STATE/lock" 2>/dev/null) || return 1
  grep -sq " FLOCK .*:$inode " /proc/locks
}

remove_leftover_containers() {
  local id
  # A killed run may have left the container of its init, which has ended since. `docker container prune` would fail
  # while anybody else prunes on this machine.
  docker ps --all --quiet --filter "label=com.docker.compose.project=$PROJECT" --filter label=com.docker.compose.oneoff=True \
    --filter "label=com.docker.compose.service=$INIT_SERVICE" --filter status=created --filter status=exited --filter status=dead |
    while read -r id; do docker rm "$id"; done >/dev/null || true
  # Compose creates a container under another name before it removes the container that it replaces. Where it is
  # killed in between, every later `up` fails on that name.
  docker ps --all --filter "label=com.docker.compose.project=$PROJECT" --filter status=created --format '{{.ID}} {{.Names}}' |
    sed -nE 's/^([0-9a-f]+) [0-9a-f]{12}_.*/\1/p' | while read -r id; do docker rm "$id"; done >/dev/null || true
}
