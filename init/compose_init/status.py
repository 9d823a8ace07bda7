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
from compose_init.migrations.fingerprint import of_migrations
from compose_init.migrations.revision_graph import (
    DatabaseState,
    Lineage,
    place,
    read_record,
    write_record,
)
from compose_init.migrations.upgrade import Migrations, of_settings
from compose_init.settings import Settings
from compose_init.wait import poll_until, wait_for_database


def status(settings: Settings, logging: Callable[[], object]) -> dict[str, Any]:
    """Revision and head, lineage, datasets and the last runs, as the design names them."""
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
    known = revision_ledger.rows(connection)
    applied = [
        {**entry, "state": "adopted" if entry.pop("adopted") else "applied"} for entry in known
    ]
    if settings.alembic_config is None:
        # of no history at all
        return {"revisions": [], "heads": [], "state": DatabaseState.AT_HEAD, "lineage": applied}
    standing = of_settings(settings, logging).look()
    here = place(standing.lineage, standing.current, revision_ledger.read(connection))
    pending = (
        standing.lineage.pending(standing.current)
        if here.state in {DatabaseState.EMPTY, DatabaseState.BEHIND}
        else ()
    )
    return {
        "revisions": sorted(standing.current),
        "heads": list(standing.lineage.heads),
        "state": here.state,
        **({"problem": here.problem} if here.problem else {}),
        "lineage": [
            *applied,
            *(
                {
                    "revision": e.revision,
                    "message": e.message,
                    "before": list(e.before),
                    "state": "pending",
                }
                for e in pending
            ),
        ],
    }


def record(settings: Settings, logging: Callable[[], object]) -> tuple[str, Lineage] | None:
    """Record the lineage beside the configuration, so that a run need not import Alembic to know it.

    Returns:
        The file's path, and the lineage; None where the revisions cannot be imported here: they may
        want variables that only the server has. A run then takes the slower way, and no harm is done.

    Raises:
        MigrationError: the history is broken, or the record cannot be written.
        SettingsError: there is none.
    """
    migrations = of_settings(settings, logging, offline=True)
    try:
        lineage = migrations.lineage()
    except MigrationError as error:
        cause = error.__cause__
        if cause is None or type(cause).__module__.startswith("alembic."):
            raise
        event(
            "the lineage cannot be recorded here, so a run will import Alembic to know it",
            WARNING,
            reason=f"{type(cause).__name__}: {cause}",
        )
        return None
    fingerprint = of_migrations(migrations.config).whole
    try:
        return str(write_record(migrations.config, lineage, fingerprint)), lineage
    except OSError as error:
        raise MigrationError(
            f"the lineage cannot be recorded beside {migrations.config}: {error.strerror}"
        ) from None


def wait_for_revision(settings: Settings, revision: str, logging: Callable[[], object]) -> None:
    """Wait until the database is at a revision, or beyond it; `head` means this image's.

    Raises:
        NotReadyError: not by the deadline.
        MigrationError: this image has no such revision.
    """
    migrations = of_settings(settings, logging)
    found = of_migrations(migrations.config)
    lineage = read_record(migrations.config, found.whole) or migrations.lineage()
    wanted = _resolved(lineage, revision, migrations)
    began = time.monotonic()
    connection = wait_for_database(
        settings.need_database(), settings.database_timeout, started=began
    )

    def ask() -> None:
        current = _current(connection, migrations, found.environment)
        known = revision_ledger.read(connection)
        here = place(lineage, current, known)
        unknown = [name for entry in here.unknown for name in entry.before]
        missing = wanted - lineage.applied([*current, *unknown])
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
        return migrations.look().current
    except ConnectionLostError as error:
        raise NotYetError(str(error)) from None


def _resolved(lineage: Lineage, revision: str, migrations: Migrations) -> set[str]:
    if revision in {"head", "heads"}:
        return set(lineage.heads)
    found = {name for name in lineage.revisions if name.startswith(revision)}
    if revision in found:
        return {revision}
    if len(found) == 1:
        return found
    problem = "has no revision" if not found else "has several revisions that begin with"
    raise MigrationError(
        f"{migrations.config}: this image {problem} {revision}; is it the right image?"
    )
