"""The phase that upgrades the schema to head; and the position of a database, by the ledger or by Alembic."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from logging import WARNING
from typing import TYPE_CHECKING

from compose_init import ledger, up_to_date
from compose_init.database.connection import Connection
from compose_init.last_run import State
from compose_init.logs import event
from compose_init.migrations import revision_ledger
from compose_init.migrations.application import Migrations
from compose_init.migrations.concurrent_indexes import invalid_indexes
from compose_init.migrations.database_position import DatabasePosition, DatabaseState, Inspection
from compose_init.migrations.fingerprint import fingerprint_migrations, unequal
from compose_init.migrations.revision_graph import Revision
from compose_init.migrations.revision_graph_file import read_graph_file
from compose_init.settings import KNOWN, Settings
from compose_seeder.sources.variables import FILE_SUFFIX

APART = frozenset(
    name + suffix
    for name in KNOWN
    if name.startswith(("INIT_", "SEED_", "API_", "LOG_")) or name == "ALEMBIC_CONFIG"
    for suffix in ("", FILE_SUFFIX)
)
"""This program's own variables about image, seeds and logs, and the path of files that have a fingerprint."""

if TYPE_CHECKING:
    from compose_init.migrations.attempt import Observer


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
        revisions = ledger.current_revisions(connection, position.version_table)
        if not migrations.proves_nothing_to_do or revisions is None:
            found = unequal()  # only env.py can tell, each time
        salt = secrets.token_hex(16)
        done = {
            "environment": found.environment,
            "files": found.revisions,
            "revisions": sorted(revisions or ()),
            "salt": salt,
            "variables": _digest_variables(migrations.settings, salt),
        }
        ledger.record_phase(connection, "migrate", done, position.version_table)
        _warn_of_invalid_indexes(connection)
    return position


def locate_database(
    connection: Connection, settings: Settings, migrations: Migrations
) -> DatabasePosition:
    """Return the position of the database in the image's revision graph.

    Raises:
        UnknownRevisionError: the database has diverged.
    """
    position = locate_by_ledger(connection, settings, ledger.read(connection) or [])
    if position is not None:
        return position
    found = [locate_inspected(connection, each) for each in migrations.inspect()]
    if len(found) == 1:
        return found[0]
    ahead = [each for each in found if each.state == DatabaseState.AHEAD]
    behind = [each for each in found if each.state != DatabaseState.AT_HEAD]
    first = next(iter([*ahead, *behind]), DatabasePosition(DatabaseState.AT_HEAD))
    return replace(first, version_table="")


def locate_inspected(connection: Connection, found: Inspection) -> DatabasePosition:
    """Return the position of one history, as `revision_ledger.locate_or_refuse` does."""
    return revision_ledger.locate_or_refuse(
        connection, found.graph, found.current, found.version_table
    )


def find_state(settings: Settings, states: Sequence[State]) -> State | None:
    """Return what was left by the last run with the same `env.py`, configuration and variables; None for none.

    Any variable may choose the version table, its schema or the folders of revisions: `env.py` alone knows.
    """
    if settings.alembic is None:
        return next((state for state in states if not state.version_table), None)
    environment = fingerprint_migrations(settings.alembic).environment
    for state in states:
        done = state.inputs.get("migrate", {})
        if done.get("environment") == environment and done.get("variables") == _digest_variables(
            settings, done.get("salt", "")
        ):
            return state
    return None


def locate_by_ledger(
    connection: Connection, settings: Settings, states: Sequence[State]
) -> DatabasePosition | None:
    """Return the position of the database without Alembic; None if only Alembic can tell.

    Raises:
        UnknownRevisionError: the database has diverged.
    """
    if settings.alembic is None:
        return DatabasePosition(DatabaseState.AT_HEAD)  # there are no revisions
    last = find_state(settings, states)
    if last is None:
        return None
    done, found = last.inputs["migrate"], fingerprint_migrations(settings.alembic)
    at_head = sorted(done.get("revisions", [])) == sorted(last.revisions)
    if at_head and done.get("files") == found.revisions:
        return DatabasePosition(DatabaseState.AT_HEAD, version_table=last.version_table)
    graph = read_graph_file(settings.alembic.config, found.combined)
    if graph is None:
        return None
    return revision_ledger.locate_or_refuse(connection, graph, last.revisions, last.version_table)


def _digest_variables(settings: Settings, salt: str) -> str:
    """Return the digest of the variables that `env.py` may read; what cannot be read twice equals nothing."""
    files = [name + FILE_SUFFIX for name in settings.file_values if name not in APART]
    environ = {name: text for name, text in settings.environ.items() if name not in APART}
    try:
        return up_to_date.digest(("migrate",), environ, files, salt)
    except (up_to_date.LookCloserError, OSError):
        return secrets.token_hex(16)


def _warn_of_invalid_indexes(connection: Connection) -> None:
    for name in invalid_indexes(connection):
        event(
            "an index is INVALID, left by a concurrent build that failed; no query uses it",
            WARNING,
            index=name,
            fix=f"DROP INDEX CONCURRENTLY {name}, and create it again",
        )
