"""Which element of one list is which of another: equal ones first, then those with most in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from compose_seeder.targets.endpoint.value_trees import Tree, covers

MAX_COMPARISONS = 250_000
"""Of elements with each other; longer lists are paired by place."""


def pair_elements(old: Sequence[Tree], new: Sequence[Tree]) -> dict[int, int]:
    """Return, for elements of `new` that are elements of `old`, the index in `old`.

    Elements have no names: one that is equal, or has more members, is the same; else the one with most equal members;
    else, where the lists are of one length, the one at the same place.
    """
    start, end = _equal_ends(old, new)
    pairs = {n: n for n in range(start)}
    pairs |= {len(new) - n: len(old) - n for n in range(1, end + 1)}
    free_old = list(range(start, len(old) - end))
    free_new = list(range(start, len(new) - end))
    taken: set[int] = set()
    if len(free_old) * len(free_new) <= MAX_COMPARISONS:
        found = sorted(_alike(old, new, free_old, free_new))
        for _, _, index, other in found:
            if other not in pairs and index not in taken:
                pairs[other] = index
                taken.add(index)
    if len(old) == len(new):
        pairs |= {n: n for n in free_new if n not in pairs and n not in taken}
    return pairs


def _equal_ends(old: Sequence[Tree], new: Sequence[Tree]) -> tuple[int, int]:
    """Return how many elements are the same from the beginning, and how many of the others from the end."""
    most = min(len(old), len(new))
    start = next((n for n in range(most) if not covers(new[n], old[n])), most)
    end = 0
    while end < most - start and covers(new[-1 - end], old[-1 - end]):
        end += 1
    return start, end


def _alike(
    old: Sequence[Tree], new: Sequence[Tree], free_old: list[int], free_new: list[int]
) -> Iterator[tuple[float, int, int, int]]:
    """Yield pairs that have something in common, to be sorted: the best ones first, then the nearest."""
    for other in free_new:
        for index in free_old:
            share = _share(old[index], new[other])
            if share:
                yield -share, abs(index - other), index, other


def _share(old: Tree, new: Tree) -> float:
    """Return how much of an old element a new one has, from 0 to 1."""
    if covers(new, old):
        return 1.0
    if not isinstance(old, dict) or not isinstance(new, dict) or not old:
        return 0.0
    return sum(name in new and covers(new[name], part) for name, part in old.items()) / len(old)
