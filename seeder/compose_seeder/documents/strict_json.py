"""Checks for what JSON allows and a record may not hold: a name twice, NUL, half of a surrogate pair.

A parser keeps the last of two fields with one name and reports nothing, so that a value is lost.
PostgreSQL cannot store text with NUL or half a pair, and its own message names no field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from msgspec import DecodeError, Raw, defstruct
from msgspec.json import Decoder, decode, encode

from compose_seeder.errors import Fault

END_OF_NAME = b'":'
"""The usual end of a name; rare within a string."""

SPACED = re.compile(rb'"[ \t\n\r]+:')
"""An unusual end of a name."""

loosely = Decoder(float_hook=str).decode
"""Decode a value whose numbers may be larger than any float."""

SECOND_LOOK_BYTES = 1 << 26
"""Largest text for a second look by Python's own parser, which needs many times its size."""

TOO_DEEP = "is nested too deeply; a record may not have hundreds of levels"

TWICE = "occurs twice in one record; remove one of them"

ODD = re.compile(r'["\\\x00-\x1f]')
"""Characters that no name may have which is given to msgspec."""

ESCAPED_END = re.compile(rb"\\u00(22|3[aA])")
"""An escaped quote or colon in a string, which looks like the end of a name once it is unescaped."""

ESCAPED = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
"""NUL, or half of a surrogate pair, in JSON's escapes."""


def is_plain(text: bytes, names: int) -> bool:
    """Tell if the bytes alone show that no name occurs twice; False where they cannot show it.

    Args:
        text: JSON text, of one record or of many.
        names: how many names a parser found in it, nested ones included.
    """
    return text.count(END_OF_NAME) == names and not _is_spaced(text)


def faults(where: str, text: bytes, fields: Mapping[str, Raw]) -> list[Fault]:
    """Find everything that one record may not hold.

    Args:
        where: the record's place, for messages.
        text: the record's JSON text, which is valid.
        fields: the record's fields as a parser returned them.
    """
    names = text.count(END_OF_NAME)
    plain = not _is_spaced(text)
    if plain and names != len(fields):
        # The count within values is the same in the text, whether it is of names' ends or not.
        names -= b"".join(fields.values()).count(END_OF_NAME)
        plain = not any(map(repeats, fields.values()))
    if plain and names == len(fields) and not (b"\\u" in text and ESCAPED.search(text)):
        return []
    try:
        pairs = _pairs(text)
        found = [Fault(where, "", _printable(path), TWICE) for path in _twice(pairs)]
        problems = [(name, _unwritable([name, value])) for name, value in pairs]
    except RecursionError:
        return [Fault(where, "", "", TOO_DEEP)]
    return found + [Fault(where, "", _printable(name), why) for name, why in problems if why]


def has_twice(text: Raw, fields: Mapping[str, Raw], name: str) -> bool:
    """Tell if an object has twice the name that leads to records; a very large object is not searched.

    Args:
        text: the object's.
        fields: the object's fields as a parser returned them.
        name: the name.
    """
    if len(memoryview(text)) > SECOND_LOOK_BYTES:
        return False
    data = bytes(text)
    names = data.count(END_OF_NAME) - sum(bytes(raw).count(END_OF_NAME) for raw in fields.values())
    if names == len(fields) and not _is_spaced(data):
        return False
    with suppress(RecursionError):
        return [given for given, _ in _pairs(data)].count(name) > 1
    return False


def first_repeated(text: Raw, fields: Mapping[str, Raw]) -> str:
    """Return a name that an object has twice itself, not within its values; "" without one.

    Args:
        text: the object's.
        fields: the object's fields as a parser returned them.
    """
    data = bytes(text)
    names = data.count(END_OF_NAME) - sum(bytes(raw).count(END_OF_NAME) for raw in fields.values())
    if names == len(fields) and not _is_spaced(data):
        return ""
    given = [name for name, _ in _pairs(data)]
    return _printable(next((name for name in fields if given.count(name) > 1), ""))


def any_faults(texts: Sequence[Raw | bytes], fields: Sequence[Mapping[str, Raw]]) -> bool:
    """Tell if one of many records holds something that it may not; mostly without a look at each."""
    joined = b"".join(texts)
    values = [value for one in fields for value in one.values()]
    names = sum(map(len, fields)) + b"".join(values).count(END_OF_NAME)
    plain = is_plain(joined, names) and not (b"\\u" in joined and ESCAPED.search(joined))
    if plain and not any_repeats([value for value in values if END_OF_NAME in bytes(value)]):
        return False
    return any(faults("", bytes(text), one) for text, one in zip(texts, fields, strict=True))


def twice_in(text: bytes) -> list[str]:
    """Return the names that occur twice in an object of a JSON value, each with the path to it."""
    if not _is_spaced(text) and not repeats(text):
        return []
    return [_printable(path) for path in _twice(_pairs(text))]


def _is_spaced(text: bytes) -> bool:
    """Tell if a name may have an unusual end; a quick search comes before the exact one."""
    blank = b" :" in text or any(one in text for one in (b"\t", b"\n", b"\r"))
    return blank and SPACED.search(text) is not None


def _pairs(text: bytes) -> Any:
    return json.loads(text.decode(), object_pairs_hook=Pairs, parse_int=str, parse_float=str)


def repeats(raw: Raw | bytes) -> bool:
    """Tell if a value may hold an object with a name twice; a parser keeps the last of them."""
    text = bytes(raw)
    names = text.count(END_OF_NAME)
    try:
        return names > 1 and (
            encode(loosely(text)).count(END_OF_NAME) != names
            or ESCAPED_END.search(text) is not None
        )
    except RecursionError:
        return True


def any_repeats(values: Sequence[Raw]) -> bool:
    """Tell the same of many values, at once where all have the fields of the first one."""
    text = b",".join(values)
    names = text.count(END_OF_NAME)
    if not names:
        return False
    first: list[str] = []
    with suppress(DecodeError, RecursionError):  # not an object, or too deep
        first = list(decode(values[0], type=dict[str, Raw]))
    if first and names == len(first) * len(values) and not ODD.search("".join(first)):
        fields = [(f"f{n}", Raw) for n in range(len(first))]
        rename = {field: name for (field, _), name in zip(fields, first, strict=True)}
        same = defstruct("Same", fields, rename=rename, forbid_unknown_fields=True, gc=False)
        with suppress(DecodeError):
            Decoder(list[same]).decode(b"[" + text + b"]")  # type: ignore[valid-type]
            return False
    return any(map(repeats, values))


class Pairs(tuple[tuple[str, Any], ...]):
    """An object's fields in their order, with repeated names."""

    __slots__ = ()


def _twice(value: Any) -> list[str]:
    """Return the names that an object has twice, or an object within it, each with the path to it."""
    found: list[str] = []
    parts: Iterable[tuple[object, Any]] = ()
    if isinstance(value, Pairs):
        given = [name for name, _ in value]
        found = [name for name in dict.fromkeys(given) if given.count(name) > 1]
        parts = value
    elif isinstance(value, list):
        parts = enumerate(value)
    return found + [f"{name}/{path}" for name, part in parts for path in _twice(part)]


def _unwritable(value: Any) -> str:
    """Return the reason why PostgreSQL cannot store a value's strings, or ""."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(_unwritable, value)), "")
    if not isinstance(value, str):
        return ""
    if "\0" in value:
        return "has the character NUL (\\u0000), which PostgreSQL cannot store; remove it"
    half = next((character for character in value if "\ud800" <= character <= "\udfff"), "")
    if half:
        return f"has half of a surrogate pair (\\u{ord(half):04x}), which is not a character; correct it"
    return ""


def _printable(name: str) -> str:
    return name.encode("ascii" if "\0" in name else "utf-8", "backslashreplace").decode()
