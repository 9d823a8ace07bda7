"""Where the database stands: for `status`, and for containers that wait for a revision."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from init import __version__, state, wait
from init.errors import UnknownRevisionError
from init.migrate import of_settings
from init.settings import Settings

if TYPE_CHECKING:
    from init.migrate import History


def status(settings: Settings, logging: Callable[[], object]) -> dict[str, Any]:
    """Revision and head, datasets and the last runs, as the design names them."""
    with wait.for_database(settings.need_database(), settings.database_timeout) as connection:
        return {
            "version": __version__,
            "database": _schema(settings, logging),
            "datasets": state.datasets(connection),
            "runs": state.runs(connection, 10),
        }


def _schema(settings: Settings, logging: Callable[[], object]) -> dict[str, Any]:
    if settings.alembic_config is None:
        return {"revisions": [], "heads": [], "state": "at head"}  # of no history at all
    found = of_settings(settings, logging)
    try:
        history = found.pending()
    except UnknownRevisionError:
        current, heads = found.current_and_heads()
        return {"revisions": list(current), "heads": list(heads), "state": "elsewhere"}
    return {
        "revisions": list(history.current),
        "heads": list(history.heads),
        "state": _where(history),
    }


def _where(history: History) -> str:
    if not history.revisions:
        return "at head"
    return "behind" if history.current else "empty"


def wait_for_revision(settings: Settings, revision: str, logging: Callable[[], object]) -> None:
    """Wait until the database is at a revision, or beyond it; `head` means this image's.

    Raises:
        NotReadyError: not by the deadline.
        MigrationError: this image has no such revision.
    """
    found = of_settings(settings, logging)
    wanted = found.resolve(revision)
    started = time.monotonic()
    wait.for_database(settings.need_database(), settings.database_timeout).close()

    def ask() -> None:
        history = found.pending()
        missing = {r.revision for r in history.revisions}.intersection(wanted)
        if missing:
            at = ", ".join(history.current) or "no revision"
            raise wait.NotYetError(
                f"the database is at {at}, and {', '.join(sorted(missing))} is not applied"
            )

    left = max(0.1, settings.database_timeout - (time.monotonic() - started))
    wait.until(
        ask,
        what=f"revision {revision}",
        timeout=left,
        hint="look at init's log; INIT_DATABASE_TIMEOUT says how long to wait",
    )
