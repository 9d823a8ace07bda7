"""Alembic's version table: found where env.py keeps it, and read as it is committed.

A history is its version table. Its name in the ledger is quoted as in SQL, so that `compose_init.current_revisions()`
reads it without Alembic; its oid stays where it is renamed or moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from sqlalchemy import text

from compose_seeder.postgres import statements

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from compose_init.database.connection import Connection


SET_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"


@dataclass(frozen=True, slots=True)
class VersionTable:
    """A version table.

    Attributes:
        schema: of the table.
        table: without its schema.
        name: both, quoted as in SQL.
        oid: of the table; None where it is not there yet.
    """

    schema: str
    table: str
    name: str
    oid: int | None


def find_version_table(context: MigrationContext) -> VersionTable:
    """Return the version table that env.py's own connection finds, or will make."""
    assert context.connection is not None  # noqa: S101 - offline, nobody asks
    schema, name = context.version_table_schema, context.version_table
    quoted = sql.Identifier(*filter(None, (schema, name))).as_string()
    query = text(statements("migrations", "compose_init")["version_table"])
    values = {"quoted": quoted, "schema": schema, "name": name}
    row = context.connection.execute(query, values).fetchone()
    assert row is not None  # noqa: S101 - a SELECT of values has a row
    return VersionTable(*row)


def read_version_table(connection: Connection, table: VersionTable) -> tuple[str, ...]:
    """Return the revisions in a version table, as they are committed; none where it is not there.

    Args:
        connection: our own.
        table: the application's.

    Raises:
        psycopg.errors.LockNotAvailable: another session has it locked.
    """
    name = sql.Identifier(table.schema, table.table)
    query = sql.SQL("SELECT version_num::text FROM {} ORDER BY 1").format(name)
    try:
        with connection.transaction():
            # After a failure, env.py may have left a transaction open that has changed the table.
            connection.execute(SET_LOCK_TIMEOUT)
            return tuple(row[0] for row in connection.execute(query))
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return ()


def remember_version_table(connection: Connection, table: VersionTable) -> None:
    """Let the ledger know a history by its version table; one that was renamed or moved keeps its revisions."""
    if table.oid is None:
        return
    query = statements("migrations", "compose_init")["remember_history"]
    connection.execute(query, {"name": table.name, "oid": table.oid})
