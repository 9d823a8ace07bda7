"""The rows of a table that are not as they were applied, found without a comparison of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from compose_seeder.postgres import Connection, statements
from compose_seeder.reconcile.ledger import Applied
from compose_seeder.targets.table.expressions import ALL, Expressions

GROUPS = 1 << 12
"""In how many groups the records of a large table are compared; a power of two."""

FEW = GROUPS // 4
"""The number of modified groups up to which only their records are compared; with more, all rows are."""

SMALL = GROUPS * 4
"""Below so many records, each is compared at once."""


@dataclass(frozen=True)
class Part:
    """A part of a table and of its records in the ledger.

    Attributes:
        rows: the condition on a row `t` of the table.
        records: the same condition on a record `a` of the ledger.
    """

    rows: sql.Composable
    records: sql.Composable


EVERYTHING = Part(ALL, ALL)
"""All of it."""


def find_modified_rows(
    connection: Connection, expressions: Expressions, applied: Applied
) -> set[int]:
    """Return the ids of applied records that the table does not show as they were applied.

    In a large table, groups of records are compared first, and then the records of groups that differ.
    """
    part = find_modified_part(connection, expressions, applied, written_only=True)
    if part is None:
        return set()
    shown = [field for field in applied.fields if field in expressions.columns]
    texts = expressions.texts(shown)
    query = sql.SQL(statements("modified_rows")["modified_rows"]).format(
        table=expressions.identifier,
        rows=expressions.rows(texts, part.rows),
        id=expressions.id("t"),
        hashes=expressions.hashes("t", applied.fields, shown, texts),
        dataset=sql.Literal(applied.dataset_id),
        applied=part.records,
    )
    row = connection.execute(query, {}).fetchone()
    return set(row[0]) if row else set()


def find_modified_part(
    connection: Connection,
    expressions: Expressions,
    applied: Applied,
    *,
    written_only: bool = False,
) -> Part | None:
    """Return a part of the table with all rows that are not as they were applied; None where there are none.

    Args:
        connection: in a transaction.
        expressions: of the table.
        applied: what the ledger says of the dataset.
        written_only: leave out values that the ledger has merely observed, as those that a migration filled.
    """
    shown = [field for field in applied.fields if field in expressions.columns]
    if not shown or shown != applied.fields:
        return EVERYTHING
    fields = _fields_of_groups(connection, expressions, applied)
    if not fields or not (written_only or fields == applied.fields):
        return EVERYTHING
    numbers = _groups(connection, expressions, applied, fields)
    if len(numbers) > FEW:
        return EVERYTHING
    group = sql.SQL("{} & {} = ANY ({})")
    last, some = sql.Literal(GROUPS - 1), sql.Literal(numbers)
    rows = group.format(expressions.id("t"), last, some)
    return Part(rows, group.format(sql.SQL("a.id"), last, some)) if numbers else None


def _groups(
    connection: Connection, expressions: Expressions, applied: Applied, fields: Sequence[str]
) -> list[int]:
    """Return the numbers of groups that the table does not show as they were applied, by the values of `fields`.

    A group in which a record has another field after all is one of them.
    """
    left_out = "coalesce(hashint8extended({0}, desired[{0}]), 0)"
    elements = (
        sql.SQL("desired[{0}]" if field in fields else left_out).format(n)
        for n, field in enumerate(applied.fields, 1)
    )
    texts = expressions.texts(fields)
    query = sql.SQL(statements("modified_rows")["modified_groups"]).format(
        rows=expressions.rows(texts),
        id=expressions.id("t"),
        hash=expressions.hash("t", fields, texts),
        desired=sql.SQL(" # ").join(elements),
        dataset=sql.Literal(applied.dataset_id),
        last=sql.Literal(GROUPS - 1),
    )
    row = connection.execute(query, {}).fetchone()
    return list(row[0]) if row else []


def _fields_of_groups(
    connection: Connection, expressions: Expressions, applied: Applied
) -> list[str]:
    """Return the fields by which groups are compared; none where it is not worth it to compare groups first."""
    if applied.records < SMALL:
        return []
    values = {
        "table": expressions.table,
        "dataset": applied.dataset_id,
        "fields": applied.fields,
        "records": applied.records,
        "few": FEW,
    }
    row = connection.execute(statements("modified_rows")["fields_of_groups"], values).fetchone()
    return row[0] or [] if row else []
