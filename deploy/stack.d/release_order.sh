# ---- which of two releases is newer, by what their images say of themselves ----
#
# Where a tag points says nothing: an old workflow that runs again, or a registry that was restored, moves it back. A
# release is older than another one if one of its services goes back to an image or to a revision that this server has
# left behind, or to an image that was created earlier. Where nothing of this is known (no labels, the same label in
# every image), it counts as newer.

# Print a line for each service of a release: name, fingerprint of the image, revision, time of creation; - for what the
# image does not say, or is not here.
release_facts() { # ID
  local name image _
  while read -r name image _; do
    printf '%s %s %s %s\n' "$name" "$(image_fingerprint "$image")" "$(image_fact "$image" revision)" "$(image_fact "$image" created)"
  done < <(release_images "$1")
}

# Print a hash of what an image is. Its digest can differ: a tag that is made of another tag is often a new index.
image_fingerprint() { # IMAGE
  local content
  content=$(docker image inspect --format '{{json .RootFS}} {{json .Config}} {{.Created}}' "$1" 2>/dev/null) || { echo - && return; }
  sha256sum <<<"$content" | cut -c 1-12
}

# Print a label of an image as one word; - where there is none, or none that says something.
image_fact() { # IMAGE NAME
  local value
  value=$(image_label "$1" "$2")
  if [[ $value =~ ^[[:alnum:]._:+/-]+$ && $value != unknown ]]; then echo "$value"; else echo -; fi
}

# Print why a release is older than another one that has worked here; nothing if it is not, or if nobody can tell.
older_reason() { # ID THAN-ID
  local service fingerprint revision created reason
  [[ -n $2 && $2 != "$1" ]] || return 0
  if precedes "$1" "$2"; then echo "it has worked here before that one" && return; fi
  while read -r service fingerprint revision created; do
    # Init has the labels of the image that it is built on, where it is given none of its own.
    [[ $service != "$INIT_SERVICE" ]] || revision=- created=-
    if was_left_behind "$2" "$service" image "$fingerprint"; then
      reason="its image of $service worked here before that one"
    elif was_left_behind "$2" "$service" revision "$revision"; then
      reason="$service is of the revision $revision, which worked here before that one"
    else
      reason=$(created_before "$2" "$service" "$fingerprint" "$created")
    fi
    [[ -z $reason ]] || { echo "$reason" && return; }
  done < <(release_facts "$1")
}

# Check that a service had this image or revision before a release, and has another one in it.
was_left_behind() { # THAN-ID SERVICE image|revision VALUE
  local later
  later=$(fact_in_order "$1" "$2" "$3")
  [[ $4 != - && -n $later && $later != - && $later != "$4" ]] && had_before "$@"
}

# Print that an image of a service was created before the one of another release; nothing if it was not, or if nobody
# can tell. Clocks differ: no image was created after it has worked here, whatever its label says. What is labelled
# with the future can only be compared with another such label.
created_before() { # THAN-ID SERVICE FINGERPRINT CREATED
  local label created worked seconds
  [[ $3 != "$(fact_in_order "$1" "$2" image)" ]] || return 0
  label=$(fact_in_order "$1" "$2" created)
  created=$(creation_seconds "$4") || return 0
  seconds=$(creation_seconds "$label") || return 0
  worked=$(unix_time "$(fact_in_order "$1" "$2" time)")
  if ((created <= $(date +%s) && worked < seconds)); then seconds=$worked; fi
  ((created >= seconds)) || echo "its image of $2 was created at $4, that of the other one at $label"
}

# Print a time of creation in seconds since 1970. Fail where there is none, or one that is no statement of time:
# builds that can be repeated write one from before Docker existed.
creation_seconds() { # TIME|-
  local seconds
  [[ $1 =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T ]] && seconds=$(date -u -d "$1" +%s 2>/dev/null) || return 1
  ((seconds >= 1363305600)) && echo "$seconds"
}

# Print that a release is the one that somebody rolled back from, published again: the same images under another
# digest, or the same revision built again; nothing if it is another one, or if nobody can tell.
rolled_back_twin() { # ID
  local newest service fingerprint revision built_again="" init_differs=""
  newest=$(newest_release)
  [[ -n $newest && $newest != "$1" && -n $(rollback_destination "$newest") ]] || return 0
  while read -r service fingerprint revision _; do
    if [[ $fingerprint == "$(fact_in_order "$newest" "$service" image)" ]]; then
      :
    elif [[ $revision != - && $revision == "$(fact_in_order "$newest" "$service" revision)" &&
      $revision != "$(fact_in_order "$(current_release)" "$service" revision)" ]]; then
      built_again=yes
    elif [[ $service == "$INIT_SERVICE" ]]; then
      init_differs=yes # which is no other release where its labels are not its own
    else
      return 0
    fi
  done < <(release_facts "$1")
  [[ -z $init_differs || -n $built_again ]] || return 0
  echo "it is $(describe_release "$newest") again, which somebody rolled back from"
}

# Give a release that works its place in the order of releases: before the current one where somebody goes back to it,
# before the first later one that it is older than, else at the end. A release that has a place keeps it.
record_place() { # ID CURRENT-ID
  local later="" id
  if is_in_order "$1"; then return 0; fi
  while read -r id; do
    [[ -n $later || ($EVENT != rollback && -z $(older_reason "$1" "$id")) ]] || later=$id
  done < <(order_from "$2")
  release_facts "$1" | add_to_order "$1" "${later:--}"
}
