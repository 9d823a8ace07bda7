# ---- the installation: one project of one Docker engine, in one folder ----
#
# Docker is asked: the containers of a project name the folder that they were started from, and so does the claim, a
# volume without content that `install` makes. All folders and users of an engine share its volumes, so that two
# folders cannot claim one project, not even while no container is there.

# End the script where this folder is not the one of its project on this engine.
refuse_other_installation() {
  is_installation || fail_unchanged "$EXIT_USAGE" "$REASON"
}

# Check that this folder is the one of its project on this engine; else set REASON. With ADOPTS, a person says that the
# folder was moved, that the engine is another or that the project has a new name.
is_installation() {
  local folder folders known
  folders=$(other_folders) || { REASON="Docker does not list the containers of $PROJECT" && return 1; }
  while IFS= read -r folder; do
    [[ -n $folder ]] || continue
    if ! is_gone "$folder"; then
      REASON="the project $PROJECT belongs to $folder, and this is $PWD. A second installation needs a COMPOSE_PROJECT_NAME of its own in .env; if this is the installation, moved, then remove $folder and run ./stack install"
      return 1
    elif [[ -z $ADOPTS && ! $(claimed_folder) -ef $PWD ]]; then
      REASON="the project $PROJECT belongs to $folder, which is not there any more; if the folder was moved to $PWD, run ./stack install"
      return 1
    fi
  done <<<"$folders"
  { is_not_copied && is_not_renamed; } || return 1
  known=$(installation_value engine)
  [[ -n $ADOPTS || -z $known || $known == "$(docker_engine)" ]] || {
    REASON="$PWD was prepared on another machine, or for another Docker engine; if the installation has moved here, run ./stack install"
    return 1
  }
}

# Print the folders, other than this one, that the project belongs to: by its containers, its claim and its timer.
other_folders() {
  local folder folders
  folders=$(docker ps --all --filter "label=com.docker.compose.project=$PROJECT" \
    --format '{{.Label "com.docker.compose.project.working_dir"}}') || return 1
  { echo "$folders" && claimed_folder && unit_folder "stack-$PROJECT"; } | sort -u | while IFS= read -r folder; do
    [[ -z $folder || $folder -ef $PWD ]] || printf '%s\n' "$folder"
  done
}

# Check that a folder does not exist. Where this user cannot know, it may exist.
is_gone() { # FOLDER
  local folder=$1
  [[ ! -e $folder ]] || return 1
  until [[ -d $folder ]]; do folder=$(dirname "$folder"); done
  [[ -x $folder ]]
}

# Check that the state files here were not copied from the folder of another installation; else set REASON.
is_not_copied() {
  local folder
  folder=$(installation_value folder)
  [[ -n $folder && ! $folder -ef $PWD ]] || return 0
  if ! is_gone "$folder"; then
    REASON="$PWD is a copy of $folder, with its $STATE/; deploy there, or remove release.yml and $STATE/ here and run ./stack install, for an installation of its own"
    return 1
  fi
  [[ -n $ADOPTS ]] || {
    REASON="this folder was $folder when it was prepared; if it was moved, run ./stack install"
    return 1
  }
}

# Check that the project has the name that it had; else set REASON. Its containers and volumes are not found by another
# name, so that a second stack would be started beside them.
is_not_renamed() {
  local known
  known=$(installation_value project)
  [[ -n $known ]] || known=$(project_of_this_folder)
  [[ -n $known && $known != "$PROJECT" ]] || return 0
  REASON="the project was $known, and is $PROJECT now (COMPOSE_PROJECT_NAME in .env, or \`name:\` in compose.yml): a second stack would be started"
  if [[ -n $(docker ps --all --quiet --filter "label=com.docker.compose.project=$known") ]]; then
    REASON+=" beside the containers of $known. Change the name back; docs/runbook.md says how to rename a project"
    return 1
  fi
  [[ -n $ADOPTS ]] || {
    REASON+=". Change the name back, or run ./stack install if $PROJECT is its new name"
    return 1
  }
}

# Print the project whose containers were started from this folder, if nothing was recorded yet and a release has worked.
project_of_this_folder() {
  local names
  [[ -n $(current_release) ]] || return 0
  names=$(docker ps --all --filter "label=com.docker.compose.project.working_dir=$PWD" \
    --format '{{.Label "com.docker.compose.project"}}' | sort -u)
  if grep -qxF "$PROJECT" <<<"$names"; then names=$PROJECT; fi
  printf '%s' "${names%%$'\n'*}"
}

docker_engine() { docker info --format '{{.ID}}'; }

# Print the folder that has claimed the project; nothing where none has.
claimed_folder() {
  docker volume inspect --format '{{index .Labels "stack.folder"}}' "stack.$PROJECT" 2>/dev/null || true
}

# Claim the project for this folder, and record the installation.
claim_project() {
  local old claimed
  old=$(installation_value project) claimed=$(claimed_folder)
  [[ -z $claimed || $claimed -ef $PWD ]] || docker volume rm "stack.$PROJECT" >/dev/null # its folder is gone
  # Of two folders, the first makes the volume; for the other one it is there already.
  docker volume create --label "stack.folder=$PWD" "stack.$PROJECT" >/dev/null
  [[ $(claimed_folder) -ef $PWD ]] || die "$EXIT_USAGE" "the project $PROJECT has just been claimed by $(claimed_folder)"
  record_installation "$(docker_engine)" "$(installation_value database)" "$(known_data)"
  [[ -z $old || $old == "$PROJECT" ]] || forget_project "$old"
}

# Remove the timer and the claim of the name that this project had before.
forget_project() { # PROJECT
  [[ ! $(unit_folder "stack-$1") -ef $PWD ]] || remove_timer "stack-$1"
  docker volume rm "stack.$1" >/dev/null 2>&1 || true
  say "the project $1 is $PROJECT now"
}
