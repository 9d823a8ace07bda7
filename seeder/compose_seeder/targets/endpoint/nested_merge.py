"""Nested values merged, member by member, on the live value: applied, live and desired to what is sent.

    applied ┐      as applied, and changed in the file            ─▶ the file's
    live    ├─▶    edited or added by hand                        ─▶ stays
    desired ┘      ours, as applied, and no longer in the file    ─▶ removed

Live is compared twice, like with like: as the applied record saw it with what was applied, and as the new record sees
it with what is desired. `Merge.merge` is the entry; each of the other methods is one situation of a part.
"""

from __future__ import annotations

from collections.abc import Mapping

from compose_seeder.reconcile.plan import EDITED_BY_HAND, Outcome
from compose_seeder.targets.endpoint.list_merge import Element, is_moved, match_elements, ordered
from compose_seeder.targets.endpoint.merged import NOTHING, Merged, Part, Path, Side, overlay
from compose_seeder.targets.endpoint.past import Past
from compose_seeder.targets.endpoint.value_trees import ABSENT, FOREIGN, UNKNOWN, Tree, covers


class Merge:
    """Merges one field of a record.

    Args:
        overwrite: edits by hand give way to what is desired.

    Attributes:
        parts: what differs; filled by `merge`.
    """

    def __init__(self, *, overwrite: bool) -> None:
        self._overwrite = overwrite
        self.parts: list[Part] = []

    def merge(self, past: Past, live: Side, desired: Side, path: Path = ()) -> Merged:
        """Return a part as it should be, and add what differs to `parts`."""
        if desired.is_absent:
            return self._not_desired(past, live, path)
        if live.is_absent:
            return self._not_live(past, desired, path)
        if isinstance(live.value, dict) and isinstance(desired.value, dict):
            was_object = isinstance(past.applied, dict) or past.applied is ABSENT
            if was_object or not past.is_untouched(live.tree):
                return self._members(past, live, desired, path)
        if (
            isinstance(live.value, list)
            and isinstance(desired.value, list)
            and isinstance(past.applied, list)
            and not past.is_shown_otherwise(live.tree)
        ):
            return self._elements(past, live, desired, path)
        return self._whole(past, live, desired, path)

    def _whole(self, past: Past, live: Side, desired: Side, path: Path) -> Merged:
        """Merge a part as one: a scalar, or another type than it was."""
        if covers(live.tree, desired.tree):
            return Merged(live.value, desired.tree)
        outcome = _outcome(past, live, desired)
        if self._stays(path, live, desired, outcome):
            applied = FOREIGN if past.applied is ABSENT else past.applied
            return Merged(live.value, applied, by_hand=True)
        writes = outcome != "unconfirmed"
        return Merged(overlay(live, desired), desired.tree, writes=writes)

    def _not_live(self, past: Past, desired: Side, path: Path) -> Merged:
        """Merge a member that is desired, and not live."""
        if self._stays(path, NOTHING, desired, _outcome_without_live(past, desired)):
            return Merged(ABSENT, past.applied, by_hand=True)
        writes = self.parts[-1].outcome != "unconfirmed"
        return Merged(desired.value, desired.tree, writes=writes)

    def _not_desired(self, past: Past, live: Side, path: Path) -> Merged:
        """Merge a member that the file does not name: ours is removed, unless somebody edited it."""
        if live.is_absent or past.applied is ABSENT:
            return Merged(live.value, ABSENT)
        untouched = past.is_untouched(live.tree)
        in_parts = isinstance(live.value, dict) and isinstance(past.applied, dict)
        if in_parts and not untouched and not self._overwrite:
            return self._remainder(past, live, path)
        outcome: Outcome = "update" if untouched else "conflict"
        if past.applied == FOREIGN or self._stays(path, live, NOTHING, outcome):
            return Merged(live.value, ABSENT, by_hand=True)
        return Merged(ABSENT, ABSENT, writes=True)

    def _stays(self, path: Path, live: Side, desired: Side, outcome: Outcome) -> bool:
        """Add a part, and tell if it stays as it is for somebody's edit."""
        edited = outcome in EDITED_BY_HAND
        write = outcome == "update" or (edited and self._overwrite)
        before, after = (None if side.is_absent else side.value for side in (live, desired))
        self.parts.append(Part(path, before, after, outcome, write))
        return edited and not write

    def _remainder(self, past: Past, live: Side, path: Path) -> Merged:
        """Return what people added to an object or edited in it, and the file no longer names."""
        found = {
            name: self._not_desired(past.member(name), live.member(name), (*path, name))
            for name in live.value
        }
        left = _object(past, live, found)
        if not left.by_hand:
            return Merged(ABSENT, ABSENT, writes=True)
        return Merged(left.value, ABSENT, left.by_hand, left.writes)

    def _members(self, past: Past, live: Side, desired: Side, path: Path) -> Merged:
        found = {
            name: self.merge(
                past.member(name), live.member(name), desired.member(name), (*path, name)
            )
            for name in dict.fromkeys([*live.value, *desired.value])
        }
        return _object(past, live, found)

    def _elements(self, past: Past, live: Side, desired: Side, path: Path) -> Merged:
        """Merge lists; a change of one is one part of the plan, and each edit of an element another."""
        before, self.parts = self.parts, []
        elements = match_elements(past, live.tree, desired.tree)
        found = {element: self._element(past, element, live, desired, path) for element in elements}
        there = [element for element in elements if found[element].value is not ABSENT]
        as_live = is_moved(elements) and not self._overwrite
        order = ordered(there, as_live=as_live)
        moved = [e.live for e in order] != list(range(len(live.value)))
        writes = moved or any(merged.writes for merged in found.values())
        parts = [part for part in self.parts if part.outcome != "update"]
        same = past.applied == desired.tree
        if writes and not any(part.write for part in parts):
            outcome: Outcome = "drift" if same and self._overwrite else "update"
            parts.append(Part(path, live.value, desired.value, outcome, write=True))
        elif as_live:
            parts.append(Part(path, live.value, desired.value, "drift" if same else "conflict"))
        self.parts = before + parts
        removed = any(e.live is None and found[e].by_hand for e in elements)
        by_hand = [found[e].by_hand for e in order] + [True] * (removed or as_live)
        applied = [found[element].applied for element in elements if element.desired is not None]
        return Merged(
            [found[e].value for e in order], applied, by_hand if any(by_hand) else False, writes
        )

    def _element(
        self, past: Past, element: Element, live: Side, desired: Side, path: Path
    ) -> Merged:
        here = Past(ABSENT) if element.applied is None else past.element(element.applied)
        its_live, its_desired = live.element(element.live), desired.element(element.desired)
        inside = (*path, (element.live if element.desired is None else element.desired) or 0)
        if element.desired is None:  # as a whole: a part of an element is no element
            untouched = here.is_untouched(its_live.tree)
            edit: Outcome = "drift" if element.applied is None else "conflict"
            if self._stays(inside, its_live, NOTHING, "update" if untouched else edit):
                return Merged(its_live.value, ABSENT, by_hand=True)
            return Merged(ABSENT, ABSENT, writes=True)
        if element.live is None and element.applied is not None:
            outcome: Outcome = "drift" if here.applied == its_desired.tree else "conflict"
            if self._stays(inside, NOTHING, its_desired, outcome):
                return Merged(ABSENT, here.applied, by_hand=True)
            return Merged(its_desired.value, its_desired.tree, writes=True)
        return self.merge(here, its_live, its_desired, inside)


def _outcome(past: Past, live: Side, desired: Side) -> Outcome:
    """Return why a live part differs from the desired one."""
    if past.applied == FOREIGN:
        return "drift"
    if past.applied is ABSENT:  # new in the file: written where nobody has chosen a value
        return "update" if live.value is None or live.tree == past.shown else "drift"
    same = bool(past.applied == desired.tree)
    if past.is_untouched(live.tree):
        return "unconfirmed" if same else "update"
    return "drift" if same else "conflict"


def _outcome_without_live(past: Past, desired: Side) -> Outcome:
    """Return why a desired member is not live."""
    if past.applied is ABSENT:
        return "update"
    if past.applied == FOREIGN:
        return "drift"
    same = bool(past.applied == desired.tree)
    if past.is_ours or past.shown is ABSENT or past.shown is UNKNOWN:
        return "unconfirmed" if same else "update"  # the API dropped it, or nobody looked
    return "drift" if same else "conflict"


def _object(past: Past, live: Side, found: Mapping[str, Merged]) -> Merged:
    """Return an object of merged members; `ABSENT` where nothing but members of the API's own is left of it."""
    there = {name: part for name, part in found.items() if part.value is not ABSENT}
    by_hand = {name: part.by_hand for name, part in found.items()}
    for name, part in there.items():
        if part.applied is ABSENT and not part.by_hand:
            by_hand[name] = not past.gave(name, live.member(name).tree)
    applied: Tree = {
        name: part.applied for name, part in found.items() if part.applied is not ABSENT
    }
    return Merged(
        {name: part.value for name, part in there.items()},
        applied,
        {name: edited for name, edited in by_hand.items() if edited} or False,
        any(part.writes for part in found.values()),
    )
