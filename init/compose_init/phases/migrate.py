"""The phase that upgrades the schema to head; and the position of a database, by the ledger or by Alembic."""

from __future__ import annotations

from logging import WARNING
from typing import TYPE_CHECKING

from compose_init import ledger
from compose_init.database.connection import Connection
from compose_init.last_run import State
from compose_init.logs import event
from compose_init.migrations import revision_ledger
from compose_init.migrations.application import Migrations
from compose_init.migrations.concurrent_indexes import invalid_indexes
from compose_init.migrations.database_position import DatabasePosition, DatabaseState
from compose_init.migrations.fingerprint import fingerprint_migrations, unequal
from compose_init.migrations.revision_graph import Revision
from compose_init.migrations.revision_graph_file import read_graph_file
from compose_init.settings import Settings

if TYPE_CHECKING:
    from compose_init.migrations.upgrade import Observer


def migrate(
    connection: Connection, migrations: Migrations, observer: Observer, applied: list[Revision]
) -> DatabasePosition:
    """Apply the pending revisions, and record the files and revisions that are complete.

    Args:
        connection: in autocommit.
        migrations: the application's.
        observer: is told each revision.
        applied: gets each revision that was applied, also where a later one fails.

    Returns:
        At head; or ahead, where nothing was changed.

    Raises:
        MigrationError, LockError, UnknownRevisionError: see `Migrations.upgrade`.
    """
    # Before the upgrade: a file that changes during the upgrade is due again in the next run.
    found = fingerprint_migrations(migrations.options)
    position = migrations.upgrade(connection, observer, applied)
    if position.state == DatabaseState.AT_HEAD:
        last = ledger.read(connection)
        if not migrations.proves_nothing_to_do:
            found = unequal()  # only env.py can tell, each time
        done = {
            "environment": found.environment,
            "files": found.revisions,
            "revisions": sorted(last.revisions if last else ()),
        }
        ledger.record_phase(connection, "migrate", done)
        _warn_of_invalid_indexes(connection)
    return position


def locate_database(
    connection: Connection, settings: Settings, migrations: Migrations
) -> DatabasePosition:
    """Return the position of the database in the image's revision graph.

    Raises:
        UnknownRevisionError: the database has diverged.
    """
    last = ledger.read(connection)
    position = locate_by_ledger(connection, settings, last) if last else None
    if position is not None:
        return position
    inspection = migrations.inspect()
    return revision_ledger.locate_or_refuse(connection, inspection.graph, inspection.current)


def locate_by_ledger(
    connection: Connection, settings: Settings, last: State
) -> DatabasePosition | None:
    """Return the position of the database without Alembic; None if only Alembic can tell.

    Raises:
        UnknownRevisionError: the database has diverged.
    """
    if settings.alembic is None:
        return DatabasePosition(DatabaseState.AT_HEAD)  # there are no revisions
    done, found = last.inputs.get("migrate", {}), fingerprint_migrations(settings.alembic)
    if done.get("environment") != found.environment:
        return None  # another env.py may keep its revision in another table
    at_head = sorted(done.get("revisions", [])) == sorted(last.revisions)
    if at_head and done.get("files") == found.revisions:
        return DatabasePosition(DatabaseState.AT_HEAD)
    graph = read_graph_file(settings.alembic.config, found.combined)
    if graph is None:
        return None
    return revision_ledger.locate_or_refuse(connection, graph, last.revisions)


def _warn_of_invalid_indexes(connection: Connection) -> None:
    for name in invalid_indexes(connection):
        event(
            "an index is INVALID, left by a concurrent build that failed; no query uses it",
            WARNING,
            index=name,
            fix=f"DROP INDEX CONCURRENTLY {name}, and create it again",
        )
