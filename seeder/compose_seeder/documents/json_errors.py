"""Where JSON text is wrong, and how a person would say it."""

from __future__ import annotations

import json
import re

from msgspec import DecodeError, ValidationError

from compose_seeder.documents.strict_json import DEEP, ESCAPED, LOOKED_AT
from compose_seeder.errors import Fault

HALF = "a text holds half of a surrogate pair (\\ud800 to \\udfff), which is no character"

CUT_OFF = "it ends too early; a quote, a bracket or a brace is not closed"


def fault(
    name: str, data: bytes | bytearray, error: DecodeError | RecursionError, line: int = 1
) -> Fault:
    """What is wrong with a text that is no JSON, with its line and column.

    Args:
        name: of the file.
        data: the text that a parser refused.
        error: what it said.
        line: of the file, in which the text begins.
    """
    if isinstance(error, RecursionError):
        return Fault(name if line == 1 else f"{name}:{line}", "", "", DEEP)
    if isinstance(error, ValidationError):
        return Fault(f"{name}:{line}", "", "", "is not a JSON object: a record must be one")
    if not data.strip():
        return Fault(name, "", "", "is not valid JSON: it is empty; no records are written []")
    text, _, offset = str(error).partition(" (byte ")
    if offset:
        at = int(offset.rstrip(")"))
        said = _explained(data, at, text.removeprefix("JSON is malformed: "))
    else:
        at, said = _second_look(data)
    before = data[:at]
    start = before.rfind(b"\n") + 1
    column = len(before[start:].decode(errors="replace")) + 1
    where = f"{name}:{line + before.count(NEWLINE)}:{column}"
    return Fault(where, "", "", f"is not valid JSON: {said}")


NEWLINE = b"\n"

CONTROLS = {
    "\n": "a line break, written \\n",
    "\r": "a line break, written \\n",
    "\t": "a tab, written \\t",
}

MEANT = (
    (
        re.compile(rb"-?(NaN|Infinity)|(?<=-)Infinity"),
        "JSON has no NaN and no infinity: write null, or text",
    ),
    (re.compile(rb"//|/\*|#"), "JSON has no comments: remove it"),
    (re.compile(rb"'"), "names and texts stand in double quotes"),
    (re.compile(rb"(True|False|None)\b"), "JSON writes true, false and null"),
)
"""What people write where JSON has something else."""


SAID = {
    "trailing characters": "something stands after the end of the document",
    "trailing comma in array": "the comma before it is one too many",
    "trailing comma in object": "the comma before it is one too many",
    "invalid escaped character": "a backslash that is meant so is written twice",
}


def _explained(data: bytes | bytearray, at: int, said: str) -> str:
    """A parser's words for what stands at a byte, in those of somebody who wrote it."""
    if "hex escape" in said:
        return HALF
    for pattern, meant in MEANT:
        if pattern.match(data, at):
            return meant
    if said in SAID:
        return SAID[said]
    character = data[at : at + 4].decode(errors="ignore")[:1]
    if said == "invalid character" and character < " ":
        what = CONTROLS.get(character, f"\\u{ord(character or chr(0)):04x}, written so")
        return f"a text holds {what}; or its quote is not closed"
    if said == "invalid character":
        return f"{character} is not expected here"
    return "a number begins with no 0" if data[at - 1 : at] == b"0" and "number" in said else said


def _second_look(data: bytes | bytearray) -> tuple[int, str]:
    """Where a text that seems to be cut off is wrong: half a surrogate pair makes it seem so as well."""
    if len(data) > LOOKED_AT:
        return len(data), CUT_OFF
    text = data.decode(errors="replace")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        unclosed = "a text that begins here is not closed"
        said = unclosed if error.msg.startswith("Unterminated string") else CUT_OFF
        return len(text[: error.pos].encode()), said
    except RecursionError:
        return len(data), CUT_OFF
    halves = ESCAPED.search(data)
    return halves.start() if halves else len(data), HALF
