"""The advisory lock: one run at a time, on a connection of its own.

Taken by polling `pg_try_advisory_lock`: a session that waits in `pg_advisory_lock` holds a snapshot,
and `CREATE INDEX CONCURRENTLY` in the other run would wait for that one in turn.

The lock belongs to a session of the server. A pooler that hands its sessions from client to client can
hold none for us, so that is found out before the lock is asked for: taken there, it would stay behind on
a session that somebody else gets next.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Timer
from typing import Any

import psycopg

from compose_init.database.connection import Connection
from compose_init.database.url import Database
from compose_init.errors import (
    ConnectionLostError,
    LockError,
    NotReadyError,
    NotYetError,
    SettingsError,
)
from compose_init.logs import event
from compose_init.wait import poll_until, wait_for_database

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

ANSWER = 30.0
"""Seconds in which the lock's session must answer; the server may stand still with its network in order."""

SERVER_SESSION = 10.0
"""Seconds in which a pooler must have a server session for a client."""

ROUNDS = 25
"""How often a pooler is put to the test; one of two sessions that others keep busy passes half of them."""

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

DIRECTLY = "give the direct address of PostgreSQL in DATABASE_URL or POSTGRES_HOST"

PARTS = {"high": KEY >> 32, "low": KEY & 0xFFFF_FFFF}


@dataclass(frozen=True)
class Lock:
    """The lock while it is held."""

    connection: Connection

    def check(self) -> None:
        """Make sure that it is held still; for every step that no other run may do as well.

        Answers within `ANSWER` seconds, whatever became of the server or the network.

        Raises:
            ConnectionLostError: the lock's connection is lost, or its session does not hold the lock
                any more: another run may hold it by now.
        """
        try:
            with _within(ANSWER, self.connection):
                if _held_here(self.connection):
                    return
            reason = "its session goes on, and does not hold it any more"
        except TimeoutError:
            reason = f"its connection to PostgreSQL did not answer within {ANSWER:g} s"
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
        _refuse_shared_sessions(database, connection, database_timeout)
        # The lock's session is idle by nature; a server that ends idle ones must not end this one.
        connection.execute("SET idle_session_timeout = 0")
        _take(connection, timeout)
        try:
            if not _held_here(connection):
                raise _shared(connection)
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
    with suppress(psycopg.OperationalError, TimeoutError), _within(ANSWER, connection):
        any(connection.execute(unlock, [KEY]).fetchone() == (True,) for _ in range(ROUNDS))


def _held_here(connection: Connection) -> bool:
    return connection.execute(HELD_HERE, PARTS).fetchone() is not None


def _holder(connection: Connection) -> str:
    row = connection.execute(HOLDER, PARTS).fetchone()
    if row is None:
        return "its holder just let go"
    pid, application, address, since = row
    return f"held by {application}, process {pid}, from {address}, since {since}"


# Poolers


def _refuse_shared_sessions(
    database: Database, connection: Connection, database_timeout: float
) -> None:
    """Refuse a pooler that lends a session of the server to one client after the other.

    A pooler shows in the process id that the client was told for cancelling: it is made up. One that keeps
    a session for each client is as good as none. Which of them it is shows when another client comes.
    """
    try:
        with _within(SERVER_SESSION, connection):
            ours = _process(connection)
        if ours == connection.info.backend_pid:
            return
        for _ in range(ROUNDS):
            # A new client every time: behind one address there may be several poolers.
            other = wait_for_database(database, database_timeout, **_same_place(connection))
            with other, _within(SERVER_SESSION, connection, other):
                if _is_shared(connection, ours, other):
                    raise _shared(connection)
    except TimeoutError:
        raise NotReadyError(
            f"the pooler at {_place(connection)} had no session of PostgreSQL for this run within"
            f" {SERVER_SESSION:g} s: its pool is too small, or all of it is in use; {DIRECTLY}"
        ) from None


def _is_shared(connection: Connection, ours: int, other: Connection) -> bool:
    """Whether another client gets our session, or we get one of theirs while it has ours.

    The other one is asked first: in its transaction it may have the only session there is.
    """
    try:
        with other.transaction():
            return _process(other) == ours or _process(connection) != ours
    except psycopg.errors.ProtocolViolation as error:
        if "not allowed" in str(error):  # in statement mode no transaction is
            return True
        raise


def _shared(connection: Connection) -> SettingsError:
    return SettingsError(
        f"the lock cannot be held: {_place(connection)} is the address of a pooler in transaction or statement"
        " mode, which lends a session of PostgreSQL to one client after the other, and the lock belongs to a"
        f" session; nothing was changed; {DIRECTLY}"
    )


def _process(connection: Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0


def _place(connection: Connection) -> str:
    return f"{connection.info.host}:{connection.info.port}"


def _same_place(connection: Connection) -> dict[str, Any]:
    """The one server that was reached, where the address names several."""
    info = connection.info
    place = {"host": info.host, "hostaddr": info.hostaddr, "port": str(info.port)}
    return {**ALIVE, **{name: value for name, value in place.items() if value}}


# Deadlines


@contextmanager
def _within(seconds: float, *connections: Connection) -> Iterator[None]:
    """Hang up where PostgreSQL takes longer: libpq itself waits for an answer without end.

    Raises:
        TimeoutError: it took longer; the connections are of no use any more.
    """
    late = Event()

    def give_up() -> None:
        late.set()
        for connection in connections:
            with suppress(OSError, psycopg.OperationalError):  # it is closed already
                _hang_up(connection)

    timer = Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg.OperationalError:
        if late.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
        timer.join()


def _hang_up(connection: Connection) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _one_line(error: psycopg.OperationalError) -> str:
    return " ".join(str(error).split())
