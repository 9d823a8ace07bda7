"""Where a dataset's records are in a JSON text: a JSON Pointer in which `*` stands for every part.

    /brands/*/items ─▶ /brands/0/items, /brands/1/items, …
    /*/** ─▶ /fr, /en, …, and all levels below each

A part that is not there holds no records, as long as one of the others is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from msgspec import Raw
from msgspec.json import decode

from compose_seeder.documents import strict_json
from compose_seeder.documents.record_values import NULL
from compose_seeder.json_pointer import STAR, join_pointer, split_pointer

DEEP = "**"
"""The last part of a pattern that leads to the values on all levels below."""


class NoSuchPlaceError(Exception):
    """A pointer does not lead on.

    Args:
        path: as far as it leads.
        reason: what is there, for messages.
    """

    def __init__(self, path: tuple[str, ...], reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Match:
    """A place to which a pattern leads.

    Attributes:
        path: the names on the way.
        raw: what is there.
        stars: the whole document; then for each `*` the name that it stands for, and what is there.
    """

    path: tuple[str, ...]
    raw: Raw
    stars: tuple[tuple[str, Raw], ...]

    @property
    def pointer(self) -> str:
        """The JSON Pointer to it."""
        return join_pointer(self.path)


@dataclass(frozen=True)
class PointerPattern:
    """A JSON Pointer, with or without `*`.

    Attributes:
        text: as the manifest has it.
    """

    text: str

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The names, and `*`; without `**`."""
        names = split_pointer(self.text)
        return tuple(names[:-1] if self.is_deep else names)

    @property
    def is_deep(self) -> bool:
        """Return whether it leads to the values on all levels below."""
        return split_pointer(self.text)[-1:] == [DEEP]

    @property
    def stars(self) -> int:
        """How many `*` it has."""
        return self.parts.count(STAR)

    def matches(self, document: Raw) -> Iterator[Match]:
        """Yield every place to which the pattern leads, in the document's order.

        Args:
            document: a JSON text, which is valid.

        Raises:
            NoSuchPlaceError: there is no such place, or one that can have no parts.
        """
        found = False
        lost: NoSuchPlaceError | None = None
        for match in self._follow(Match((), document, (("", document),)), self.parts):
            if isinstance(match, NoSuchPlaceError):
                lost = lost or match
            else:
                found = True
                yield match
        if lost and not found:
            raise lost

    def _follow(self, at: Match, parts: tuple[str, ...]) -> Iterator[Match | NoSuchPlaceError]:
        if not parts:
            yield at
            return
        part, *rest = parts
        optional = len(at.stars) > 1
        if optional and at.raw == NULL:
            yield NoSuchPlaceError(at.path, "is null")
        elif part == STAR:
            for name, raw in _members(at):
                stars = (*at.stars, (name, raw))
                yield from self._follow(Match((*at.path, name), raw, stars), tuple(rest))
        elif (there := member(at.raw, part, at.path)) is not None:
            yield from self._follow(Match((*at.path, part), there, at.stars), tuple(rest))
        elif optional:
            yield NoSuchPlaceError(at.path, f"has no {part}")
        else:
            raise NoSuchPlaceError(at.path, f"has no {part}")


def _members(at: Match) -> Iterator[tuple[str, Raw]]:
    kind = kind_of(at.raw)
    if kind == "an array":
        elements = decode(at.raw, type=list[Raw])
        yield from ((str(n), raw) for n, raw in enumerate(elements))
    elif kind == "an object":
        yield from members(at.raw, at.path).items()
    else:
        raise NoSuchPlaceError(at.path, f"is {kind}, and has no parts")


def members(raw: Raw, path: tuple[str, ...] = ()) -> dict[str, Raw]:
    """Return the members of an object.

    Args:
        raw: its text, which is valid.
        path: to it, for messages.

    Raises:
        NoSuchPlaceError: one of them is there twice.
    """
    fields = decode(raw, type=dict[str, Raw])
    if twice := strict_json.first_repeated(raw, fields):
        raise NoSuchPlaceError(path, f"has {twice} twice; remove one of them")
    return fields


def member(raw: Raw, name: str, path: tuple[str, ...] = ()) -> Raw | None:
    """Return the member of an object, or the element of an array; None where there is none.

    Raises:
        NoSuchPlaceError: the member is there twice.
    """
    kind = kind_of(raw)
    if kind == "an object":
        fields = decode(raw, type=dict[str, Raw])
        if strict_json.has_twice(raw, fields, name):
            raise NoSuchPlaceError(path, f"has {name} twice; remove one of them")
        return fields.get(name)
    if kind == "an array" and name.isascii() and name.isdigit():
        elements = decode(raw, type=list[Raw])
        return elements[int(name)] if int(name) < len(elements) else None
    return None


def kind_of(raw: Raw | bytes) -> str:
    """Return what a JSON text holds, with its article."""
    first = bytes(memoryview(raw)[:64]).lstrip()[:1] or bytes(raw).lstrip()[:1]
    return KINDS.get(first, "a number")


KINDS = {
    b"{": "an object",
    b"[": "an array",
    b'"': "text",
    b"t": "true",
    b"f": "false",
    b"n": "null",
}
"""What begins with which character."""
