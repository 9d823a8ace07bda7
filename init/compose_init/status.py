"""Where the database stands: for `status`, and for containers that wait for a revision."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from logging import WARNING
from typing import Any

from compose_init import __version__, ledger
from compose_init.database.connection import Connection, translate_lost_connection
from compose_init.errors import ConnectionLostError, MigrationError, NotYetError
from compose_init.logs import event
from compose_init.migrations import revision_ledger
from compose_init.migrations.application import Migrations, migrations_of
from compose_init.migrations.database_position import DatabaseState, locate
from compose_init.migrations.fingerprint import of_migrations
from compose_init.migrations.revision_graph import RevisionGraph
from compose_init.migrations.revision_graph_file import read_graph_file, write_graph_file
from compose_init.settings import Settings
from compose_init.wait import poll_until, wait_for_database


def status(settings: Settings, logging: Callable[[], object]) -> dict[str, Any]:
    """Return revisions and heads, datasets and the last runs."""
    with wait_for_database(settings.need_database(), settings.database_timeout) as connection:
        return {
            "version": __version__,
            "database": _schema(settings, connection, logging),
            "datasets": ledger.datasets(connection),
            "runs": ledger.runs(connection, 10),
        }


def _schema(
    settings: Settings, connection: Connection, logging: Callable[[], object]
) -> dict[str, Any]:
    known = revision_ledger.read_rows(connection)
    applied = [
        {**entry, "state": "adopted" if entry.pop("adopted") else "applied"} for entry in known
    ]
    if settings.alembic_config is None:
        # of no history at all
        return {"revisions": [], "heads": [], "state": DatabaseState.AT_HEAD, "lineage": applied}
    inspection = migrations_of(settings, logging).inspect()
    here = locate(inspection.graph, inspection.current, revision_ledger.read(connection))
    pending = (
        inspection.graph.pending(inspection.current)
        if here.state in {DatabaseState.EMPTY, DatabaseState.BEHIND}
        else ()
    )
    return {
        "revisions": sorted(inspection.current),
        "heads": list(inspection.graph.heads),
        "state": here.state,
        **({"problem": here.problem} if here.problem else {}),
        "lineage": [
            *applied,
            *(
                {
                    "revision": e.revision,
                    "message": e.message,
                    "before": list(e.prerequisites),
                    "state": "pending",
                }
                for e in pending
            ),
        ],
    }


def record(settings: Settings, logging: Callable[[], object]) -> tuple[str, RevisionGraph] | None:
    """Record the revision graph beside the configuration, so that a run need not import Alembic to know it.

    Returns:
        The file's path, and the graph; None where the revisions cannot be imported here: they may
        want variables that only the server has. A run then takes the slower way, and no harm is done.

    Raises:
        MigrationError: the revisions are broken, or the file cannot be written.
        SettingsError: there are no migrations.
    """
    migrations = migrations_of(settings, logging, offline=True)
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
    fingerprint = of_migrations(migrations.config).whole
    try:
        return str(write_graph_file(migrations.config, graph, fingerprint)), graph
    except OSError as error:
        raise MigrationError(
            f"the revision graph cannot be recorded beside {migrations.config}: {error.strerror}"
        ) from None


def wait_for_revision(settings: Settings, revision: str, logging: Callable[[], object]) -> None:
    """Wait until the database is at a revision, or beyond it; `head` means this image's.

    Raises:
        NotReadyError: not by the deadline.
        MigrationError: this image has no such revision.
    """
    migrations = migrations_of(settings, logging)
    found = of_migrations(migrations.config)
    graph = read_graph_file(migrations.config, found.whole) or migrations.graph()
    wanted = _resolved(graph, revision, migrations)
    began = time.monotonic()
    connection = wait_for_database(
        settings.need_database(), settings.database_timeout, started=began
    )

    def ask() -> None:
        current = _current(connection, migrations, found.environment)
        known = revision_ledger.read(connection)
        here = locate(graph, current, known)
        unknown = [name for entry in here.unknown for name in entry.prerequisites]
        missing = wanted - graph.applied([*current, *unknown])
        if missing:
            at = ", ".join(current) or "no revision"
            raise NotYetError(
                f"the database is at {at}, and {', '.join(sorted(missing))} is not applied"
            )

    with connection, translate_lost_connection():
        poll_until(
            ask,
            what=f"revision {revision}",
            timeout=settings.database_timeout,
            started=began,
            hint="look at init's log; INIT_DATABASE_TIMEOUT says how long to wait",
        )


def _current(connection: Connection, migrations: Migrations, environment: str) -> Iterable[str]:
    """By one query where a run with the same env.py has told the ledger where to look."""
    last = ledger.read(connection)
    if last and last.inputs.get("migrate", {}).get("environment") == environment:
        return last.revisions
    try:
        return migrations.inspect().current
    except ConnectionLostError as error:
        raise NotYetError(str(error)) from None


def _resolved(graph: RevisionGraph, revision: str, migrations: Migrations) -> set[str]:
    if revision in {"head", "heads"}:
        return set(graph.heads)
    found = {name for name in graph.revisions if name.startswith(revision)}
    if revision in found:
        return {revision}
    if len(found) == 1:
        return found
    problem = "has no revision" if not found else "has several revisions that begin with"
    raise MigrationError(
        f"{migrations.config}: this image {problem} {revision}; is it the right image?"
    )
