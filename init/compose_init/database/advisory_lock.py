"""The advisory lock: one run at a time, on a connection of its own.

Taken by polling `pg_try_advisory_lock`: a session that waits in `pg_advisory_lock` holds a snapshot,
and `CREATE INDEX CONCURRENTLY` in the other run would wait for that one in turn.

The lock belongs to a session of the server, which a pooler may share: that is found out first (`pooler`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from compose_init.database.answer_deadline import within
from compose_init.database.availability import wait_for_database
from compose_init.database.connection import Connection
from compose_init.database.pooler import refuse_shared_sessions, shared_session_error
from compose_init.database.url import Database
from compose_init.errors import (
    ConnectionLostError,
    LockError,
    NotReadyError,
    NotYetError,
)
from compose_init.logs import event
from compose_init.wait import poll_until

KEY = int.from_bytes(b"compinit", "big")
"""The bytes of "compinit"; one lock a database."""

ALIVE: dict[str, Any] = {
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""For libpq: a peer that vanished is noticed within half a minute, while nothing is asked and while
something is."""

ANSWER_TIMEOUT_SECONDS = 30.0
"""In which the lock's session must answer; the server may stand still with its network in order."""

UNLOCK_ROUNDS = 25
"""How often the lock is released where a pooler may have changed the session."""

THE_LOCK = """l.locktype = 'advisory' AND l.granted AND l.classid::bigint = %(high)s
  AND l.objid::bigint = %(low)s AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""

HOLDER = f"""
SELECT coalesce(a.pid::text, '?'),
       coalesce(nullif(a.application_name, ''), 'an unnamed program'),
       coalesce(host(a.client_addr), 'a socket'),
       to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE {THE_LOCK}
"""

HELD_HERE = f"SELECT FROM pg_locks l WHERE {THE_LOCK} AND l.pid = pg_backend_pid()"

PARTS = {"high": KEY >> 32, "low": KEY & 0xFFFF_FFFF}


@dataclass(frozen=True)
class Lock:
    """The lock while it is held."""

    connection: Connection

    def check(self) -> None:
        """Make sure that it is held still; for every step that no other run may do as well.

        Answers within `ANSWER_TIMEOUT_SECONDS` seconds, whatever became of the server or the network.

        Raises:
            ConnectionLostError: the lock's connection is lost, or its session does not hold the lock
                any more: another run may hold it by now.
        """
        try:
            with within(ANSWER_TIMEOUT_SECONDS, self.connection):
                if _held_here(self.connection):
                    return
            reason = "its session goes on, and does not hold it any more"
        except TimeoutError:
            reason = (
                f"its connection to PostgreSQL did not answer within {ANSWER_TIMEOUT_SECONDS:g} s"
            )
        except psycopg.OperationalError as error:
            reason = f"its connection to PostgreSQL is gone: {_one_line(error)}"
        raise ConnectionLostError(
            f"the lock is lost: {reason}; another run may hold it by now, so this one stops before its next step,"
            " and has begun nothing of that; run again"
        )


@contextmanager
def held(database: Database, *, database_timeout: float, timeout: float) -> Iterator[Lock]:
    """Hold the lock; it is released on every way out, and by the server where the process dies.

    Raises:
        LockError: another run held it for `timeout` seconds; the message names it.
        SettingsError: the connection goes through a pooler that cannot hold a session's lock.
        NotReadyError: PostgreSQL, or a pooler in front of it, had no session for this run in time.
    """
    with wait_for_database(database, database_timeout, **ALIVE) as connection:
        refuse_shared_sessions(database, connection, database_timeout, ALIVE)
        # The lock's session is idle by nature; a server that ends idle ones must not end this one.
        connection.execute("SET idle_session_timeout = 0")
        _take(connection, timeout)
        try:
            if not _held_here(connection):
                raise shared_session_error(connection)
            yield Lock(connection)
        finally:
            _release(connection)


def _take(connection: Connection, timeout: float) -> None:
    told = False

    def ask() -> None:
        nonlocal told
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [KEY]).fetchone()
        if row and row[0]:
            return
        holder = _holder(connection)
        if not told:
            event("another run holds the lock, waiting for it", holder=holder)
            told = True
        raise NotYetError(holder)

    try:
        poll_until(ask, what="the lock", timeout=timeout, hint="")
    except NotReadyError as error:
        reason = str(error).partition(": ")[2].removesuffix("; ")
        raise LockError(
            f"the lock was not free within {timeout:g} s: {reason}; another run is under way: let it finish and"
            " run again, or set INIT_LOCK_TIMEOUT"
        ) from None


def _release(connection: Connection) -> None:
    """Let go at once: a session pooler may keep the session, and the server needs a moment to end one.

    Where the session has changed after all, the one that has the lock may come back in the next rounds.
    """
    unlock = "SELECT pg_advisory_unlock(%s)"
    with (
        suppress(psycopg.OperationalError, TimeoutError),
        within(ANSWER_TIMEOUT_SECONDS, connection),
    ):
        any(connection.execute(unlock, [KEY]).fetchone() == (True,) for _ in range(UNLOCK_ROUNDS))


def _held_here(connection: Connection) -> bool:
    return connection.execute(HELD_HERE, PARTS).fetchone() is not None


def _holder(connection: Connection) -> str:
    row = connection.execute(HOLDER, PARTS).fetchone()
    if row is None:
        return "its holder just let go"
    pid, application, address, since = row
    return f"held by {application}, process {pid}, from {address}, since {since}"


def _one_line(error: psycopg.OperationalError) -> str:
    return " ".join(str(error).split())
