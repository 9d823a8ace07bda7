"""The session that blocks ours: seen while ours waits, since afterwards nobody can tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from compose_init.database.connection import Connection, connect, prepare_session
from compose_init.database.url import Database
from compose_init.errors import InitError, LockError, NotYetError, one_line
from compose_init.logs import event
from compose_seeder.errors import LockedTargetError, TimeLimitError
from compose_seeder.postgres import statements

SHOWN_CHARACTERS = 200
"""How much of a blocking query is quoted."""

PATIENCE_SECONDS = 10.0
"""After which a wait that has no bound (`CONCURRENTLY`) is logged, again and again."""

JOIN_SECONDS = 2.0

WATCH_SECONDS = 1.0
"""Between two looks while seeding."""


class BlockerWatch:
    """Remembers who blocked a session last.

    Args:
        database: watched on a connection of its own.
        interval: seconds between two looks.

    Attributes:
        pid: of the session that is watched; None for none.
        last_blocker: the session that blocked it last, for people; "" for none.
        is_blocked: it was blocked at the last look.
    """

    def __init__(self, database: Database, interval: float) -> None:
        self.pid: int | None = None
        self.last_blocker = ""
        self.is_blocked = False
        self._database = database
        self._interval = interval
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch, on a connection and in a thread of its own."""
        thread = threading.Thread(target=self._run, name="blockers", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        try:
            # Only where something runs for longer than a moment.
            while not self._over.wait(self._interval):
                if self.pid is not None:
                    with connect(self._database, connect_timeout="2") as connection:
                        # Its own session is idle between two looks, for which a role may have a limit.
                        prepare_session(connection, self._interval)
                        self._watch(connection)
        except (psycopg.Error, InitError, NotYetError):
            return  # what it would have said is a help, and no more

    def _watch(self, connection: Connection) -> None:
        query = statements("blocking_sessions", "compose_init")["blocking_session"]
        since = time.monotonic()
        while not self._over.wait(self._interval):
            row = connection.execute(query, {"pid": self.pid}).fetchone() if self.pid else None
            self.is_blocked = row is not None
            if row is None:
                since = time.monotonic()
                continue
            self.last_blocker = _describe(row)
            if time.monotonic() - since > PATIENCE_SECONDS:
                event("waiting for a lock", blocked_by=self.last_blocker)
                since = time.monotonic()


@contextmanager
def naming_blockers(database: Database, connection: Connection, timeout: float) -> Iterator[None]:
    """Watch a session, and name the session that it waited for where it waited too long.

    Args:
        database: that it is connected to.
        connection: watched.
        timeout: seconds that it waits for a lock.

    Raises:
        LockError: it waited for a lock of another session until a time limit ended the wait.
    """
    watch = BlockerWatch(database, min(WATCH_SECONDS, timeout / 4))
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    watch.pid = row[0] if row else None
    try:
        with watch.running():
            yield
    except (LockedTargetError, psycopg.errors.LockNotAvailable) as error:
        raise LockError(_with_blocker(error, watch)) from None
    except TimeLimitError as error:
        if not watch.is_blocked:
            raise
        raise LockError(_with_blocker(error, watch)) from None


def _with_blocker(error: Exception, watch: BlockerWatch) -> str:
    by = f"; it waited for {watch.last_blocker}" if watch.last_blocker else ""
    return f"{one_line(error)}{by}; let it finish and run again, or set INIT_LOCK_TIMEOUT"


def _describe(row: tuple[object, ...]) -> str:
    pid, application, address, state, since, query = row
    text = " ".join(str(query or "").split())
    text = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    start = f", in a transaction since {since}" if since else ""
    return f"{application}, process {pid}, from {address}, {state or 'unknown'}{start}: {text}"
