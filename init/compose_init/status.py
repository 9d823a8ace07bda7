"""The commands that look at a database's revisions: `status`, `wait --revision`, and `record` for an image."""

from __future__ import annotations

import time
from collections.abc import Callable
from logging import WARNING
from typing import Any

from compose_init import __version__, ledger
from compose_init.alembic_options import AlembicOptions
from compose_init.database.availability import wait_for_database
from compose_init.database.connection import (
    Connection,
    prepare_session,
    translate_lost_connection,
)
from compose_init.errors import ConnectionLostError, MigrationError, NotYetError
from compose_init.logs import event
from compose_init.migrations import revision_ledger
from compose_init.migrations.application import Migrations, migrations_of
from compose_init.migrations.database_position import (
    DatabasePosition,
    DatabaseState,
    Inspection,
    locate,
)
from compose_init.migrations.fingerprint import fingerprint_migrations
from compose_init.migrations.revision_graph import RevisionGraph
from compose_init.migrations.revision_graph_file import read_graph_file, write_graph_file
from compose_init.phases.migrate import find_state
from compose_init.settings import Settings
from compose_init.wait import poll_until

STATES = list(DatabaseState)

SHOWN_RUNS = 10
"""How many of the last runs the status shows."""


def read_status(settings: Settings, reset_logging: Callable[[], object]) -> dict[str, Any]:
    """Return revisions and heads, datasets and the last runs, as `status --output json` prints them.

    Args:
        settings: with a database.
        reset_logging: called when `env.py` may have configured logging.

    Raises:
        NotReadyError, CredentialsRefused, SettingsError: there is no connection.
        MigrationError: the revisions cannot be read.
    """
    connection = wait_for_database(settings.need_database(), settings.database_timeout)
    with connection, translate_lost_connection():
        prepare_session(connection, settings.lock_timeout)
        return {
            "version": __version__,
            "database": _read_schema(settings, connection, reset_logging),
            "datasets": ledger.datasets(connection),
            "runs": ledger.runs(connection, SHOWN_RUNS),
        }


def _read_schema(
    settings: Settings, connection: Connection, reset_logging: Callable[[], object]
) -> dict[str, Any]:
    found: tuple[Inspection, ...] = ()
    if settings.alembic is not None:
        found = migrations_of(settings, reset_logging).inspect()
    if not found:  # there are no revisions, so every database has them all
        return {"revisions": [], "heads": [], "state": DatabaseState.AT_HEAD, "lineage": []}
    histories = [_describe_history(connection, each) for each in found]
    if len(histories) == 1:
        return histories[0]
    # Of several, the one with the most to do stands for all.
    worst = max(histories, key=lambda each: STATES.index(each["state"]))
    return {**worst, "version_tables": histories}


def _describe_history(connection: Connection, found: Inspection) -> dict[str, Any]:
    known = revision_ledger.read_rows(connection, found.version_table)
    applied = [
        {**entry, "state": "adopted" if entry.pop("adopted") else "applied"} for entry in known
    ]
    ledger_of_revisions = revision_ledger.read(connection, found.version_table)
    position = locate(found.graph, found.current, ledger_of_revisions)
    return {
        "version_table": found.version_table,
        "revisions": sorted(found.current),
        "heads": list(found.graph.heads),
        "state": position.state,
        **({"problem": position.problem} if position.problem else {}),
        "lineage": [*applied, *_pending_entries(found, position)],
    }


def _pending_entries(inspection: Inspection, position: DatabasePosition) -> list[dict[str, Any]]:
    if position.state not in {DatabaseState.EMPTY, DatabaseState.BEHIND}:
        return []
    return [
        {
            "revision": revision.revision,
            "message": revision.message,
            "before": list(revision.prerequisites),
            "state": "pending",
        }
        for revision in inspection.pending
    ]


def record_revision_graph(
    settings: Settings, reset_logging: Callable[[], object]
) -> tuple[str, RevisionGraph] | None:
    """Record the revision graph beside the configuration, so that a run need not import Alembic.

    Returns:
        The file's path, and the graph; None if the revisions cannot be imported here, because they need
        variables that only the server has. A run then imports Alembic.

    Raises:
        MigrationError: the revisions are broken, or the file cannot be written.
        SettingsError: there are no migrations.
    """
    migrations = migrations_of(settings, reset_logging, offline=True)
    try:
        graph = migrations.graph()
    except MigrationError as error:
        cause = error.__cause__
        if cause is None or type(cause).__module__.startswith("alembic."):
            raise
        event(
            "the revision graph cannot be recorded here, so a run will import Alembic to know it",
            WARNING,
            reason=f"{type(cause).__name__}: {cause}",
        )
        return None
    if not migrations.reads_recorded_folders:
        event(
            "the revision graph cannot be recorded, so a run will import Alembic to know it",
            WARNING,
            reason="Alembic reads revisions from a folder that the configuration alone does not tell",
        )
        return None
    fingerprint = fingerprint_migrations(migrations.options).combined
    try:
        return str(write_graph_file(migrations.options.config, graph, fingerprint)), graph
    except OSError as error:
        raise MigrationError(
            f"the revision graph cannot be recorded beside {migrations.options}: {error.strerror}"
        ) from None


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
