"""Rows with the same keys that another session committed while a dataset was being written.

A transaction at REPEATABLE READ does not see them. A unique index refuses ours; without one, the key would be there
twice.

    rows are written ─▶ lock the table against writers ─▶ look, in another session ─▶ commit, or compare again
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from msgspec.json import encode
from psycopg import sql

from compose_seeder.errors import InterruptedTargetError
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, statements
from compose_seeder.targets.table.expressions import Expressions


class ConcurrentRowsError(InterruptedTargetError):
    """Another session committed rows that the comparison has not seen: it has to be made again."""


def concurrent_rows_error(dataset: Dataset) -> ConcurrentRowsError:
    """Return the error; nothing is written."""
    return ConcurrentRowsError(
        f"{dataset.target}: rows with the same values were created by somebody else while they were being compared;"
        " nothing was written: run again"
    )


def check_created_rows(
    connection: Connection, expressions: Expressions, *, was_empty: bool = False
) -> None:
    """Check that nobody else has created records that were just created.

    Args:
        connection: in the transaction that has written them.
        expressions: of the table.
        was_empty: every row of the table is ours.

    Raises:
        ConcurrentRowsError: somebody has.
        psycopg.Error: the table cannot be locked.
    """
    texts = statements("concurrent_rows")
    dataset = expressions.dataset
    table = {"table": expressions.table, "key": list(dataset.key)}
    row = connection.execute(texts["has_unique_key"], table).fetchone()
    if row and row[0]:
        return
    created = None if was_empty else connection.execute(texts["created_ids"]).fetchone()
    ids = created[0] if created else []
    if not was_empty and not ids:
        return
    lock = sql.SQL(texts["wait_for_writers"]).format(table=expressions.identifier)
    # A role that may only insert may not lock; whoever has committed is seen all the same.
    with suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute(lock, {})
    query = sql.SQL(texts["has_rows" if was_empty else "count_rows"]).format(
        table=expressions.identifier, id=expressions.id("t")
    )
    with _another_session(connection) as other:
        found = other.execute(query, {"ids": ids}).fetchone() if other else None
    if found and found[0]:
        raise concurrent_rows_error(dataset)


@contextmanager
def _another_session(connection: Connection) -> Iterator[Connection | None]:
    """Open a session like this one, which sees what is committed now; None where the server allows no more."""
    texts = statements("concurrent_rows")
    row = connection.execute(texts["session_settings"], {}).fetchone()
    role, session = row or ("", {})
    info = connection.info
    try:
        other = psycopg.connect(info.dsn, password=info.password or None, autocommit=True)
    except psycopg.OperationalError:
        yield None
        return
    with other:
        other.execute(texts["set_role"], {"role": role})
        other.execute(texts["set_settings"], {"settings": encode(session).decode()})
        yield other
