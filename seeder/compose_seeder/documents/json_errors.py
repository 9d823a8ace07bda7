"""The place at which JSON text is wrong, and the reason in words for whoever wrote it."""

from __future__ import annotations

import json
import re

from msgspec import DecodeError, ValidationError

from compose_seeder.documents.strict_json import ESCAPED, SECOND_LOOK_BYTES, TOO_DEEP
from compose_seeder.errors import Fault

HALF_PAIR = "a string holds half of a surrogate pair (\\ud800 to \\udfff), which is not a character; correct it"

NOT_AN_OBJECT = "is not a JSON object; every record must be an object"

CUT_OFF = "it ends too early; close the open quote, bracket or brace"


def fault(
    name: str, data: bytes | bytearray, error: DecodeError | RecursionError, line: int = 1
) -> Fault:
    """Describe why a text is not valid JSON, with line and column.

    Args:
        name: of the file.
        data: the text that the parser refused.
        error: the parser's.
        line: the line of the file in which the text begins.
    """
    if isinstance(error, RecursionError):
        return Fault(name if line == 1 else f"{name}:{line}", "", "", TOO_DEEP)
    if isinstance(error, ValidationError):
        return Fault(f"{name}:{line}", "", "", NOT_AN_OBJECT)
    if not data.strip():
        return Fault(name, "", "", "is not valid JSON: the file is empty; write [] for no records")
    text, _, offset = str(error).partition(" (byte ")
    if offset:
        at = int(offset.rstrip(")"))
        reason = _explain(data, at, text.removeprefix("JSON is malformed: "))
    else:
        at, reason = _second_look(data)
    before = data[:at]
    start = before.rfind(b"\n") + 1
    column = len(before[start:].decode(errors="replace")) + 1
    where = f"{name}:{line + before.count(NEWLINE)}:{column}"
    return Fault(where, "", "", f"is not valid JSON: {reason}")


NEWLINE = b"\n"

CONTROLS = {
    "\n": ("a line break", "\\n"),
    "\r": ("a line break", "\\n"),
    "\t": ("a tab", "\\t"),
}
"""Control characters, each with its name and its escape."""

INTENDED = (
    (
        re.compile(rb"-?(NaN|Infinity)|(?<=-)Infinity"),
        "JSON has no NaN and no infinity; write null, or a string",
    ),
    (re.compile(rb"//|/\*|#"), "JSON has no comments; remove the comment"),
    (re.compile(rb"'"), "JSON uses double quotes for names and strings; write \" instead of '"),
    (re.compile(rb"(True|False|None)\b"), "JSON spells these values true, false and null"),
)
"""What people write where JSON has something else, and the remedy."""


EXPLANATIONS = {
    "trailing characters": "there is text after the end of the document; remove it",
    "trailing comma in array": "trailing comma; remove the comma before the closing bracket",
    "trailing comma in object": "trailing comma; remove the comma before the closing brace",
    "invalid escaped character": "invalid escape sequence; write \\\\ for a backslash",
}
"""The parser's words, and the explanation."""


def _explain(data: bytes | bytearray, at: int, reason: str) -> str:
    """Explain the parser's words for the byte at `at`."""
    if "hex escape" in reason:
        return HALF_PAIR
    for pattern, remedy in INTENDED:
        if pattern.match(data, at):
            return remedy
    if reason in EXPLANATIONS:
        return EXPLANATIONS[reason]
    character = data[at : at + 4].decode(errors="ignore")[:1]
    if reason == "invalid character" and character < " ":
        escape = f"\\u{ord(character or chr(0)):04x}"
        what, written = CONTROLS.get(character, ("a control character", escape))
        return f"a string holds {what}; write {written} for it, or close the string's quote"
    if reason == "invalid character":
        return f"unexpected {character}"
    leading_zero = data[at - 1 : at] == b"0" and "number" in reason
    return "a number may not begin with 0; remove the zero" if leading_zero else reason


def _second_look(data: bytes | bytearray) -> tuple[int, str]:
    """Find the fault of a text that seems to be cut off, which half a surrogate pair causes as well."""
    if len(data) > SECOND_LOOK_BYTES:
        return len(data), CUT_OFF
    text = data.decode(errors="replace")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        unclosed = "the string that begins here is not closed; add a double quote"
        reason = unclosed if error.msg.startswith("Unterminated string") else CUT_OFF
        return len(text[: error.pos].encode()), reason
    except RecursionError:
        return len(data), CUT_OFF
    halves = ESCAPED.search(data)
    return halves.start() if halves else len(data), HALF_PAIR
