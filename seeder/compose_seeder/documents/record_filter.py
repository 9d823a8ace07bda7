"""`where`: the records of a list that belong to a dataset, by equality.

A number is compared as it is written, `1.0` is not `1`; a value of a CSV file is text, and compared as text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from msgspec import DecodeError, Raw
from msgspec.json import decode, encode

from compose_seeder.documents.pointer_pattern import member
from compose_seeder.errors import did_you_mean, quote
from compose_seeder.json_pointer import split_pointer

Constant = str | bool | int | float

SHOWN_VALUES = 5


@dataclass(frozen=True)
class RecordFilter:
    """The conditions of one `where`.

    Attributes:
        conditions: a field, or a JSON Pointer -> the value that it must have, or several.
        is_text: every value of the file is text.
    """

    conditions: Mapping[str, Constant | tuple[Constant, ...]]
    is_text: bool = False

    @cached_property
    def wanted(self) -> list[tuple[str, list[str], frozenset[bytes]]]:
        """For each condition: its name, the members on the way, and the values as they are compared."""
        return [
            (
                name,
                split_pointer(name) if name.startswith("/") else [name],
                frozenset(map(self._exact, value if isinstance(value, tuple) else (value,))),
            )
            for name, value in self.conditions.items()
        ]

    def _exact(self, value: Constant) -> bytes:
        text = encode(value)
        return encode(text.decode()) if self.is_text and not isinstance(value, str) else text

    def holds(self, fields: Mapping[str, Raw]) -> bool:
        """Tell if a record belongs to the dataset."""
        return self.accepts(fields, Seen())

    def accepts(self, fields: Mapping[str, Raw], seen: Seen) -> bool:
        """Tell if a record belongs to the dataset; `seen` is told what it has, until one belongs to it."""
        for name, path, values in self.wanted:
            raw = fields.get(name) if len(path) == 1 and path[0] == name else _follow(fields, path)
            exact = _normal(raw) if raw is not None else b""
            if not seen.accepted:
                seen.values.setdefault(name, Counter())[exact] += 1
            if exact not in values:
                return False
        seen.accepted += 1
        return True

    def problem(self, seen: Seen, *, shows_values: bool) -> str:
        """Return why no record at all was accepted."""
        for name, _, values in self.wanted:
            found = seen.values.get(name, Counter())
            if values & found.keys():
                continue
            texts = [one.decode() for one, _ in found.most_common(SHOWN_VALUES) if one]
            if not texts:
                return f"where names {name}, but no record has that field"
            wanted = next(iter(values)).decode()
            if not shows_values:
                return f"where selects no record: none has {name} = {quote(wanted)}"
            more = ", …" if len(found) > SHOWN_VALUES else ""
            near = did_you_mean(
                wanted.strip('"'), [one.decode().strip('"') for one in found if one]
            )
            return (
                f"where selects no record: none has {name} = {quote(wanted)}{near}; there is"
                f" {quote(', '.join(texts))}{more}"
            )
        return "where selects no record: none fulfils all of its conditions"


@dataclass
class Seen:
    """What the records of a file have that a filter looks at.

    Attributes:
        accepted: how many records belong to the dataset.
        values: by condition: values, with their number.
    """

    accepted: int = 0
    values: dict[str, Counter[bytes]] = field(default_factory=dict)


def _follow(fields: Mapping[str, Raw], path: list[str]) -> Raw | None:
    raw = fields.get(path[0])
    for name in path[1:]:
        if raw is None:
            return None
        raw = member(raw, name)
    return raw


def _normal(raw: Raw) -> bytes:
    """Return a value's text as it is compared: a text may be escaped in several ways."""
    text = bytes(raw)
    if b"\\" not in text or not text.startswith(b'"'):
        return text
    try:
        return encode(decode(text, type=str))
    except DecodeError:
        return text
