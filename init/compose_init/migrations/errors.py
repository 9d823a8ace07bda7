"""Exceptions of Alembic, SQLAlchemy and the application's revisions, translated into ours.

LockedTableError     another session was first, and nothing stayed: the revision can be tried again
LockError            another session was first, and something of the revision stayed
ConnectionLostError  the database went away
CredentialsRefused   the role may not create the version table
MigrationError       anything else: which revision, file, line and statement, and what to do
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path

from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from compose_init.alembic_options import AlembicOptions
from compose_init.errors import (
    ConnectionLostError,
    CredentialsRefused,
    InitError,
    LockError,
    MigrationError,
    one_line,
)
from compose_init.migrations.aftermath import Aftermath
from compose_init.migrations.fingerprint import files
from compose_init.migrations.revision_graph import Revision
from compose_seeder.errors import TIME_LIMIT

FOREIGN = (CommandError, RevisionError, SQLAlchemyError)
"""The roots of all exceptions that Alembic and SQLAlchemy define."""

LOCKED = {"55P03", "40P01"}
"""lock_not_available, deadlock_detected: another session was first, and the next try may do better."""

FORBIDDEN = "42501"
"""insufficient_privilege."""

EXISTS = (
    "if Alembic did not make it (as create_all() does), tell Alembic with `alembic stamp` which revision is there; if"
    " a run that failed left it, drop it, or let the revision accept it (IF NOT EXISTS)"
)

REMEDIES = {
    "55P04": "a new value of an enum can be used when it is committed: set transaction_per_migration=True in"
    " context.configure(), and use the value in a later revision",
    "57014": TIME_LIMIT,
    **dict.fromkeys(("42P07", "42701", "42710", "42P06", "42723"), EXISTS),
}
"""By SQLSTATE: unsafe_new_enum_value_usage, query_canceled; a table, column, object, schema, function is there."""

SHOWN_CHARACTERS = 500


class LockedTableError(LockError):
    """A revision could not get its locks, and nothing of it stayed: it can be tried again."""


@dataclass(frozen=True)
class Failure:
    """The circumstances of an exception.

    Attributes:
        options: of the history.
        revision: the one that ran; None where none did.
        aftermath: what is left.
        blocked_by: the session that was last seen blocking ours; "" for none.
        part: what ran where no revision did.
    """

    options: AlembicOptions
    revision: Revision | None = None
    aftermath: Aftermath = field(default_factory=Aftermath)
    blocked_by: str = ""
    part: str = "env.py"

    @property
    def subject(self) -> str:
        """The revision, or what else ran, for the start of a message."""
        if self.revision is None:
            return f"{self.options}: {self.part}"
        return f"revision {self.revision.revision} ({self.revision.message})"


def translate(error: BaseException, failure: Failure) -> InitError:
    """Return our exception for any that came out of Alembic, SQLAlchemy or the application's code."""
    if isinstance(error, InitError):
        return error
    if isinstance(error, DBAPIError):
        return _translate_database_error(error, failure)
    if isinstance(error, (CommandError, RevisionError)) and failure.revision is None:
        return MigrationError(f"{failure.options}: {one_line(error)}; {failure.aftermath}")
    described = f"{type(error).__name__}: {error}"
    where = _locate_frame(error, failure.options)
    return MigrationError(f"{failure.subject} failed{where}: {described}; {failure.aftermath}")


def _translate_database_error(error: DBAPIError, failure: Failure) -> InitError:
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    message = one_line(error.orig)
    if code in LOCKED:
        return _locked(message, failure)
    running = failure.revision is not None
    if error.connection_invalidated or (not running and code is None):
        return ConnectionLostError(
            f"{failure.subject}: the connection to the database was lost: {message}; {failure.aftermath}"
        )
    statement = " ".join((error.statement or "").split())[:SHOWN_CHARACTERS]
    sql = f" in: {statement}" if statement else ""
    if code == FORBIDDEN and not running:
        # Since PostgreSQL 15 nobody but the database's owner may create anything in public.
        return CredentialsRefused(
            f"{failure.subject}: {message}{sql}; give that right to the role that it connects as; {failure.aftermath}"
        )
    where = _locate_frame(error, failure.options)
    hint = f"{REMEDIES[code]}; " if code in REMEDIES else ""
    return MigrationError(
        f"{failure.subject} failed{where}: {message}{sql}; {hint}{failure.aftermath}"
    )


def _locked(message: str, failure: Failure) -> LockError:
    by = " by another session (see pg_stat_activity)"
    if failure.blocked_by:
        by = f"; blocked by {failure.blocked_by}"
    start = f"{failure.subject} could not get a lock: {message}{by}"
    if failure.aftermath.remains or failure.aftermath.unknown:
        return LockError(f"{start}; {failure.aftermath}")
    return LockedTableError(f"{start}; let that session end and run again")


def _locate_frame(error: BaseException, options: AlembicOptions) -> str:
    """Return file and line of the application's migrations, where the error passed through them."""
    own = files(options)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if str(Path(frame.filename).resolve()) in own:
            return f" at {Path(frame.filename).name}:{frame.lineno}"
    return ""
