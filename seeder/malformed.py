"""Where JSON text is wrong, and how a person would say it."""

from __future__ import annotations

import json

from msgspec import DecodeError, ValidationError

from seeder.errors import Fault
from seeder.strict import ESCAPED

LOOKED_AT = 1 << 26
"""How large a text may be for a second look by Python's own parser, which takes many times its size."""

DEEP = "is nested too deeply: no record needs hundreds of levels"

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
    said = text.removeprefix("JSON is malformed: ")
    at = int(offset.rstrip(")")) if offset else len(data)
    if not offset:
        at, said = _second_look(data)
    before = data[:at]
    start = before.rfind(b"\n") + 1
    column = len(before[start:].decode(errors="replace")) + 1
    where = f"{name}:{line + before.count(NEWLINE)}:{column}"
    return Fault(where, "", "", f"is not valid JSON: {said}")


NEWLINE = b"\n"


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
    return halves.start() if halves else len(data), "half of a surrogate pair is no character"
