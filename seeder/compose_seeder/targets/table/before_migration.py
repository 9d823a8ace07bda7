"""The look at the seeded tables before the first pending revision: which records are as they were applied.

The ledger keeps it, so that a run that is killed while it migrates can be told from one that was not.

    note_seeded_tables ─▶ revisions ─▶ carry_over
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from psycopg import sql

from compose_seeder.postgres import Connection, Name, jsonb, statements
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.targets.table.carried_defaults import note_filled
from compose_seeder.targets.table.columns import table_name
from compose_seeder.targets.table.hash_versions import is_outdated, rehash_by_rows
from compose_seeder.targets.table.modified_rows import find_modified_part
from compose_seeder.targets.table.seeded_tables import (
    NumberedColumn,
    SeededTable,
    find_seeded_table,
)


def note_seeded_tables(ledger: Ledger) -> list[str]:
    """Write to the ledger which records of tables are not as they were applied.

    Args:
        ledger: in a transaction at REPEATABLE READ; no earlier look is open.

    Returns:
        The names of the datasets.
    """
    rows = ledger.connection.execute(statements("carry_over")["seeded_tables"]).fetchall()
    noted = []
    for name, oid in rows:
        table = find_seeded_table(ledger, name, oid)
        if table is not None and set(table.key) <= table.columns.keys():
            _note(ledger, table)
            noted.append(name)
    return noted


def _note(ledger: Ledger, table: SeededTable) -> None:
    texts, dataset_id = statements("carry_over"), table.applied.dataset_id
    columns = _with_filled(ledger.connection, table)
    values = {
        "dataset": dataset_id,
        "oid": table.oid,
        "name": table.table,
        "fields": table.applied.fields,
        "key": list(table.key),
        "columns": jsonb({name: each.to_json() for name, each in columns.items()}),
    }
    ledger.connection.execute(texts["note_table"], values)
    expressions = table.expressions(ledger.salt)
    if is_outdated(expressions, table.applied):
        rehash_by_rows(ledger.connection, expressions, table.applied)
    note_filled(ledger, table)
    part = find_modified_part(ledger.connection, expressions, table.applied)
    if part is None:
        return
    shown = [field for field in table.applied.fields if field in table.columns]
    named = expressions.texts(shown)
    query = sql.SQL(texts["note_edits"]).format(
        dataset=sql.Literal(dataset_id),
        id=expressions.id("t"),
        hashes=expressions.hashes("t", table.applied.fields, shown, named),
        rows=expressions.rows(named, part.rows),
        applied=part.records,
    )
    ledger.connection.execute(query, {})


def _with_filled(connection: Connection, table: SeededTable) -> Mapping[str, NumberedColumn]:
    """Return the columns, and of those that no record names, whether any row has a value."""
    unnamed = [name for name in table.columns if name not in table.applied.fields]
    if not unnamed:
        return table.columns
    filled = find_filled(connection, table.table, unnamed)
    return {
        name: each if name not in unnamed else replace(each, filled=name in filled)
        for name, each in table.columns.items()
    }


def find_filled(connection: Connection, table: str, names: list[str]) -> set[str]:
    """Return the columns in which any row of a table has a value."""
    values = (
        sql.SQL("coalesce(bool_or(t.{} IS NOT NULL), false)").format(Name(name)) for name in names
    )
    query = sql.SQL(statements("carry_over")["has_values"]).format(
        values=sql.SQL(", ").join(values), table=table_name(table)
    )
    row = connection.execute(query, {}).fetchone() or ()
    return {name for name, is_filled in zip(names, row, strict=True) if is_filled}
