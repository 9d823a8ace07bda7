"""The elements of a document that are its records, before a shape is given to them.

records = "/brands/*/items"   the elements of arrays
key_as = "slug"               the members of objects, with their names
single = true                 the very values to which the pointer leads
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from msgspec import Raw

from compose_seeder.documents.batch import BATCH_RECORDS, Batch, Documents
from compose_seeder.documents.json_array import elements as array_elements
from compose_seeder.documents.pointer_pattern import (
    Match,
    NoSuchPlaceError,
    PointerPattern,
    kind_of,
    members,
)
from compose_seeder.errors import Fault, RecordError
from compose_seeder.json_pointer import join_pointer


@dataclass(frozen=True)
class Layout:
    """Where the records of a JSON text are.

    Attributes:
        pattern: to what holds them.
        keyed: an object holds them, each under its key.
        single: the pattern leads to the records themselves.
    """

    pattern: PointerPattern
    keyed: bool = False
    single: bool = False

    @property
    def is_flat(self) -> bool:
        """True where the document is a list of records, as CSV and lines always are."""
        return not (self.pattern.text or self.keyed or self.single)


@dataclass(frozen=True)
class Elements:
    """Some consecutive elements.

    Attributes:
        batch: their texts and places.
        match: the place that holds them; None in a document of lines.
        names: under which an object holds them, or None.
    """

    batch: Batch
    match: Match | None = None
    names: Sequence[str] | None = None


class Document(Documents, Protocol):
    """The text of one file."""

    def elements(self, layout: Layout) -> Iterator[Elements]:
        """Yield the elements that a shape makes records of.

        Raises:
            RecordError: they are not there.
        """


def flat_elements(name: str, document: Documents, layout: Layout) -> Iterator[Elements]:
    """Yield the elements of a document of lines or rows.

    Args:
        name: of the file.
        document: it.
        layout: what the manifest expects.

    Raises:
        RecordError: the manifest expects another document.
    """
    if not layout.is_flat:
        key = "records" if layout.pattern.text else "key_as" if layout.keyed else "single"
        problem = (
            f"each line is a record here, and has no place to which {key} could lead; remove {key}"
        )
        raise RecordError("the manifest does not fit", [Fault(name, "", "", problem)])
    for batch in document.batches(""):
        yield Elements(batch)


def json_elements(name: str, document: Raw, layout: Layout) -> Iterator[Elements]:
    """Yield the elements of a JSON text.

    Args:
        name: of the file.
        document: its text, which is valid.
        layout: where they are.

    Raises:
        NoSuchPlaceError: they are not there.
    """
    for match in layout.pattern.matches(document):
        if layout.single:
            place = f"#{match.pointer}" if match.path else ""
            yield Elements(Batch(0, [match.raw], partial(_single, name + place)), match)
        elif layout.keyed:
            found = leaves(match) if layout.pattern.is_deep else _members(match)
            yield from _named(name, match, found)
        else:
            yield from _array(name, match)


def _array(name: str, match: Match) -> Iterator[Elements]:
    if kind_of(match.raw) != "an array":
        if len(match.stars) > 1 and kind_of(match.raw) == "null":
            return
        raise NoSuchPlaceError(match.path, f"is {kind_of(match.raw)}, and no array of records")
    first = 0
    for some in array_elements(match.raw):
        for start in range(0, len(some), BATCH_RECORDS):
            texts = some[start : start + BATCH_RECORDS]
            place = partial(_element, f"{name}#{match.pointer}", first)
            yield Elements(Batch(first, texts, place), match)
            first += len(texts)


Named = dict[str, tuple[tuple[str, ...], Raw]]
"""Path and text of each element, by its name."""


def _members(match: Match) -> Named:
    if kind_of(match.raw) != "an object":
        if len(match.stars) > 1 and kind_of(match.raw) == "null":
            return {}
        reason = f"is {kind_of(match.raw)}, and no object whose members are the records"
        raise NoSuchPlaceError(match.path, reason)
    return {name: ((name,), raw) for name, raw in members(match.raw, match.path).items()}


def leaves(match: Match) -> Named:
    """Return the values below a place that are no objects, by the names on the way, joined with points.

    Raises:
        NoSuchPlaceError: two of them have the same name.
    """
    found: Named = {}
    waiting: list[tuple[tuple[str, ...], Raw]] = [((), match.raw)]
    while waiting:
        path, raw = waiting.pop()
        if kind_of(raw) == "an object":
            inner = members(raw, (*match.path, *path)).items()
            waiting += reversed([((*path, name), value) for name, value in inner])
            continue
        key = LEVELS.join(path)
        if key in found or not path:
            reason = f"is the second value with the key {key}" if path else f"is {kind_of(raw)}"
            raise NoSuchPlaceError((*match.path, *path), reason)
        found[key] = (path, raw)
    return found


LEVELS = "."
"""Between the names of a key that goes through several levels."""


def _named(name: str, match: Match, found: Named) -> Iterator[Elements]:
    names = list(found)
    for start in range(0, len(names), BATCH_RECORDS):
        own = names[start : start + BATCH_RECORDS]
        paths = [found[one][0] for one in own]
        place = partial(_member, f"{name}#{match.pointer}", paths)
        yield Elements(Batch(start, [found[one][1] for one in own], place), match, own)


def _single(where: str, n: int) -> str:
    del n
    return where


def _element(prefix: str, first: int, n: int) -> str:
    return f"{prefix}/{first + n}"


def _member(prefix: str, paths: Sequence[tuple[str, ...]], n: int) -> str:
    return f"{prefix}{join_pointer(paths[n])}"
