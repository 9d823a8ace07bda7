"""What goes wrong in a migration, as ours: which revision, file, line and statement, and what to do."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compose_init.errors import (
    ConnectionLostError,
    CredentialsRefused,
    InitError,
    LockError,
    MigrationError,
)
from compose_init.migrations.fingerprint import files
from compose_init.migrations.revision_graph import Revision

LOCKED = {"55P03", "40P01"}
"""lock_not_available, deadlock_detected: another session was first, and the next try may do better."""

FORBIDDEN = "42501"
"""insufficient_privilege."""

SHOWN = 10


class LockedTableError(LockError):
    """A revision could not get its locks, and nothing of it stayed: it can be tried again."""


@dataclass
class UnderWay:
    """The revision that runs, and what it has committed before its end.

    Attributes:
        revision: None between revisions, and before the first.
        committed: statements that stay whatever happens; `autocommit_block` and COMMIT do that.
    """

    revision: Revision | None = None
    committed: list[str] = field(default_factory=list)
    autocommit: bool = False
    _open: list[str] = field(default_factory=list)

    def begin(self, revision: Revision | None) -> None:
        """Another revision runs; or none."""
        self.revision, self.committed, self._open = revision, [], []

    def executed(self, statement: str) -> None:
        """A statement was executed."""
        text = " ".join(statement.split())[:200]
        if text.upper().rstrip(";") in {"COMMIT", "END"}:
            self.commit()
        elif self.autocommit:
            self.committed.append(text)
        elif len(self._open) < SHOWN:
            self._open.append(text)

    def commit(self) -> None:
        """What was executed stays from here on."""
        self.committed += self._open
        self._open = []


@dataclass(frozen=True)
class Aftermath:
    """What is left after a failure: revisions of this run that stayed, and that went."""

    kept: Sequence[Revision] = ()
    undone: Sequence[Revision] = ()
    committed: Sequence[str] = ()

    def __str__(self) -> str:
        if self.committed:
            shown = "; ".join(self.committed[:SHOWN])
            more = f" and {len(self.committed) - SHOWN} more" if len(self.committed) > SHOWN else ""
            return (
                f"before it failed it had committed {shown}{more}: undo that by hand, or let the revision find it done"
                " (IF NOT EXISTS), and run again"
            )
        if self.undone:
            gone = ", ".join(entry.revision for entry in self.undone)
            return f"with it {gone} was rolled back, since env.py runs all in one transaction; mend it and run again"
        return (
            "its transaction was rolled back and earlier revisions are kept; mend it and run again"
        )


def of(
    error: BaseException, config: Path, under_way: UnderWay, after: Aftermath, blocked_by: str
) -> InitError:
    """Alembic's, SQLAlchemy's and the application's own exceptions, as ours."""
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, InitError):
        return error
    revision = under_way.revision
    what = f"revision {revision.revision} ({revision.message})" if revision else f"{config}: env.py"
    if isinstance(error, DBAPIError):
        return _database(error, what, config, after, blocked_by, running=revision is not None)
    if isinstance(error, (CommandError, RevisionError)) and revision is None:
        return MigrationError(f"{config}: {' '.join(str(error).split())}")
    said = f"{type(error).__name__}: {error}"
    end = str(after) if revision else "nothing was migrated"
    return MigrationError(f"{what} failed{_where(error, config)}: {said}; {end}")


def _database(
    error: Any, what: str, config: Path, after: Aftermath, blocked_by: str, *, running: bool
) -> InitError:
    origin = error.orig
    state = getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)
    said = " ".join(str(origin).split())
    if state in LOCKED:
        by = (
            f"; blocked by {blocked_by}"
            if blocked_by
            else " by another session (see pg_stat_activity)"
        )
        kind = LockError if after.committed else LockedTableError
        tail = f"; {after}" if after.committed else "; let that end and run again"
        return kind(f"{what} could not get a lock: {said}{by}{tail}")
    if error.connection_invalidated or (not running and state is None):
        return ConnectionLostError(f"{what}: the database went away: {said}; run again")
    statement = " ".join((error.statement or "").split())[:500]
    sql = f" in: {statement}" if statement else ""
    if state == FORBIDDEN and not running:
        # Since PostgreSQL 15 nobody but the database's owner may create anything in public.
        return CredentialsRefused(
            f"{what}: {said}{sql}; give that right to the role that it connects as; nothing was migrated"
        )
    return MigrationError(f"{what} failed{_where(error, config)}: {said}{sql}; {after}")


def _where(error: BaseException, config: Path) -> str:
    """File and line of the history, where the error passed through one."""
    ours = files(config)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if str(Path(frame.filename).resolve()) in ours:
            return f" at {Path(frame.filename).name}:{frame.lineno}"
    return ""
