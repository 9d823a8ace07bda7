"""The errors that end a run, as a tree, each with its exit code.

    InitError
    ├── SettingsError         78  settings or the command line are wrong
    ├── NotReadyError         69  PostgreSQL or the API did not come up in time
    ├── CredentialsRefused    77  credentials or rights were refused
    ├── LockError             75  a lock was not free in time
    ├── ConnectionLostError   75  the connection to PostgreSQL was lost: run again
    ├── MigrationError        70  a migration failed
    ├── AlertRefusedError     76  no receiver would take the same alert later either
    ├── OutputError           74  stdout cannot be written
    └── UnknownRevisionError  73  the database is at a revision that this image does not know
    Interrupted                   a signal: 130 for SIGINT, 143 for SIGTERM

Errors of seeding carry theirs in the same way (`compose_seeder.errors`). The numbers are those of
`sysexits.h`, as far as it has one. Any other exception is a defect in the program: exit code 1, with its
traceback.
"""

from __future__ import annotations

import os
import signal
from typing import ClassVar

from compose_seeder.errors import SeedError

PLAN_FOUND_CHANGES = 2
"""Exit code of `--plan` where a run would change something."""

DEFECT = 1
"""Exit code of an unexpected exception."""

SIGNAL_BASE = 128
"""Exit codes above are those of a process that a signal ended, as a shell counts them."""


class InitError(Exception):
    """A run cannot go on; subclasses say why."""

    exit_code: ClassVar[int] = DEFECT


class SettingsError(InitError):
    """Settings or the command line are wrong; the message lists every fault."""

    exit_code = os.EX_CONFIG


class NotReadyError(InitError):
    """PostgreSQL, the API or a revision was not there before the deadline."""

    exit_code = os.EX_UNAVAILABLE


class CredentialsRefused(InitError):  # noqa: N818 - it names what happened
    """PostgreSQL or the API refused the credentials, or a right is missing."""

    exit_code = os.EX_NOPERM


class LockError(InitError):
    """Another session held a lock until the deadline."""

    exit_code = os.EX_TEMPFAIL


class ConnectionLostError(InitError):
    """The connection to PostgreSQL was lost in the middle of a run."""

    exit_code = os.EX_TEMPFAIL


class MigrationError(InitError):
    """A migration failed, or the history of revisions is broken."""

    exit_code = os.EX_SOFTWARE


class AlertRefusedError(InitError):
    """A receiver refused an alert, and would refuse it again."""

    exit_code = os.EX_PROTOCOL


class OutputError(InitError):
    """The document that a command prints cannot be written."""

    exit_code = os.EX_IOERR


class UnknownRevisionError(InitError):
    """The database is at a revision that this image does not know."""

    exit_code = os.EX_CANTCREAT


class NotYetError(Exception):
    """What is waited for is not there yet, and why; ends no run, since the question is asked again."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the run to end.

    A KeyboardInterrupt, since psycopg and asyncio cancel what is under way for that one.
    """

    def __init__(self, signum: int) -> None:
        self.signal = signal.Signals(signum)
        super().__init__(self.signal.name)

    @property
    def exit_code(self) -> int:
        """Return the code that a shell gives a process which this signal ended."""
        return SIGNAL_BASE + self.signal


def exit_code_of(error: BaseException) -> int:
    """Return the exit code that an error carries, or `DEFECT` for an exception of somebody else's."""
    # Not by the attribute's name: an application's own exception may have an `exit_code` as well.
    return error.exit_code if isinstance(error, InitError | SeedError | Interrupted) else DEFECT


def one_line(error: object) -> str:
    """Return the text of an error on one line, as a part of a message."""
    return " ".join(str(error).split())
