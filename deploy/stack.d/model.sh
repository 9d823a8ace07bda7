# ---- what Compose makes of its files and of .env ----
#
# Nothing here reads YAML or .env: Compose is asked, and answers in JSON.

# Print the lines of the model that Compose makes of what people have written: `services<TAB>api<TAB>image<TAB>IMAGE`.
compose_model() { compose_base config --format json | json_lines; }

# Print `NAME<TAB>STRING` for variables of the environment and of .env, as Compose reads them; empty where it has none.
compose_variables() { # NAME...
  local name document
  document=$(
    echo "{name: variables, services: {none: {image: none}}, x-variables: {"
    # shellcheck disable=SC2016 # for Compose
    for name in "$@"; do printf '%s: "${%s-}",\n' "$name" "$name"; done
    echo "}}"
  )
  docker compose --file - --project-directory . config --format json <<<"$document" | json_lines | sed -n 's/^x-variables\t//p'
}

# Print a line for each value of a JSON document: the names that lead to it (in a list, the place), then the value,
# with TABs between them. Names and values keep their escapes, so no TAB and no line end is in them.
json_lines() {
  awk '
    function begin_value() { if (kind[depth] == "[") name[depth]++ }
    function print_value(value,   line, level) {
      for (level = 1; level <= depth; level++) line = line name[level] "\t"
      print line value
    }
    {
      rest = $0
      while (sub(/^[ \t\r,:]*/, "", rest) && rest != "") {
        first = substr(rest, 1, 1)
        if (first == "{" || first == "[") {
          begin_value()
          kind[++depth] = first; name[depth] = -1; is_named = 0
          rest = substr(rest, 2)
        } else if (first == "}" || first == "]") {
          depth--; is_named = 0
          rest = substr(rest, 2)
        } else {
          match(rest, first == "\"" ? "^\"([^\"\\\\]|\\\\.)*\"" : "^[^], \t\r}]+")
          token = substr(rest, 1, RLENGTH)
          rest = substr(rest, RLENGTH + 1)
          if (first == "\"") token = substr(token, 2, length(token) - 2)
          if (kind[depth] == "{" && !is_named) { name[depth] = token; is_named = 1 }
          else { begin_value(); print_value(token); is_named = 0 }
        }
      }
    }'
}

# Print the text that a JSON string of Compose stands for. Compose doubles each dollar sign in what `config` prints.
json_text() { # STRING
  local rest=${1//'$$'/'$'} text="" escape
  while [[ $rest == *\\* ]]; do
    text+=${rest%%\\*}
    rest=${rest#*\\}
    escape=${rest:0:1}
    rest=${rest:1}
    case $escape in
      n) text+=$'\n' ;;
      t) text+=$'\t' ;;
      r) text+=$'\r' ;;
      b) text+=$'\b' ;;
      f) text+=$'\f' ;;
      u) text+=$(utf8 "${rest:0:4}") rest=${rest:4} ;;
      *) text+=$escape ;;
    esac
  done
  printf '%s' "$text$rest"
}

# Print a text as Compose prints it in JSON, without the quotes.
compose_string() { # TEXT
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\t'/\\t}
  text=${text//</\\u003c}
  text=${text//>/\\u003e}
  text=${text//'&'/'\u0026'}
  printf '%s' "${text//'$'/'$$'}"
}

# Print the bytes of a character of the basic plane. Go escapes no other one.
utf8() { # HEX
  local code=$((16#$1)) bytes
  if ((code < 0x80)); then
    printf -v bytes '\\x%02x' "$code"
  elif ((code < 0x800)); then
    printf -v bytes '\\x%02x\\x%02x' $((0xC0 | code >> 6)) $((0x80 | code & 0x3F))
  else
    printf -v bytes '\\x%02x\\x%02x\\x%02x' $((0xE0 | code >> 12)) $((0x80 | code >> 6 & 0x3F)) $((0x80 | code & 0x3F))
  fi
  printf '%b' "$bytes"
}
