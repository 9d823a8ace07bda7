# ---- alerts without an init image: by what the server has ----

readonly POST_SECONDS=20

# Post an alert by a program of this server; return EXIT_REFUSED where the receiver would refuse it again. ANSWER says
# what the receiver has answered.
post_from_host() { # CHANNEL ALERT
  local url body status="" program
  url=$(alert_url "$1") body=$(alert_body "$1" "$2")
  for program in curl wget bash; do
    ! command -v "$program" >/dev/null || break
  done
  status=$("post_by_$program" "$url" "$body" 2>/dev/null) || true
  status=${status/#000/}
  ANSWER="$1: ${status:-no} answer to the $program of this server, which sends because $ANSWER"
  case $status in
    2*) return 0 ;;
    "" | 408 | 425 | 429 | 5*) return 1 ;;
    *) return "$EXIT_REFUSED" ;;
  esac
}

alert_url() { # CHANNEL
  if [[ $1 == webhook ]]; then
    printf '%s' "$(<secrets/alert_webhook)"
  else
    printf '%s/bot%s/sendMessage' "$(setting STACK_TELEGRAM_API https://api.telegram.org)" "$(<secrets/alert_telegram_token)"
  fi
}

# Print what a channel takes, as JSON: all members of an alert, or its text with what it is about.
alert_body() { # CHANNEL ALERT
  local about
  [[ $1 != webhook ]] || { printf '{%s}' "$2" && return; }
  about=$(json_string "${PROJECT:-${PWD##*/}} on $(uname -n): ")
  [[ $2 =~ \"text\":\ \"(([^\"\\]|\\.)*)\" ]] || return 1
  printf '{"chat_id": %s, "text": %s%s"}' "$(json_string "$(setting STACK_TELEGRAM_CHAT "")")" "${about%\"}" "${BASH_REMATCH[1]}"
}

# Each of these posts a body and prints the status of the answer; the address is a secret and goes through a pipe.
post_by_curl() { # URL BODY
  printf 'url = %s\ndata-binary = %s\n' "$(json_string "$1")" "$(json_string "$2")" |
    curl --disable --silent --globoff --config - --header 'Content-Type: application/json' --max-time "$POST_SECONDS" \
      --output /dev/null --write-out '%{http_code}'
}

post_by_wget() { # URL BODY
  printf '%s\n' "$1" | wget --no-verbose --server-response --max-redirect=0 --tries=1 --timeout="$POST_SECONDS" --input-file=- \
    --header='Content-Type: application/json' --post-data="$2" --output-document=/dev/null 2>&1 |
    awk '$1 ~ /^HTTP\// {status = $2} END {printf "%s", status}'
}

# shellcheck disable=SC2016 # the variables of the other bash
post_by_bash() { # URL BODY
  printf '%s\n%s\n' "$1" "$2" | timeout "$POST_SECONDS" bash -c '
    read -r url && read -r body
    [[ $url =~ ^http://([^/:@]+)(:([0-9]+))?(/.*)?$ ]] || exit 1
    exec 3<>"/dev/tcp/${BASH_REMATCH[1]}/${BASH_REMATCH[3]:-80}" || exit 1
    printf "POST %s HTTP/1.0\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s" \
      "${BASH_REMATCH[4]:-/}" "${BASH_REMATCH[1]}${BASH_REMATCH[2]}" "${#body}" "$body" >&3
    read -r _ status _ <&3 && printf %s "$status"'
}
