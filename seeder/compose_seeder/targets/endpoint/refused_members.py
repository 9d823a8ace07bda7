"""Members that an API shows and does not take, as the ids of parts: left out where it refuses a request for them.

refused, and a fault of the answer names them ─▶ the same request without them ─▶ read back: they must still be there

A member that is refused for its value stays: a PUT without it could lose what a person wrote.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import DecodeError

from compose_seeder.exact_json import Json, decode

Path = tuple[str | int, ...]
Shape = tuple[str | None, ...]
"""A path whose elements of lists have no number, so that it fits other records: `("tags", None, "id")`."""

STATUSES = (400, 422)
"""Statuses by which an API refuses what a request says, and has done nothing."""

NOT_TAKEN = re.compile(
    r"(?:extra|unknown|unrecogni[sz]ed|unexpected|additional|unpermitted)[\s_-]*"
    r"(?:inputs?|fields?|keys?|propert(?:y|ies)|param(?:eter)?s?|attributes?|members?)"
    r"|extra_forbidden|should not exist|not (?:be )?(?:permitted|allowed|set)\b(?! to)|read[\s_-]?only|immutable",
    re.IGNORECASE,
)
"""Words that refuse a member for being there, and not for its value."""

CLAUSES = re.compile(
    r"[;\n]|\.\s|\b(?:one of|expected|known|valid|supported|(?:allowed|permitted):)", re.IGNORECASE
)
"""Where a clause ends: what follows may list the members that the API does take."""

PLACES = ("loc", "path", "field", "property", "param", "pointer", "propertyPath", "instancePath")
"""Fields by which a fault says where it is."""

WORDS = (
    "message",
    "msg",
    "detail",
    "details",
    "error",
    "errors",
    "title",
    "type",
    "code",
    "reason",
    "description",
)
"""Fields by which it says what it is; a member of such a name is not what it is about."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A fault of an answer that refuses members for being there.

    Attributes:
        words: of the clause that says so.
        place: the names that lead to the fault, or those by which it says where it is.
        options: which of these may name the member; the first that does counts.
    """

    words: Sequence[str]
    place: Sequence[str]
    options: tuple[Collection[str], ...]

    def rank(self, member: Shape) -> tuple[int, bool]:
        """Return how well a member fits; higher is better."""
        end = [None if word.isdigit() else word for word in self.place[-len(member) :]]
        return len({*self.words, *self.place}.intersection(member)), end == [*member]


def find_refused(body: Json, named: Collection[Shape], answer: str) -> set[Shape]:
    """Return the members that an answer says the API does not take.

    Args:
        body: of the request.
        named: members that the file has, of some record: those are sent in any case.
        answer: its text.
    """
    members = {*members_within([body])}
    found: set[Shape] = set()
    for refusal in _refusals(answer):
        options = ([each for each in members if each[-1] in words] for words in refusal.options)
        ranks = {
            member: (*refusal.rank(member), member[:1] in named)
            for member in next(filter(None, options), [])
        }
        best = max(ranks.values(), default=None)
        found |= {member for member, rank in ranks.items() if rank == best}
    return found.difference(named)


def leave_out(
    value: Json, shapes: Collection[Shape], left: dict[Path, Json], path: Path = ()
) -> Json:
    """Return a body without the scalar members of these shapes; `left` gets what is left out, by its path."""
    if isinstance(value, list):
        return [leave_out(part, shapes, left, (*path, n)) for n, part in enumerate(value)]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, part in value.items():
        here = (*path, name)
        if shape_of(here) in shapes and not isinstance(part, dict | list):
            left[here] = part
        else:
            found[name] = leave_out(part, shapes, left, here)
    return found


def shape_of(path: Path) -> Shape:
    """Return a path without the numbers of elements."""
    return tuple(None if isinstance(name, int) else name for name in path)


def members_within(records: Iterable[Json]) -> Iterator[Shape]:
    """Yield the scalar members of records, at every depth."""
    for record in records:
        yield from (shape_of(path) for path, _ in _scalars(record))


def find_lost(left: Mapping[Path, Json], seen: Mapping[str, Json]) -> Iterator[Path]:
    """Yield the paths of values that were left out, and that the API does not show any more.

    An element of a list has no lasting place: its list must show as many values as were left out.
    """
    shown = Counter(shape_of(path) for path, value in _scalars(seen) if value is not None)
    before = {path: shape_of(path) for path, value in left.items() if value is not None}
    counts = Counter(before.values())
    # An answer without the field tells nothing.
    yield from (
        path for path, shape in before.items() if path[0] in seen and shown[shape] < counts[shape]
    )


def _refusals(answer: str) -> Iterator[Refusal]:
    try:
        document = decode(answer.encode())
    except DecodeError:
        document = answer
    return _in_document(document, ())


def _in_document(value: Json, lead: tuple[str, ...]) -> Iterator[Refusal]:
    """Yield the refusals in an answer, each fault by itself; `lead` has the names that lead to it."""
    if isinstance(value, str):
        for words in _clauses(value, *lead[-1:]):
            yield Refusal(words, lead, options=(words, lead[-1:]))
    elif isinstance(value, list):
        for part in value:
            yield from _in_document(part, lead)
    elif isinstance(value, dict):
        place = next((_words(value[name]) for name in PLACES if value.get(name)), [])
        for name, part in value.items():
            if place and isinstance(part, str):
                for words in _clauses(part, name):
                    yield Refusal(words, place, options=(place[-1:], words))
            else:
                yield from _in_document(part, lead if name in WORDS else (*lead, name))


def _clauses(text: str, name: str = "") -> Iterator[list[str]]:
    """Yield the words of each clause that refuses members, of a text that an answer has under a name."""
    for clause in CLAUSES.split(text):
        if NOT_TAKEN.search(clause) or NOT_TAKEN.search(name):
            yield _words(clause)


def _words(value: Json) -> list[str]:
    return re.findall(
        r"[\w-]+", " ".join(map(str, value)) if isinstance(value, list) else str(value)
    )


def _scalars(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Yield the paths of scalar members, at every depth, with their values."""
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _scalars(part, (*path, name))
    elif path and isinstance(path[-1], str):
        yield path, value
