# ---- JSON ----

# The bytes of one character outside of ASCII in valid UTF-8.
readonly UTF8_CHARACTER=$'[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}'

# Print a text as a string of JSON: without control characters, and with ? for bytes that are not UTF-8.
json_string() { # TEXT
  local text=$1
  [[ $text != *[$'\x80'-$'\xff']* ]] || text=$(valid_utf8 "$text")
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  text=${text//$'\t'/\\t}
  printf '"%s"' "${text//[$'\x01'-$'\x1f']/}"
}

# Print a text as a string of JSON, an empty one as null.
json_value() { # TEXT
  if [[ -n $1 ]]; then json_string "$1"; else printf null; fi
}

# Print values that are JSON already as an array.
json_array() { # [JSON...]
  local IFS=,
  printf '[%s]' "$*"
}

# Print an object.
json_object() { # NAME JSON [NAME JSON...]
  local object
  printf -v object '"%s": %s, ' "$@"
  printf '{%s}' "${object%, }"
}

# Print a text with ? for each byte that is not part of a character in UTF-8.
valid_utf8() { # TEXT
  local rest=$1 valid=""
  while [[ -n $rest ]]; do
    if [[ $rest =~ ^([$'\x01'-$'\x7f']|$UTF8_CHARACTER)+ ]]; then
      valid+=${BASH_REMATCH[0]}
      rest=${rest:${#BASH_REMATCH[0]}}
    else
      valid+="?"
      rest=${rest:1}
    fi
  done
  printf '%s' "$valid"
}
