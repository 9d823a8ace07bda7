# ---- whether the images of a release belong together, by what they say of each other ----
#
# A registry moves the tag of each image by itself. Between two of these moments the tags name images that were never
# tested together, such as a new API and the init of the old one.

# Print why the images of a release do not belong together; nothing if they do, or do not say. What does not hold for
# the release that serves either says nothing: its images are labelled in another way than is assumed here.
incomplete_reason() { # ID
  local found usual kind service text reason=""
  if is_in_order "$1"; then return 0; fi # it has worked
  found=$(disagreements "$1")
  [[ -n $found ]] || return 0
  usual=$(disagreements "$(current_release)" | cut -d ' ' -f 1,2)
  while read -r kind service text; do
    [[ $'\n'$usual$'\n' == *$'\n'"$kind $service"$'\n'* ]] || reason+="${reason:+; }$text"
  done <<<"$found"
  printf '%s' "$reason"
}

# Print a line for each image that does not belong to the others: base, version or revision, its service, a sentence.
disagreements() { # ID
  local init main main_image built own other name image _
  init=$(release_image "$1" "$INIT_SERVICE")
  main=$(service_below_init "$1")
  main_image=$(release_image "$1" "$main")
  [[ -n $init && -n $main_image ]] || return 0
  built=$(is_built_on "$init" "$main_image")
  [[ $built != no ]] || echo "base $INIT_SERVICE $INIT_SERVICE was built on another $main"
  own=$(image_fact "$init" version) other=$(image_fact "$main_image" version)
  [[ $built == yes ]] || ! differ "$own" "$other" || echo "version $INIT_SERVICE $INIT_SERVICE is version $own, $main $other"
  other=$(image_fact "$main_image" revision)
  while read -r name image _; do
    [[ $name != "$main" && ($name != "$INIT_SERVICE" || $built != yes) ]] || continue
    own=$(image_fact "$image" revision)
    ! differ "$own" "$other" || echo "revision $name $name is of the revision ${own:0:12}, $main of ${other:0:12}"
  done < <(release_images "$1")
}

differ() { [[ $1 != - && $2 != - && $1 != "$2" ]]; } # FACT FACT

# Print the service on whose image init is built, as init's label says; else the one that is probed, or the first.
service_below_init() { # ID
  local base name image _
  base=$(repository_of "$(image_label "$(release_image "$1" "$INIT_SERVICE")" base.name)")
  while read -r name image _; do
    [[ $name == "$INIT_SERVICE" || $(repository_of "$image") != "${base#docker.io/}" ]] || { echo "$name" && return; }
  done < <(release_images "$1")
  name=$(setting STACK_PROBE_SERVICE api)
  if [[ -n $(release_image "$1" "$name") ]]; then echo "$name"; else echo "${APPS[0]}"; fi
}

# Print yes or no: whether an image was built on another one, as its labels base.digest and base.name say; nothing if
# they do not say so.
is_built_on() { # IMAGE BASE-IMAGE
  local name digest digests
  name=$(image_label "$1" base.name) digest=$(image_label "$1" base.digest)
  [[ -n $digest || $name != *@* ]] || digest=${name#*@}
  [[ -n $digest ]] || return 0
  if digests=$(digests_of "$2" "$digest"); then
    if grep -qxF "$digest" <<<"$digests"; then
      echo yes
    elif [[ $(repository_of "${name#docker.io/}") == "$(repository_of "$2")" ]]; then
      echo no
    fi
  fi
}

# Print the digests by which an image is known: its own, and where that is an index, those of each platform. The
# registry is asked only where the digest looked for is not the image's own; fail where it does not answer.
digests_of() { # IMAGE LOOKED-FOR
  echo "${1#*@}"
  [[ ${1#*@} != "$2" ]] || return 0
  { docker buildx imagetools inspect --raw "$1" || docker manifest inspect "$1"; } 2>/dev/null </dev/null |
    grep -oE 'sha256:[0-9a-f]{64}'
}
