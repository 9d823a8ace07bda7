"""The rows of a table that are not as they were applied, found without a comparison of records."""

from __future__ import annotations

from collections.abc import Mapping

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


def find_modified_rows(
    connection: Connection, expressions: Expressions, applied: Applied
) -> set[int]:
    """Return the ids of applied records that the table does not show as they were applied.

    In a large table, groups of records are compared first, and then the records of groups that differ.
    """
    shown = [field for field in applied.fields if field in expressions.columns]
    texts = expressions.texts(shown)
    which, those = ALL, ALL
    if shown and shown == applied.fields and _can_compare_groups(connection, expressions, applied):
        numbers = _groups(connection, expressions, applied, texts)
        if not numbers:
            return set()
        if len(numbers) <= FEW:
            group = sql.SQL("{} & {} = ANY ({})")
            last, some = sql.Literal(GROUPS - 1), sql.Literal(numbers)
            which = group.format(expressions.id("t"), last, some)
            those = group.format(sql.SQL("a.id"), last, some)
    query = sql.SQL(statements("modified_rows")["modified_rows"]).format(
        table=expressions.identifier,
        rows=expressions.rows(texts, which),
        id=expressions.id("t"),
        hashes=expressions.hashes("t", applied.fields, shown, texts),
        dataset=sql.Literal(applied.dataset_id),
        applied=those,
    )
    row = connection.execute(query, {}).fetchone()
    return set(row[0]) if row else set()


def _groups(
    connection: Connection, expressions: Expressions, applied: Applied, texts: Mapping[str, str]
) -> list[int]:
    """Return the numbers of groups that the table does not show as they were applied."""
    desired = (sql.SQL("desired[{}]").format(n + 1) for n in range(len(applied.fields)))
    query = sql.SQL(statements("modified_rows")["modified_groups"]).format(
        rows=expressions.rows(texts),
        id=expressions.id("t"),
        hash=expressions.hash("t", applied.fields, texts),
        desired=sql.SQL(" # ").join(desired),
        dataset=sql.Literal(applied.dataset_id),
        last=sql.Literal(GROUPS - 1),
    )
    row = connection.execute(query, {}).fetchone()
    return list(row[0]) if row else []


def _can_compare_groups(connection: Connection, expressions: Expressions, applied: Applied) -> bool:
    """Return whether it is worth it to compare groups first."""
    if applied.records < SMALL:
        return False
    values = {
        "table": expressions.table,
        "dataset": applied.dataset_id,
        "records": applied.records,
        "few": FEW,
    }
    row = connection.execute(statements("modified_rows")["can_compare_groups"], values).fetchone()
    return bool(row and row[0])
