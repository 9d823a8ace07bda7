"""What the command `wait --revision` does: it waits until the database has a revision."""

from __future__ import annotations

import time
from collections.abc import Callable

from compose_init import ledger
from compose_init.alembic_options import AlembicOptions
from compose_init.database.availability import wait_for_database
from compose_init.database.connection import (
    Connection,
    prepare_session,
    translate_lost_connection,
)
from compose_init.errors import ConnectionLostError, MigrationError, NotYetError
from compose_init.migrations import revision_ledger
from compose_init.migrations.application import Migrations, migrations_of
from compose_init.migrations.database_position import Inspection, locate
from compose_init.migrations.fingerprint import fingerprint_migrations
from compose_init.migrations.revision_graph import RevisionGraph
from compose_init.migrations.revision_graph_file import read_graph_file
from compose_init.phases.migrate import find_state
from compose_init.settings import Settings
from compose_init.wait import poll_until


def wait_for_revision(
    settings: Settings, revision: str, reset_logging: Callable[[], object]
) -> None:
    """Wait until the database is at a revision or beyond; `head` means the heads of this image.

    Raises:
        NotReadyError: not by the deadline.
        MigrationError: this image has no such revision.
    """
    migrations = migrations_of(settings, reset_logging)
    started = time.monotonic()
    connection = wait_for_database(
        settings.need_database(), settings.database_timeout, started=started
    )

    def ask() -> None:
        for found in _inspect(connection, migrations):
            wanted = _resolve_revision(found.graph, revision, migrations.options)
            _check_applied(connection, found, wanted)

    with connection, translate_lost_connection():
        prepare_session(connection, settings.database_timeout)
        poll_until(
            ask,
            what=f"revision {revision}",
            timeout=settings.database_timeout,
            started=started,
            hint="look at init's log; INIT_DATABASE_TIMEOUT says how long to wait",
        )


def _check_applied(connection: Connection, found: Inspection, wanted: set[str]) -> None:
    """Raise `NotYetError` where a wanted revision is not applied."""
    known = revision_ledger.read(connection, found.version_table)
    position = locate(found.graph, found.current, known)
    unknown = [name for entry in position.unknown for name in entry.prerequisites]
    missing = wanted - found.graph.applied([*found.current, *unknown])
    if missing:
        names, at = ", ".join(sorted(missing)), ", ".join(found.current) or "no revision"
        raise NotYetError(f"the database is at {at}, and {names} is not applied")


def _inspect(connection: Connection, migrations: Migrations) -> tuple[Inspection, ...]:
    """Return revisions and positions, by one query where a run with the same env.py has left how to ask."""
    last = find_state(migrations.settings, ledger.read(connection) or [])
    if last is not None:
        fingerprint = fingerprint_migrations(migrations.options).combined
        graph = read_graph_file(migrations.options.config, fingerprint)
        if graph is not None:
            return (Inspection(graph, last.revisions, last.version_table),)
    try:
        return migrations.inspect()
    except ConnectionLostError as error:
        raise NotYetError(str(error)) from None


def _resolve_revision(graph: RevisionGraph, revision: str, options: AlembicOptions) -> set[str]:
    """Return the ids that `head`, an id, or the beginning of an id names."""
    if revision in {"head", "heads"}:
        return set(graph.heads)
    found = {name for name in graph.revisions if name.startswith(revision)}
    if revision in found:
        return {revision}
    if len(found) == 1:
        return found
    problem = "has no revision" if not found else "has several revisions that begin with"
    raise MigrationError(f"{options}: this image {problem} {revision}; is it the right image?")
