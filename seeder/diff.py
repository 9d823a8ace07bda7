"""Desired, applied and live to a plan, by one comparison in PostgreSQL (`sql/diff.sql`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from psycopg.rows import dict_row

from seeder.errors import SHOWN, Fault, RecordError, RefusedError
from seeder.ledger import Connection
from seeder.manifest import Dataset
from seeder.sql import statements
from seeder.stage import Desired, label

SHOWN_RECORDS = 1000
"""How many records a plan carries for people and reports; the counts are of all."""


@dataclass(frozen=True)
class Change:
    """One record of a plan.

    Attributes:
        action: create, update, deleted (by hand, and left so) or none (drift that is left).
        key: key field -> value.
        fields: field -> {"live": …, "desired": …, "outcome": update | drift | conflict | unconfirmed};
            with "write" where a run writes it. Empty for a create.
    """

    position: int
    action: str
    key: dict[str, Any]
    fields: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Plan:
    """What a run would do, or has done, to one dataset, in records.

    Attributes:
        unchanged: nothing is written; drifted and conflicting ones that are kept included.
        drift: edited or deleted by hand, and the seed has not changed since.
        conflict: edited by hand, and the seed has changed as well.
        unconfirmed: the target does not show what was written to it.
        left: no longer in the file; left in the target and no longer owned.
        after_migration: compared with nothing, since the schema is not there yet.
        not_kept: of records written just now, what the target does not show: key and fields.
    """

    name: str
    target: str
    create: int = 0
    update: int = 0
    delete: int = 0
    unchanged: int = 0
    drift: int = 0
    conflict: int = 0
    unconfirmed: int = 0
    left: int = 0
    records: tuple[Change, ...] = field(default=(), repr=False)
    after_migration: bool = False
    not_kept: tuple[str, ...] = field(default=(), repr=False)

    @property
    def changes(self) -> bool:
        """Whether a run writes anything to the target."""
        return bool(self.create or self.update or self.delete or self.after_migration)

    def with_unconfirmed(self, not_kept: list[str]) -> Plan:
        """The same, after these of its writes were not confirmed."""
        count = self.unconfirmed + len(not_kept)
        return replace(self, unconfirmed=count, not_kept=tuple(not_kept))


def compare(connection: Connection, dataset: Dataset, desired: list[Desired]) -> Plan:
    """Make `pg_temp.plan` from `pg_temp.desired`, `pg_temp.live` and `pg_temp.applied`.

    Raises:
        RecordError: two records of the file are one key in the target's types.
        RefusedError: the target holds a key twice; or drift, with `on_drift = "fail"`.
    """
    texts = statements("diff")
    connection.execute(texts["functions"])
    connection.execute("ANALYZE pg_temp.desired")
    _no_key_twice(connection, dataset, desired)
    connection.execute(texts["plan"], {"on_drift": dataset.on_drift})
    with connection.cursor(row_factory=dict_row) as cursor:
        counts = cursor.execute(texts["counts"]).fetchone() or {}
    plan = Plan(
        dataset.name,
        dataset.target,
        create=counts["creates"],
        update=counts["updates"],
        unchanged=counts["unchanged"],
        drift=counts["drifted"],
        conflict=counts["conflicts"],
        unconfirmed=counts["unconfirmed"],
        left=counts["gone"],
        records=_changes(connection, dataset, "changes", SHOWN_RECORDS),
    )
    if dataset.on_drift == "fail" and (plan.drift or plan.conflict):
        _stop_on_drift(connection, dataset, desired)
    return plan


def _changes(
    connection: Connection, dataset: Dataset, statement: str, limit: int
) -> tuple[Change, ...]:
    rows = connection.execute(statements("diff")[statement], {"limit": limit})
    return tuple(
        Change(position, action, dict(zip(dataset.key, key, strict=True)), fields)
        for position, key, action, fields in rows
    )


def _no_key_twice(connection: Connection, dataset: Dataset, desired: list[Desired]) -> None:
    texts = statements("diff")
    faults = [
        Fault(
            desired[position].where,
            label(dataset.key, key),
            "",
            "is the same key as another record",
        )
        for key, positions in connection.execute(texts["same_key_in_file"])
        for position in positions[1:]
    ]
    if faults:
        raise RecordError(
            f"dataset {dataset.name} has a key twice, as {dataset.target} reads it", faults
        )
    faults = [
        Fault(
            dataset.target,
            label(dataset.key, key),
            "",
            f"is there {rows} times; a seed cannot tell which is meant: keep one, or choose another key",
        )
        for key, rows in connection.execute(texts["duplicates"])
    ]
    if faults:
        raise RefusedError(
            f"dataset {dataset.name}: {dataset.target} holds keys more than once", faults
        )


def _stop_on_drift(connection: Connection, dataset: Dataset, desired: list[Desired]) -> None:
    faults = [
        Fault(
            desired[change.position].where,
            label(change.key, change.key.values()),
            ", ".join(edited_fields(change)),
            "was deleted by hand" if change.action == "deleted" else "was edited by hand",
        )
        for change in _changes(connection, dataset, "edited", SHOWN + 1)
    ]
    raise RefusedError(
        f'dataset {dataset.name} has on_drift = "fail", and {dataset.target} has drifted; set keep or'
        " overwrite, or bring the edit into the file",
        faults,
    )


def edited_fields(change: Change) -> list[str]:
    """The fields of a record that somebody edited by hand."""
    edited = {"drift", "conflict"}
    return [name for name, detail in change.fields.items() if detail["outcome"] in edited]
