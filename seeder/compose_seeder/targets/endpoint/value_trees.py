"""Values as trees of hashes: what the ledger keeps of nested values, which tells them apart and holds none of them.

    {"en": "Toad", "tags": ["a", 1]}  ─▶  {"en": 7318…, "tags": [-4410…, 2046…]}

Two trees are equal where the values are equal as JSON: 1.10 is 1.1, and neither true nor "1" is 1.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Any, Final

from compose_seeder.exact_json import Json, encode

Tree = Any
"""Names and lists as in the value, with an integer for each scalar; or one of the values below."""


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""Stands for a member that is not there."""

FOREIGN: Final = 0
"""In a tree: a part that is somebody else's, so that it equals nothing of ours."""

UNKNOWN: Final = None
"""In a tree: a part that is not known. Ledgers of format 5 have names alone."""


def canonical_text(value: Json) -> str:
    """Return the JSON text of a scalar, the same for equal numbers."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return encode(value).decode()
    sign, digits, exponent = Decimal(value).as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    return f"{'-' * sign}{short}e{int(exponent) + len(text) - len(short)}" if short else "0"


class ExactKey(tuple[Json, ...]):
    """The values of a key; 1.10 is 1.1, and true is not 1, as it is in Python."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple) and [*map(canonical_text, self)] == [
            *map(canonical_text, other)
        ]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(tuple(map(canonical_text, self)))


def tree_of(value: Json, salt: int) -> Tree:
    """Return the tree of a value; `salt` is the ledger's."""
    if isinstance(value, dict):
        return {name: tree_of(part, salt) for name, part in value.items()}
    if isinstance(value, list):
        return [tree_of(part, salt) for part in value]
    if value is ABSENT:
        return ABSENT
    key = salt.to_bytes(8, "big", signed=True)
    digest = blake2b(canonical_text(value).encode(), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big", signed=True) or 1  # 0 is FOREIGN


def is_nested(value: Json) -> bool:
    """Tell if a value, or a tree, has parts."""
    return isinstance(value, dict | list)


def covers(shown: Tree, wanted: Tree) -> bool:
    """Tell if a tree has all that another one names, at every depth; it may have more members."""
    if isinstance(shown, dict) and isinstance(wanted, dict):
        return all(name in shown and covers(shown[name], part) for name, part in wanted.items())
    if isinstance(shown, list) and isinstance(wanted, list):
        return len(shown) == len(wanted) and all(map(covers, shown, wanted))
    return bool(shown == wanted)


def has_unknown(tree: Tree) -> bool:
    """Tell if a part of a tree is not known."""
    if isinstance(tree, dict):
        return any(map(has_unknown, tree.values()))
    return any(map(has_unknown, tree)) if isinstance(tree, list) else tree is UNKNOWN
