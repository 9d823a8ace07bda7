"""Bring a database to the image's heads, with Alembic and the application's own `env.py`.

    attempt ─▶ a table is locked, and nothing of the revision stayed ─▶ attempt ─▶ … ─▶ at head

`env.py` does the connecting: sync or async, with the driver of the application's choice. We hand it a
function that says which steps to take, as `alembic upgrade` itself does.
"""

from __future__ import annotations

from dataclasses import dataclass

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from compose_init.database.blocking_sessions import BlockerWatch
from compose_init.database.connection import Connection
from compose_init.database.url import Database
from compose_init.logs import event
from compose_init.migrations.alembic_env import AlembicEnvironment
from compose_init.migrations.attempt import Attempt, Observer
from compose_init.migrations.database_position import DatabasePosition
from compose_init.migrations.errors import LockedTableError
from compose_init.migrations.revision_graph import Revision
from compose_init.migrations.revision_ledger import Image

WATCH_SECONDS = 0.25
"""How often blocking sessions are looked for, at most."""

RETRY_MULTIPLIER_SECONDS = 0.5
RETRY_MAX_SECONDS = 10


@dataclass(frozen=True)
class Upgrade:
    """The settings of an upgrade.

    Attributes:
        environment: the application's.
        database: the same that `env.py` connects to; the watch for blocking sessions connects to it as well.
        image: recorded with each revision.
        lock_timeout: seconds that one statement may wait for a lock before its revision is retried.
        retry_timeout: seconds after which retrying ends.
    """

    environment: AlembicEnvironment
    database: Database
    image: Image
    lock_timeout: float
    retry_timeout: float

    def run(
        self, connection: Connection, observer: Observer, applied: list[Revision]
    ) -> DatabasePosition:
        """Bring the database to head, and verify that it is there.

        Args:
            connection: our own, for the ledger.
            observer: told each revision before and after it runs.
            applied: gets what was applied and stayed, after a failure as well.

        Returns:
            At head; or ahead, where nothing was changed.

        Raises:
            MigrationError: a revision failed, or the revisions are broken.
            UnknownRevisionError: the database has diverged.
            LockError: a table stayed locked by another session.
            ConnectionLostError: the database went away.
        """
        attempts = Retrying(
            retry=retry_if_exception_type(LockedTableError),
            stop=stop_after_delay(self.retry_timeout),
            wait=wait_random_exponential(
                multiplier=RETRY_MULTIPLIER_SECONDS, max=RETRY_MAX_SECONDS
            ),
            before_sleep=_log_retry,
            reraise=True,
        )
        return attempts(lambda: self._attempt(connection, observer).run(applied))

    def _attempt(self, connection: Connection, observer: Observer) -> Attempt:
        interval = min(WATCH_SECONDS, self.lock_timeout / 4)
        watch = BlockerWatch(self.database, interval)
        return Attempt(self.environment, self.image, self.lock_timeout, connection, observer, watch)


def _log_retry(attempt: RetryCallState) -> None:
    outcome = attempt.outcome
    event(
        "a table is locked by another session, trying again",
        reason=str(outcome.exception() if outcome else ""),
    )
