"""A table without a comparison of records: can it be bulk loaded, what does it hold, what was edited in it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from compose_seeder.documents.record_values import Scalar
from compose_seeder.postgres import Connection, Name, as_is, statements
from compose_seeder.reconcile.ledger import Applied, unpack_ids
from compose_seeder.targets.table.expressions import ALL, Expressions
from compose_seeder.targets.table.sequences import advance_sequences

SEPARATOR = "\x1f"
"""Between the values of many keys in one text: ASCII's unit separator, which no key should hold."""

GROUPS = 1 << 12
"""In how many groups the records of a large table are compared; a power of two."""

FEW = GROUPS // 4
"""The number of modified groups up to which only their records are compared; with more, all rows are."""

SMALL = GROUPS * 4
"""Below so many records, each is compared at once."""


def can_bulk_load(connection: Connection, expressions: Expressions) -> bool:
    """Return whether the table is empty, and rows stay in it as they are put there."""
    query = statements("bulk_load")["can_bulk_load"]
    row = connection.execute(query, {"table": expressions.table}).fetchone()
    return bool(row and row[0])


def hash_keys(
    connection: Connection, expressions: Expressions, keys: Sequence[Sequence[Scalar]]
) -> array[int]:
    """Return the ids of records; `keys` has a column for each field of the key."""
    names = [sql.Identifier(f"k{n}") for n in range(len(keys))]
    query = sql.SQL(statements("bulk_load")["hash_keys"]).format(
        id=expressions.id("t"),
        typed=sql.SQL(", ").join(
            sql.SQL("k.{}::{} AS {}").format(
                name, as_is(expressions.columns[field].type), Name(field)
            )
            for name, field in zip(names, expressions.dataset.key, strict=True)
        ),
        texts=sql.SQL(", ").join(
            sql.SQL("string_to_array(%s, {})").format(sql.Literal(SEPARATOR)) for _ in keys
        ),
        names=sql.SQL(", ").join(names),
    )
    texts = [SEPARATOR.join(map(str, column)) for column in keys]
    # A single empty text would be no key at all.
    if any(not text or text.count(SEPARATOR) != len(keys[0]) - 1 for text in texts):
        raise psycopg.DataError
    row = connection.execute(query, texts, prepare=True).fetchone()
    return unpack_ids(row[0] if row else b"")


def record_rows(
    connection: Connection, expressions: Expressions, dataset_id: int, fields: list[str], count: int
) -> None:
    """Write the ledger of all rows of the table.

    Raises:
        psycopg.Error: two have the same key.
    """
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    advance_sequences(connection, expressions, fields)
    texts = expressions.texts(fields)
    query = sql.SQL(statements("bulk_load")["record_rows"]).format(
        rows=expressions.rows(texts),
        id=expressions.id("t"),
        hashes=expressions.hashes("t", fields, fields, texts),
    )
    rebuild_index = count > _recorded(connection)
    if rebuild_index:
        connection.execute(statements("bulk_load")["drop_index"])
    if connection.execute(query, {"dataset": dataset_id}).rowcount != count:
        raise psycopg.DataError
    if rebuild_index:
        connection.execute(statements("bulk_load")["create_index"])


def _recorded(connection: Connection) -> int:
    row = connection.execute(statements("bulk_load")["count_recorded"]).fetchone()
    return int(row[0]) if row else 0


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
