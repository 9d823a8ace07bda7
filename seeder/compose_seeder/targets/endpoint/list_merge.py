"""Lists merged, element by element: which element is which on the three sides, and in which order they go.

applied [a, b]     live [a, b, added by hand]     desired [a, c]     ─▶ [a, c, added by hand]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from compose_seeder.targets.endpoint.list_pairs import pair_elements
from compose_seeder.targets.endpoint.past import Past
from compose_seeder.targets.endpoint.value_trees import Tree, covers


@dataclass(frozen=True, slots=True)
class Element:
    """An element by its index on each side; None where it is not there."""

    applied: int | None
    live: int | None
    desired: int | None


def match_elements(past: Past, live: list[Tree], desired: list[Tree]) -> list[Element]:
    """Return the elements of a list that was applied: the desired ones in order, then the others that are live."""
    if past.has_untouched_elements(live):
        of_live = {n: n for n in range(len(live))}
    else:
        of_live = pair_elements(past.applied, live)
    of_desired = pair_elements(past.applied, desired)
    live_at = {applied: index for index, applied in of_live.items()}
    wanted = [
        Element(of_desired.get(n), live_at.get(of_desired.get(n, -1)), n)
        for n in range(len(desired))
    ]
    strangers = [n for n in range(len(live)) if n not in of_live]
    wanted = list(_with_strangers(wanted, strangers, live, desired))
    used = {element.live for element in wanted}
    return wanted + [Element(of_live.get(n), n, None) for n in range(len(live)) if n not in used]


def _with_strangers(
    wanted: list[Element], strangers: list[int], live: list[Tree], desired: list[Tree]
) -> Iterable[Element]:
    """Yield the elements; a new one that somebody has added in the same words is that one."""
    for element in wanted:
        there = None
        if element.applied is None and element.desired is not None:
            new = desired[element.desired]
            there = next((n for n in strangers if covers(live[n], new)), None)
        if there is None:
            yield element
        else:
            strangers.remove(there)
            yield Element(None, there, element.desired)


def is_moved(elements: Sequence[Element]) -> bool:
    """Tell if somebody has moved elements that were applied."""
    there = sorted(
        (e.live, e.applied) for e in elements if e.live is not None and e.applied is not None
    )
    return any(before > after for (_, before), (_, after) in pairwise(there))


def ordered(elements: Sequence[Element], *, as_live: bool) -> list[Element]:
    """Return the elements in the order of the file, or as they are live; each of the others behind its neighbour."""
    by_file = sorted((e for e in elements if e.desired is not None), key=lambda e: e.desired or 0)
    by_live = sorted((e for e in elements if e.live is not None), key=lambda e: e.live or 0)
    first, second = (by_live, by_file) if as_live else (by_file, by_live)
    order = list(first)
    for before, element in zip([None, *second], second, strict=False):
        if element not in order:
            order.insert(order.index(before) + 1 if before else 0, element)
    return order
