"""Hashes of an earlier version in the ledger, computed again where the values are still known.

    rows of the table ──────┐
                            ├─▶ the hash of that version, and today's ─▶ compose_init.record
    records of the file ────┘

A record that somebody deleted by hand is known by the file alone, an edited value by neither: its hash stays, and no
value has it. Then a change of the file is a conflict with the edit, as it should be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress

import psycopg
from psycopg import sql

from compose_seeder.hashing import VERSION, VERSION_1_SESSION
from compose_seeder.postgres import Connection, statements
from compose_seeder.reconcile.ledger import Applied
from compose_seeder.reconcile.target import FieldSet
from compose_seeder.targets.table.expressions import Expressions


def is_outdated(expressions: Expressions, applied: Applied) -> bool:
    """Return whether hashes of a dataset are made otherwise today than when they were written."""
    key = expressions.dataset.key
    version = applied.hash_version
    return version < VERSION and any(
        not column.is_hashed_as_before(version, key=False)
        or (name in key and not column.is_hashed_as_before(version, key=True))
        for name, column in expressions.columns.items()
        if name in applied.fields
    )


def rehash_by_rows(connection: Connection, expressions: Expressions, applied: Applied) -> None:
    """Compute the hashes of a dataset again, by the rows of its table."""
    shown = [field for field in applied.fields if field in expressions.columns]
    rows = sql.SQL(statements("hash_versions")["rows"]).format(table=expressions.identifier)
    _rehash(connection, expressions, applied, shown, rows, "matches_row")


def rehash_by_records(
    connection: Connection,
    expressions: Expressions,
    applied: Applied,
    field_sets: Mapping[FieldSet, int],
) -> None:
    """Compute the hashes of a dataset again, by the records of its file, which are in `pg_temp.source_records`."""
    for field_set, number in field_sets.items():
        records = sql.SQL(statements("hash_versions")["records"]).format(
            typed=expressions.typed(field_set), number=sql.Literal(number)
        )
        shown = [field for field in applied.fields if field in field_set]
        # Records at fault are named when they are compared.
        with suppress(psycopg.DataError, psycopg.IntegrityError, psycopg.NotSupportedError):
            _rehash(connection, expressions, applied, shown, records, "matches_record")


def _rehash(
    connection: Connection,
    expressions: Expressions,
    applied: Applied,
    shown: Sequence[str],
    values: sql.Composable,
    match: str,
) -> None:
    query = sql.SQL(statements("hash_versions")["rehash"]).format(
        old_id=expressions.id("t", version=applied.hash_version),
        id=expressions.id("t"),
        old=expressions.hashes("t", applied.fields, shown, version=applied.hash_version),
        new=expressions.hashes("t", applied.fields, shown),
        values=values,
        match=sql.SQL(statements("hash_versions")[match]),
        dataset=sql.Literal(applied.dataset_id),
    )
    session = _session_of_version_1(connection) if applied.hash_version == 1 else nullcontext()
    with connection.transaction(), session:
        connection.execute(query, {})


@contextmanager
def _session_of_version_1(connection: Connection) -> Iterator[None]:
    """Let the session, in a transaction, read and write texts as version 1 did."""
    texts = statements("hash_versions")
    rows = connection.execute(texts["session"], {"names": list(VERSION_1_SESSION)})
    before = dict(rows.fetchall())
    _set(connection, VERSION_1_SESSION)
    yield
    _set(connection, before)


def _set(connection: Connection, settings: Mapping[str, str]) -> None:
    values = {"names": list(settings), "settings": list(settings.values())}
    connection.execute(statements("hash_versions")["set_session"], values)
