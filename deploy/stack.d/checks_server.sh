# ---- checks of ./stack doctor: the machine, Docker, the network ----

readonly PROGRAMS="awk cat cut date df docker du find flock grep head mkdir mv readlink sed sha256sum sort stat tac tail timeout tr uname wc xargs"

check_programs() {
  local program missing=""
  for program in $PROGRAMS; do
    command -v "$program" >/dev/null || missing+=", $program"
  done
  [[ -z $missing ]] || fault "commands are missing: ${missing#, }" "install them; they are in docker, coreutils, util-linux, findutils and awk"
  ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || fault "bash is $BASH_VERSION" "install bash 4.4 or later"
  if ! { date -u -d '2026-11-24 02:15:00' +%s && sort -V && stat -c %a .; } </dev/null >/dev/null 2>&1; then
    fault "date, sort or stat is not that of coreutils" "install coreutils"
  fi
  [[ -n $missing ]] || ok "bash $BASH_VERSION, and all commands"
}

check_docker() {
  local version driver live security systemd=/run/systemd/system
  [[ -z $DOCKER_FAULT ]] || {
    fault "$DOCKER_FAULT" "systemctl start docker; $(id -un) must be root, in the group docker, or the user of a rootless Docker"
    return
  }
  version=$(timeout 20 docker version --format '{{.Server.Version}}')
  is_at_least "$version" 25 || fault "the version is $version" "install 25 or later, which has health checks with start_interval"
  IFS='|' read -r driver live security < <(timeout 20 docker info --format '{{.Driver}}|{{.LiveRestoreEnabled}}|{{.SecurityOptions}}')
  [[ $driver != vfs ]] || warning "the storage driver vfs copies every layer" "use overlay2"
  if [[ $security == *name=rootless* ]]; then
    security=", rootless: root of a container is $(id -un) here"
    [[ ! -d $systemd || $(loginctl show-user "$(id -un)" --property Linger --value 2>/dev/null) == yes ]] ||
      warning "it ends when $(id -un) logs out" "loginctl enable-linger $(id -un)"
  else
    [[ $security == *name=userns* ]] && security=", with user namespaces: root of a container is nobody here" || security=""
    [[ ! -d $systemd ]] || systemctl is-enabled --quiet docker.service docker.socket 2>/dev/null ||
      warning "it does not start with the machine" "systemctl enable docker"
  fi
  [[ $live == true ]] && live=stay || live=stop
  ok "$version answers, storage driver $driver; containers $live while it is restarted$security"
}

check_compose() {
  local version
  version=$(docker compose version --short 2>&1) || {
    fault "Docker has no compose command: $version" "install Docker's Compose plugin"
    return
  }
  is_at_least "$version" 2.26 || { fault "the version is $version" "install 2.26 or later" && return; }
  docker buildx version >/dev/null 2>&1 ||
    warning "there is no buildx, so images are pulled before their signatures are verified" "install Docker's Buildx plugin"
  ok "$version"
}

is_at_least() { # VERSION LEAST
  [[ $(printf '%s\n%s\n' "$2" "${1#v}" | sort -V | head -n 1) == "$2" ]]
}

check_disk() {
  local least folder free inodes
  least=$(setting STACK_MIN_FREE_MB 1024)
  while IFS= read -r folder; do
    [[ -d $folder ]] || continue # Docker's own folder may be on another machine, or not readable for us
    free=$(df -Pm "$folder" | awk 'NR == 2 {print $4}')
    inodes=$(df -Pi "$folder" | awk 'NR == 2 && $2 > 0 {print $4}') # some file systems have none to count
    if ((free < least)); then
      fault "$free MB are free at $folder; STACK_MIN_FREE_MB is $least" "docker system df shows what uses the space"
    elif [[ -n $inodes ]] && ((inodes < 10000)); then
      fault "$inodes inodes are free at $folder" "find the folder with very many files: du --inodes -x $folder | sort -n | tail"
    else
      ok "$free MB are free at $folder"
    fi
  done < <({ [[ -n $DOCKER_FAULT ]] || timeout 20 docker info --format '{{.DockerRootDir}}'; echo "$PWD"; echo "$PWD/backups"; } | sort -u)
}

# Print the host, and the port where one is written, of the registry of the first image of a release.
registry_host() {
  local image
  image=$(service_column "${RELEASED[0]}" image)
  case ${image%%/*} in
    *.* | *:* | localhost) printf '%s' "${image%%/*}" ;;
    *) printf registry-1.docker.io ;;
  esac
}

# Compare the clock with the registry's: certificates, signatures and the order of dumps depend on it.
check_clock() {
  local host date skew
  host=$(registry_host)
  if ! date=$(http_date "$host") || ! skew=$(date -u -d "$date" +%s 2>/dev/null); then
    warning "there was no clock to compare with: $host does not answer with a date" "compare \`date -u\` with another clock"
    return
  fi
  skew=$(($(date +%s) - skew))
  if ((skew > 60)); then
    fault "it is $skew s ahead of $host" "timedatectl set-ntp true, or set it by hand: $date"
  elif ((skew < -60)); then
    fault "it is $((-skew)) s behind $host" "timedatectl set-ntp true, or set it by hand: $date"
  else
    ok "as that of $host"
  fi
}

# Print the Date header of a host's answer. A certificate is not checked: with a wrong clock none is valid.
http_date() { # HOST[:PORT]
  local scheme port=${1##*:}
  [[ $1 == *:* ]] || port=80
  {
    if command -v curl >/dev/null; then
      for scheme in https http; do curl --silent --noproxy localhost,127.0.0.1 --insecure --head --max-time 10 "$scheme://$1/v2/" && break; done
    else # without TLS; most registries answer at port 80 with a redirect
      # shellcheck disable=SC2016 # the variables of the other shell
      timeout 10 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "HEAD /v2/ HTTP/1.0\r\nHost: $0\r\n\r\n" >&3 && cat <&3' "${1%:*}" "$port"
    fi
  } 2>/dev/null | tr -d '\r' | sed -n 's/^[Dd]ate: //p' | grep -m 1 .
}

# Check that the registry's name is found, here and in a container.
check_dns() {
  local host image network=bridge output
  host=$(registry_host)
  host=${host%:*}
  if [[ $host == localhost || $host =~ ^[0-9.]+$ || $host == \[* ]]; then ok "$host needs none" && return; fi
  if ! timeout 20 getent hosts "$host" >/dev/null; then
    if uses_proxy; then ok "$host is not found here, and Docker goes through a proxy" && return; fi
    fault "$host is not found" "read /etc/resolv.conf; is the name in REGISTRY right?"
    return
  fi
  image=$(image_with_shell) || { ok "$host is found here; in containers this was not tried, since no image is here yet" && return; }
  ! docker network inspect "${PROJECT}_default" >/dev/null 2>&1 || network=${PROJECT}_default
  output=$(timeout 60 docker run --rm --network "$network" --entrypoint getent "$image" hosts "$host" 2>&1) || {
    warning "$host is found here and not in containers${output:+: $output}" "set \"dns\" in /etc/docker/daemon.json; let the firewall forward what containers send"
    return
  }
  ok "$host is found, here and in containers"
}

# Check that the ports which services publish are not taken by another program.
check_ports() {
  local service address port well=yes
  while read -r service address port; do
    ! is_published "$service" "$port" || continue
    ! timeout 5 bash -c "exec 3<>/dev/tcp/$address/$port" 2>/dev/null ||
      { well="" && fault "$address:$port, which $service publishes, is taken by another program" "ss -ltnp shows which; publish another port"; }
  done < <(published_ports)
  [[ -z $well ]] || ok "those that services publish are free, or theirs"
}

# Print `SERVICE ADDRESS PORT` for each TCP port that the model publishes on this machine.
published_ports() {
  awk -F '\t' '
    $1 == "services" && $3 == "ports" && NF == 6 {ports[$2 FS $4]; value[$2 FS $4 FS $5] = $6}
    END {
      for (port in ports) if (value[port FS "published"] ~ /^[0-9]+$/ && value[port FS "protocol"] != "udp") {
        split(port, part, FS)
        address = value[port FS "host_ip"]
        if (address == "" || address == "0.0.0.0" || address == "::") address = "127.0.0.1"
        print part[1], address, value[port FS "published"]
      }
    }' <<<"$MODEL" | sort
}

# Check that a container of a service publishes a port.
is_published() { # SERVICE PORT
  docker ps --filter "label=com.docker.compose.project=$PROJECT" --filter "label=com.docker.compose.service=$1" \
    --format '{{.Ports}}' | grep -q ":$2->"
}

# Check that Docker or its client goes through a proxy, which may know names and routes that this machine does not.
uses_proxy() {
  [[ -n ${HTTPS_PROXY-}${https_proxy-}$(docker info --format '{{.HTTPProxy}}{{.HTTPSProxy}}') ]]
}

# Print an image that is here, of init or else of a service that is part of no release.
image_with_shell() {
  local image name
  for image in $(tool_images) $(for name in "${INFRASTRUCTURE[@]}"; do service_column "$name" image; done); do
    if docker image inspect "$image" >/dev/null 2>&1; then printf '%s' "$image" && return; fi
  done
  return 1
}
