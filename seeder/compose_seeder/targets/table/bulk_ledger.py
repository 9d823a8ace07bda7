"""The ledger of a bulk load: the ids of the records, and the hashes of the rows that COPY wrote."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import psycopg
from psycopg import sql

from compose_seeder.documents.record_values import Scalar
from compose_seeder.postgres import Connection, Name, Text, statements
from compose_seeder.reconcile.source_digests import unpack_ids
from compose_seeder.targets.table.expressions import Expressions
from compose_seeder.targets.table.sequences import advance_sequences

SEPARATOR = "\x1f"
"""Between the values of many keys in one text: ASCII's unit separator, which no key should hold."""


def hash_keys(
    connection: Connection, expressions: Expressions, keys: Sequence[Sequence[Scalar]]
) -> array[int]:
    """Return the ids of records; `keys` has a column for each field of the key."""
    names = [sql.Identifier(f"k{n}") for n in range(len(keys))]
    query = sql.SQL(statements("bulk_load")["hash_keys"]).format(
        id=expressions.id("t"),
        typed=sql.SQL(", ").join(
            sql.SQL("k.{}::{} AS {}").format(
                name, expressions.columns[field].definition, Name(field)
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
    connection: Connection,
    expressions: Expressions,
    dataset_id: int,
    fields: list[str],
    unnamed: list[str],
    count: int,
) -> None:
    """Write the ledger of all rows of the table.

    Args:
        connection: in a transaction.
        expressions: of the table.
        dataset_id: of the dataset.
        fields: the columns that COPY wrote.
        unnamed: the columns whose default is another one in each row.
        count: of the records.

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
        shown=_shown(expressions, unnamed),
    )
    rebuild_index = count > _recorded(connection)
    if rebuild_index:
        connection.execute(statements("bulk_load")["drop_index"])
    if connection.execute(query, {"dataset": dataset_id}).rowcount != count:
        raise psycopg.DataError
    if rebuild_index:
        connection.execute(statements("bulk_load")["create_index"])


def _shown(expressions: Expressions, unnamed: Sequence[str]) -> sql.Composable:
    """Return what a row's columns show that its record does not name, as `record.shown` has it."""
    if not unnamed:
        return sql.SQL("NULL")
    hashes = (
        sql.SQL("{}, ({})::text").format(
            Text(name), expressions.columns[name].hashed("t", expressions.salt)
        )
        for name in unnamed
    )
    return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(hashes))


def _recorded(connection: Connection) -> int:
    row = connection.execute(statements("bulk_load")["count_recorded"]).fetchone()
    return int(row[0]) if row else 0
