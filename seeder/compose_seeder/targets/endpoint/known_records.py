"""What the ledger knows of an endpoint's records: trees of what was applied, shown and about to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from compose_seeder.exact_json import Json, encode
from compose_seeder.postgres import Connection, statements
from compose_seeder.targets.endpoint.json_values import project
from compose_seeder.targets.endpoint.past import Past
from compose_seeder.targets.endpoint.value_trees import (
    ABSENT,
    FOREIGN,
    UNKNOWN,
    Tree,
    has_unknown,
    tree_of,
)

Hashes = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of one record; hashes are PostgreSQL's, by field.

    Attributes:
        desired: the hashes of the file's values.
        applied: the hashes of what was applied; None where it never was.
        observed: the hashes of what the API then showed, where that was another value.
        structure: the trees of what was applied, by field.
        shown: the trees of what the API then showed; None where nobody looked.
        intended: the hashes of what a run was about to send.
        intended_structure: the trees of that.
        is_just_sent: this run has created the record.
    """

    desired: Hashes
    applied: Hashes | None
    observed: Hashes
    structure: dict[str, Tree] = field(default_factory=dict)
    shown: Mapping[str, Tree] | None = None
    intended: Hashes | None = None
    intended_structure: Mapping[str, Tree] = field(default_factory=dict)
    is_just_sent: bool = False

    def hash_of(self, name: str) -> int | None:
        """Return the hash of what was applied to a field, or was about to be where nothing was."""
        return (self.intended or {}).get(name) if self.applied is None else self.applied.get(name)

    def is_changed(self, name: str) -> bool:
        """Tell if the file has another value than was applied."""
        return self.hash_of(name) != self.desired.get(name)

    def past(self, name: str) -> Past:
        """Return what is known of a field's value."""
        known = self.hash_of(name)
        shown = (self.shown or {}).get(name, UNKNOWN)
        if known is None:
            return Past(ABSENT, shown)
        trees = self.intended_structure if self.applied is None else self.structure
        tree = trees.get(name, UNKNOWN)
        if known == FOREIGN and (self.applied is None or has_unknown(tree)):
            return Past(FOREIGN)
        if self.applied is None:
            return Past(tree, is_ours=self.is_just_sent)
        return Past(tree, shown, self.intended_structure.get(name, UNKNOWN))


def read_known(connection: Connection, fields: Sequence[str]) -> dict[int, Known]:
    """Return what the ledger knows of the records of the file, by position.

    Args:
        connection: with the filled tables `desired` and `applied`.
        fields: in the order of the hashes.
    """

    def by_field(hashes: list[int | None] | None) -> dict[str, int | None]:
        return dict(zip(fields, hashes or [], strict=False))

    known = {}
    for position, *row in connection.execute(statements("endpoint")["known_records"]):
        desired, applied, observed, structure, shown, intended, intended_structure, fate = row
        known[position] = Known(
            by_field(desired),
            None if applied is None else by_field(applied),
            by_field(observed),
            structure or {},
            shown,
            None if intended is None else by_field(intended),
            intended_structure or {},
            fate == "just sent",
        )
    return known


def restore_trees(
    connection: Connection,
    known: Mapping[int, Known],
    records: Mapping[int, tuple[Mapping[str, Json], Mapping[str, Json]]],
    salt: int,
) -> None:
    """Fill in the trees of records that a ledger of format 5 knows by their hashes alone.

    Where live is what was applied, the live values are those of the tree.

    Args:
        connection: with the function `pg_temp.hash`.
        known: gets the trees, by position.
        records: the live and the desired fields, by position.
        salt: of the ledger.
    """
    places = [
        (position, name)
        for position, (live, desired) in records.items()
        if position in known and known[position].applied is not None
        for name in desired
        if name in live
        and known[position].hash_of(name)
        and has_unknown(known[position].past(name).applied)
    ]
    seen = [
        project(records[position][0][name], known[position].structure.get(name))
        for position, name in places
    ]
    keys = {"keys": [encode(value).decode() for value in seen]}
    rows = connection.execute(statements("endpoint")["hash_keys"], keys).fetchall() if seen else []
    for (position, name), value, (found,) in zip(places, seen, rows, strict=True):
        one, desired = known[position], records[position][1][name]
        if not one.is_changed(name):
            one.structure[name] = tree_of(desired, salt)
        elif found == (one.observed.get(name) or one.hash_of(name)):
            one.structure[name] = tree_of(value, salt)
