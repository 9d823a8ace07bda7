"""Columns that no record names, before a migration and after it: what somebody filled, and what the migration did.

note_filled ─▶ revisions ─▶ carry_shown
"""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from compose_seeder.postgres import Text, statements
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.targets.table.carried_columns import find_column
from compose_seeder.targets.table.seeded_tables import SeededTable


def note_filled(ledger: Ledger, table: SeededTable) -> None:
    """Note in `record.shown` which columns somebody has filled."""
    if names := [name for name in _shown_columns(ledger, table) if name in table.columns]:
        _execute(ledger, "note_filled", table, names)


def carry_shown(ledger: Ledger, before: SeededTable, after: SeededTable) -> None:
    """Write to `record.shown` what the columns show now, but of those that somebody had filled.

    Args:
        ledger: whose records have been carried over.
        before: the table as it was.
        after: the table as it is.
    """
    same_table = before.oid == after.oid
    names = [name for name in _shown_columns(ledger, after) if name in before.columns]
    found = {
        name: now
        for name in names
        if (now := find_column(before.columns[name], after.columns, same_table=same_table))
    }
    if names:
        values = {"before": list(found), "now": list(found.values())}
        _execute(ledger, "carry_shown", after, list(found.values()), values)


def _shown_columns(ledger: Ledger, table: SeededTable) -> list[str]:
    """Return the columns that `record.shown` has for any record."""
    values = {"dataset": table.applied.dataset_id}
    rows = ledger.connection.execute(statements("carry_over")["shown_columns"], values)
    return [name for (name,) in rows]


def _execute(
    ledger: Ledger,
    statement: str,
    table: SeededTable,
    names: list[str],
    values: Mapping[str, object] = {},
) -> None:
    texts, expressions = statements("carry_over"), table.expressions(ledger.salt)
    hashes = (expressions.columns[name].hashed("t", ledger.salt) for name in names)
    shown_now = sql.SQL(texts["shown_now"]).format(
        id=expressions.id("t"),
        names=sql.SQL(", ").join(map(Text, names)),
        hashes=sql.SQL(", ").join(sql.SQL("({})::text").format(each) for each in hashes),
        table=expressions.identifier,
    )
    query = sql.SQL(texts[statement]).format(
        shown_now=shown_now, dataset=sql.Literal(table.applied.dataset_id)
    )
    ledger.connection.execute(query, dict(values))
