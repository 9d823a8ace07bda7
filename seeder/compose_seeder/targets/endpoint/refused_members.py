"""Members that an API shows and does not take, as the ids of parts: left out where it refuses a request for them.

refused, and the answer names them ─▶ the same request without them ─▶ read back: they must still be there
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

Json = Any
Path = tuple[str | int, ...]

STATUSES = (400, 422)
"""Statuses by which an API refuses what a request says, and has done nothing."""

NOT_TAKEN = re.compile(
    r"(?i)extra|unknown|unrecogni[sz]ed|unexpected|additional|forbid|not (?:be )?(?:permitted|allowed|set)|read.?only"
    r"|immutable"
)
"""Words of an answer that refuses members for being there, and not for their values."""


def find_refused(body: Json, named: Collection[str], answer: str) -> set[str]:
    """Return the names of members that an answer says the API does not take.

    Args:
        body: of the request.
        named: names of members that the file has somewhere: those are sent in any case.
        answer: its text.
    """
    if not NOT_TAKEN.search(answer):
        return set()
    words = set(re.findall(r"[\w-]+", answer))
    return {name for name in _scalar_names(body) if name in words and name not in named}


def leave_out(value: Json, names: Collection[str], left: dict[Path, Json], path: Path = ()) -> Json:
    """Return a body without the scalar members of these names; `left` gets what is left out, by its path."""
    if isinstance(value, list):
        return [leave_out(part, names, left, (*path, n)) for n, part in enumerate(value)]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, part in value.items():
        if name in names and not isinstance(part, dict | list):
            left[*path, name] = part
        else:
            found[name] = leave_out(part, names, left, (*path, name))
    return found


def names_within(values: Iterable[Json]) -> Iterator[str]:
    """Yield the names of all members, at every depth."""
    for value in values:
        if isinstance(value, dict):
            yield from value
            yield from names_within(value.values())
        elif isinstance(value, list):
            yield from names_within(value)


def find_lost(left: Mapping[Path, Json], seen: Mapping[str, Json]) -> Iterator[Path]:
    """Yield the paths of values that were left out, and that the API does not show any more."""
    for path, before in left.items():
        value: Json = seen
        for name in path:
            # An element of a list has no lasting place, and an answer without the field tells nothing.
            if isinstance(name, int) or not isinstance(value, dict) or path[0] not in seen:
                break
            value = value.get(name)
        else:
            if value is None and before is not None:
                yield path


def _scalar_names(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (name for name, part in value.items() if not isinstance(part, dict | list))
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _scalar_names(part)
