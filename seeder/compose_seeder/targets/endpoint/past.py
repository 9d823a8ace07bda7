"""What is known from before of a part of a nested value: what was applied, shown and about to be sent."""

from __future__ import annotations

from dataclasses import dataclass

from compose_seeder.targets.endpoint.list_pairs import pair_elements
from compose_seeder.targets.endpoint.value_trees import ABSENT, FOREIGN, UNKNOWN, Tree


@dataclass(frozen=True, slots=True)
class Past:
    """A part of a nested value before this run, as trees of hashes.

    Attributes:
        applied: what was last written; `ABSENT` where nothing was, `FOREIGN` where the value is somebody else's.
        shown: what the API showed right after the write, members of its own included; `UNKNOWN` where nobody looked,
            `FOREIGN` where the value was already somebody's edit then.
        intended: what a killed run was about to send; `UNKNOWN` where there was none.
        is_ours: a killed run created the record, so that all that is there is ours.
        given: of an element of a list: the names of members that the API gave to elements; None where nobody
            looked, and every member that is not ours is taken for one that the API gave.
    """

    applied: Tree
    shown: Tree = UNKNOWN
    intended: Tree = UNKNOWN
    is_ours: bool = False
    given: frozenset[str] | None = frozenset()

    def member(self, name: str) -> Past:
        """Return the past of a member of this object."""
        applied = self.applied
        if isinstance(applied, dict):
            applied = applied.get(name, ABSENT)
        elif applied not in (ABSENT, UNKNOWN):
            applied = FOREIGN
        shown = self.shown if _is(self.shown, FOREIGN) else UNKNOWN
        if isinstance(self.shown, dict):
            shown = self.shown.get(name, ABSENT)
        intended = self.intended.get(name) if isinstance(self.intended, dict) else UNKNOWN
        return Past(applied, shown, intended, self.is_ours)

    def element(self, index: int) -> Past:
        """Return the past of an element of this list, which was applied as a list."""
        shown = _element(self.shown, self.applied, index)
        intended = _element(self.intended, self.applied, index)
        return Past(self.applied[index], shown, intended, self.is_ours, self._given_to_elements())

    def gave(self, name: str, live: Tree) -> bool:
        """Tell if a live member that we did not write is the API's own, and nobody has changed it."""
        if self.is_ours:
            return True
        if isinstance(self.shown, dict):
            return bool(self.shown.get(name, ABSENT) == live) and not _is(live, FOREIGN)
        return self.given is None or name in self.given

    def _given_to_elements(self) -> frozenset[str] | None:
        if self.shown is UNKNOWN:
            return None
        elements = self.shown if isinstance(self.shown, list) else []
        return frozenset(
            name
            for element in elements
            if isinstance(element, dict)
            for name, part in element.items()
            if not _is(part, FOREIGN)
        )

    def is_untouched(self, live: Tree) -> bool:
        """Tell if a live part is what this tool left: nothing changed, removed or added by a person."""
        if self.is_ours:
            return True
        if self.intended is not UNKNOWN and Past(self.intended, self.shown).is_untouched(live):
            return True
        if self.applied is ABSENT or live is ABSENT:
            return live is ABSENT and (self.applied is ABSENT or self.shown is ABSENT)
        if _is(self.applied, FOREIGN) or self.applied is UNKNOWN:
            return False
        if live == self.shown and not _is(self.shown, FOREIGN):
            return True
        return self._has_untouched_parts(live)

    def _has_untouched_parts(self, live: Tree) -> bool:
        if isinstance(live, dict) and isinstance(self.applied, dict):
            ours = all(
                self.member(name).is_untouched(live.get(name, ABSENT)) for name in self.applied
            )
            return ours and all(
                self.gave(name, live[name]) for name in live if name not in self.applied
            )
        if isinstance(live, list) and isinstance(self.applied, list):
            return self.has_untouched_elements(live)
        return bool(live == self.applied)

    def is_shown_otherwise(self, live: list[Tree]) -> bool:
        """Tell if the API shows this list with other elements than were applied, or in another order."""
        if not self.is_untouched(live):
            return False
        if isinstance(self.shown, list) and len(self.shown) == len(self.applied):
            pairs = pair_elements(self.applied, self.shown)
            if any(index != place for place, index in pairs.items()):
                return True
        return not self.has_untouched_elements(live)

    def has_untouched_elements(self, live: list[Tree]) -> bool:
        """Tell if the elements of a live list are those of the applied list, in their places."""
        return len(live) == len(self.applied) and all(
            self.element(n).is_untouched(part) for n, part in enumerate(live)
        )


def _element(tree: Tree, applied: Tree, index: int) -> Tree:
    """Return what a list says of an element of the applied list; it tells where the two are of one length."""
    if isinstance(tree, list) and len(tree) == len(applied):
        return tree[index]
    return UNKNOWN


def _is(tree: Tree, mark: int) -> bool:
    return not isinstance(tree, dict | list) and tree == mark


def masked(shown: Tree, by_hand: Tree) -> Tree:
    """Return a tree of what an API shows, with `FOREIGN` for what people edited.

    Args:
        shown: the tree of what it shows.
        by_hand: True for a part that is somebody's edit; members and elements that have such parts; or False. A list
            has one element more where somebody removed or moved some.
    """
    if not by_hand:
        return shown
    if isinstance(shown, dict) and isinstance(by_hand, dict):
        removed = {name: FOREIGN for name, edited in by_hand.items() if edited}
        return removed | {
            name: masked(part, by_hand.get(name, False)) for name, part in shown.items()
        }
    if isinstance(shown, list) and isinstance(by_hand, list):
        more = len(by_hand) - len(shown)
        if more in (0, 1):
            return [*map(masked, shown, by_hand), *[FOREIGN] * more]
    return FOREIGN
