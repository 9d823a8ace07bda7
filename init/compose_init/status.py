"""What the command `status` asks the database: revisions, datasets, the last runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compose_init import __version__, ledger
from compose_init.database.availability import wait_for_database
from compose_init.database.connection import (
    Connection,
    prepare_session,
    translate_lost_connection,
)
from compose_init.migrations import revision_ledger
from compose_init.migrations.application import migrations_of
from compose_init.migrations.database_position import (
    DatabasePosition,
    DatabaseState,
    Inspection,
    locate,
)
from compose_init.settings import Settings

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


def read_installation(settings: Settings) -> str | None:
    """Return the id of the database's installation; None where no run has been in this database.

    Raises:
        NotReadyError, CredentialsRefused: there is no connection, or the role may not read the ledger.
    """
    connection = wait_for_database(settings.need_database(), settings.database_timeout)
    with connection, translate_lost_connection():
        prepare_session(connection, settings.lock_timeout)
        return ledger.installation(connection)


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
