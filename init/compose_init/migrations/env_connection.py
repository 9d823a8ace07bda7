"""The connection that an application's env.py opens, compared with ours."""

from __future__ import annotations

from pathlib import Path

from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from compose_init.database.connection import Connection
from compose_init.errors import SettingsError
from compose_init.migrations import revision_ledger
from compose_seeder.postgres import statements


def check_env_connection(connection: Connection, context: MigrationContext, config: Path) -> int:
    """Make sure that env.py connects to the database of the lock and the ledger; open the ledger to its role.

    Returns:
        The process id of the server session that env.py uses.

    Raises:
        SettingsError: env.py connects to another database.
    """
    if context.dialect.name != "postgresql" or context.connection is None:
        raise SettingsError(
            f"{config}: env.py connects to {context.dialect.name}, not to PostgreSQL"
        )
    query = statements("migrations", "compose_init")["session"]
    theirs = context.connection.execute(text(query)).fetchone()
    ours = connection.execute(query).fetchone()
    assert theirs is not None and ours is not None  # noqa: S101, PT018 - a SELECT of values has a row
    # The same server has the same start time, and a server may have several databases.
    if (theirs[0], float(theirs[1])) != (ours[0], float(ours[1])):
        raise SettingsError(
            f"{config}: env.py connects to another database ({theirs[0]}) than DATABASE_URL names ({ours[0]}), where"
            " the lock and the ledger are; let it take DATABASE_URL or sqlalchemy.url"
        )
    revision_ledger.allow(connection, {theirs[3], theirs[4]})
    return int(theirs[2])
