"""The hashes of a record after a migration, as SQL: `a` is the record, `e` its edits before, `n` its row now.

A value that the migration changed is `MIGRATED` and what the table shows now: nothing equals the one, so that the
file's value is written, and nobody has edited the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from compose_seeder.targets.table.carried_columns import CarriedField

MIGRATED = 2
"""In the ledger: the hash of a value that a migration changed. No value has this hash."""

AS_APPLIED = (
    "(e.id IS NULL OR e.shown IS NULL OR e.shown[{i}] IN (a.desired[{i}], a.observed[{i}]))"
)
"""Nobody had edited the value. A row that was not there is the migration's."""

SHOWN = "coalesce(e.shown[{i}], a.observed[{i}], a.desired[{i}])"
"""The value before the migration."""

DIFFERS = (
    "n.hashes[{j}] <> coalesce(a.desired[{i}], a.observed[{i}])"
    " AND n.hashes[{j}] IS DISTINCT FROM a.observed[{i}]"
)

REWRITTEN = {
    True: f"a.desired[{{i}}] IS DISTINCT FROM 0 AND {AS_APPLIED} AND {DIFFERS}",
    # Another table: what it does not have from the former one is the migration's, but for a rewritten edit.
    # Where an edit has given way to the applied value, the rows are not the former ones.
    False: f"n.hashes[{{j}}] <> {SHOWN}"
    f" AND ({AS_APPLIED} OR n.hashes[{{j}}] IN (a.desired[{{i}}], a.observed[{{i}}]))",
}
"""A value of a column that is as it was; by whether the table is the same."""

OWNED = (
    "coalesce(a.desired[{i}], a.observed[{i}]) IS NOT NULL AND a.desired[{i}] IS DISTINCT FROM 0"
    f" AND {AS_APPLIED}"
)

DESIRED = {
    "same": "CASE WHEN {rewritten} AND a.desired[{i}] IS NOT NULL THEN {migrated} ELSE a.desired[{i}] END",
    "rehashed": "CASE WHEN a.desired[{i}] IS NULL THEN NULL WHEN {owned} THEN {migrated} ELSE 0 END",
    "new": "CASE WHEN a.desired[{i}] IS NOT NULL THEN {migrated} END",
    "added": "NULL",
}
"""Null: never written. Where such a value has been observed, nobody has chosen it."""

OBSERVED = {
    "same": "CASE WHEN {rewritten} THEN n.hashes[{j}] ELSE a.observed[{i}] END",
    "rehashed": "CASE WHEN {owned} THEN n.hashes[{j}] END",
    "new": "n.hashes[{j}]",
    "added": "n.hashes[{j}]",
}


def desired(fields: Sequence[CarriedField], *, same_table: bool) -> sql.Composable:
    """Return the elements of `record.desired`, in the fields' order."""
    return _elements(DESIRED, fields, same_table=same_table)


def observed(fields: Sequence[CarriedField], *, same_table: bool) -> sql.Composable:
    """Return the elements of `record.observed`, in the fields' order."""
    return _elements(OBSERVED, fields, same_table=same_table)


def _elements(
    texts: dict[str, str], fields: Sequence[CarriedField], *, same_table: bool
) -> sql.Composable:
    elements = []
    for place, field in enumerate(fields, 1):
        places = {"i": field.place or 0, "j": place}
        elements.append(
            texts[field.kind].format(
                **places,
                migrated=MIGRATED,
                rewritten=REWRITTEN[same_table].format(**places),
                owned=OWNED.format(**places),
            )
        )
    return sql.SQL(", ".join(elements))
