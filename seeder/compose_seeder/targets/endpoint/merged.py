"""The vocabulary of the merge of nested values: a side of it, a part that differs, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from compose_seeder.exact_json import Json
from compose_seeder.reconcile.plan import Outcome
from compose_seeder.targets.endpoint.list_pairs import pair_elements
from compose_seeder.targets.endpoint.value_trees import ABSENT, Tree, tree_of

Path = tuple[str | int, ...]
"""The names and indexes that lead to a part."""


@dataclass(frozen=True, slots=True)
class Side:
    """A part of a value, with its tree; `ABSENT` both where it is not there."""

    value: Json
    tree: Tree

    @classmethod
    def of(cls, value: Json, salt: int) -> Side:
        """Return a value as a side."""
        return cls(value, tree_of(value, salt))

    @property
    def is_absent(self) -> bool:
        """True where it is not there."""
        return self.value is ABSENT

    def member(self, name: str) -> Side:
        """Return a member of this object."""
        return Side(self.value[name], self.tree[name]) if name in self.value else NOTHING

    def element(self, index: int | None) -> Side:
        """Return an element of this list."""
        return NOTHING if index is None else Side(self.value[index], self.tree[index])


NOTHING: Final = Side(ABSENT, ABSENT)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that differs, for the plan.

    Attributes:
        path: of the part, within the field.
        live: its value; None where it is not there.
        desired: likewise.
        outcome: why it differs.
        write: the run writes what is desired.
    """

    path: Path
    live: Json
    desired: Json
    outcome: Outcome
    write: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """A part as it should be.

    Attributes:
        value: what is sent; `ABSENT` where the part is not there.
        applied: its tree for the ledger; `ABSENT` where the ledger knows no such part.
        by_hand: what of it is somebody's edit, as `past.masked` takes it.
        writes: what is live has to change for it.
    """

    value: Json
    applied: Tree
    by_hand: Tree = False
    writes: bool = False


def overlay(live: Side, desired: Side) -> Json:
    """Return a desired value with the members that live has besides, which an API gave."""
    if isinstance(live.value, dict) and isinstance(desired.value, dict):
        more = {name: part for name, part in live.value.items() if name not in desired.value}
        return more | {
            name: overlay(live.member(name), desired.member(name)) for name in desired.value
        }
    if isinstance(live.value, list) and isinstance(desired.value, list):
        pairs = pair_elements(live.tree, desired.tree)
        return [
            overlay(live.element(pairs.get(n)), desired.element(n))
            for n in range(len(desired.value))
        ]
    return desired.value
