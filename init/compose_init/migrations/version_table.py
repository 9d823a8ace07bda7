"""Alembic's version table: found where env.py keeps it, and read by `compose_init.current_revisions()`.

A later run asks the function for the revisions without Alembic, whatever the table is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from sqlalchemy import text

from compose_seeder.postgres import statements

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from compose_init.database.connection import Connection

VersionTable = tuple[str, str]
"""Schema and name."""


def find_version_table(context: MigrationContext) -> VersionTable | None:
    """Return the version table that env.py's own connection finds by its search path; None before it exists."""
    assert context.connection is not None  # noqa: S101 - offline, nobody asks
    if context.version_table_schema:
        return context.version_table_schema, context.version_table
    name = '"' + context.version_table.replace('"', '""') + '"'
    query = text(statements("migrations", "compose_init")["schema_of_table"])
    row = context.connection.execute(query, {"name": name}).fetchone()
    return (row[0], context.version_table) if row else None


def read_version_table(connection: Connection, table: VersionTable | None) -> tuple[str, ...]:
    """Return the revisions in a version table, as they are committed; none where it is not there.

    Args:
        connection: our own.
        table: the application's.
    """
    if table is None:
        return ()
    query = sql.SQL("SELECT version_num::text FROM {} ORDER BY 1").format(sql.Identifier(*table))
    try:
        return tuple(row[0] for row in connection.execute(query))
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return ()


def follow_version_table(connection: Connection, table: VersionTable | None) -> None:
    """Make `compose_init.current_revisions()` read a version table.

    Args:
        connection: our own.
        table: the application's; None for no revisions.
    """
    query = "SELECT ARRAY[]::text[]"
    if table is not None:
        name = sql.Identifier(*table).as_string(connection)
        query = f"SELECT array_agg(version_num::text ORDER BY version_num) FROM {name}"
    replace_function = sql.SQL(statements("migrations", "compose_init")["follow_version_table"])
    with connection.transaction():
        # The table may be one that env.py made and did not commit: that is for the caller to find out.
        connection.execute("SET LOCAL check_function_bodies = off")
        connection.execute(replace_function.format(body=sql.Literal(query)))
