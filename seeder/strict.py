"""What JSON allows and a record may not hold: a name twice, NUL, half of a surrogate pair.

A parser takes the last of two fields with one name and says nothing, so that a value is lost. Text
with NUL or half a pair is nothing that PostgreSQL can hold, and its own words name no field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from seeder.errors import Fault

END_OF_NAME = b'":'
"""As nearly everybody writes it; in a text it is rare."""

SPACED = b'" :'
"""As somebody else may write it."""

ESCAPED = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
"""NUL, or half of a surrogate pair, in JSON's escapes."""


def is_plain(text: bytes, names: int) -> bool:
    """Whether the bytes alone show that no name stands twice; False where they cannot tell.

    Args:
        text: JSON text, of one record or of many.
        names: how many names a parser found in it, nested ones included.
    """
    return text.count(END_OF_NAME) == names and SPACED not in text


def faults(where: str, text: bytes, fields: Mapping[str, Raw]) -> list[Fault]:
    """What one record may not hold.

    Args:
        where: its place, for messages.
        text: its JSON text, which is valid.
        fields: what a parser took from it.
    """
    names = text.count(END_OF_NAME)
    # Those within values stand there as they stand in the text, be it a name's end or not.
    if names != len(fields):
        names -= sum(bytes(raw).count(END_OF_NAME) for raw in fields.values())
    plain = names == len(fields) and SPACED not in text
    if plain and not (b"\\u" in text and ESCAPED.search(text)):
        return []
    pairs = json.loads(text.decode(), object_pairs_hook=tuple, parse_int=str, parse_float=str)
    given = [name for name, _ in pairs]
    twice = [name for name in dict.fromkeys(given) if given.count(name) > 1]
    found = [Fault(where, "", name, "is there twice in one record: remove one") for name in twice]
    for name, value in pairs:
        if problem := _unwritable([name, value]):
            found.append(Fault(where, "", _printable(name), problem))
    return found


def _unwritable(value: Any) -> str:
    """Why PostgreSQL cannot hold a value's texts, or ""."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(_unwritable, value)), "")
    if not isinstance(value, str):
        return ""
    if "\0" in value:
        return "has the character NUL (\\u0000), which PostgreSQL cannot store: remove it"
    half = next((character for character in value if "\ud800" <= character <= "\udfff"), "")
    if half:
        return (
            f"has half of a surrogate pair (\\u{ord(half):04x}), which is no character: correct it"
        )
    return ""


def _printable(name: str) -> str:
    return name.encode("ascii" if "\0" in name else "utf-8", "backslashreplace").decode()
