"""What ends a run, as a tree, with the exit codes of the design.

    InitError
    ├── SettingsError        78  settings or manifest are wrong
    ├── NotReadyError        69  PostgreSQL or the API did not come up in time
    ├── CredentialsRefused   77  credentials refused
    ├── LockError            75  the lock was not free in time
    ├── ConnectionLostError  75  a target went away half-way: run again
    ├── MigrationError       70  a migration failed
    └── UnknownRevisionError 73  the database is at a revision that this image does not know
    Interrupted                  a signal: 130 for SIGINT, 143 for SIGTERM

Errors of seeding (`compose_seeder.errors`) have their codes in `exit_code` below. Anything else is a defect
in the program: exit code 1, with its traceback.
"""

from __future__ import annotations

import signal

CHANGES = 2
"""Exit code of `--plan` where something would change."""

DEFECT = 1


class InitError(Exception):
    """A run cannot go on."""

    exit_code = DEFECT


class SettingsError(InitError):
    """Settings are wrong; the message lists every fault."""

    exit_code = 78


class NotReadyError(InitError):
    """What was waited for did not come up before the deadline."""

    exit_code = 69


class CredentialsRefused(InitError):  # noqa: N818 - it names what happened
    """PostgreSQL or the API refused the credentials."""

    exit_code = 77


class LockError(InitError):
    """Another run held the lock until the deadline."""

    exit_code = 75


class ConnectionLostError(InitError):
    """The database went away in the middle of a run."""

    exit_code = 75


class MigrationError(InitError):
    """A migration failed, or the history of revisions is broken."""

    exit_code = 70


class UnknownRevisionError(InitError):
    """The database is at a revision that this image does not know."""

    exit_code = 73


class Interrupted(KeyboardInterrupt):
    """A signal asked the run to end.

    A KeyboardInterrupt, since psycopg and asyncio cancel what is under way for that one.
    """

    def __init__(self, signum: int) -> None:
        self.signal = signal.Signals(signum)
        super().__init__(self.signal.name)

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as shells have it."""
        return 128 + self.signal


SEEDING = {
    "ManifestError": 78,
    "SourceError": 66,
    "RecordError": 65,
    "RefusedError": 76,
    "CredentialsError": 77,
    "InterruptedTargetError": 75,
}


def exit_code(error: BaseException) -> int:
    """The exit code for an error, without importing what raises it."""
    if isinstance(error, InitError | Interrupted):
        return error.exit_code
    if type(error).__module__ == "compose_seeder.errors":
        return SEEDING[type(error).__name__]
    return DEFECT
