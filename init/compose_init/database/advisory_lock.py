"""The advisory lock: one run at a time, on a connection of its own.

`pg_try_advisory_lock` is polled: a session that waits in `pg_advisory_lock` holds a snapshot, and `CREATE INDEX
CONCURRENTLY` in the other run would wait for that session.

The lock belongs to a session of the server. A pooler may share sessions, so `pooler` refuses such poolers first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from compose_init.database.answer_deadline import within
from compose_init.database.availability import wait_for_database
from compose_init.database.connection import Connection, prepare_session
from compose_init.database.pooler import refuse_shared_sessions, shared_session_error
from compose_init.database.url import Database
from compose_init.errors import (
    ConnectionLostError,
    LockError,
    NotReadyError,
    NotYetError,
    one_line,
)
from compose_init.logs import event
from compose_init.wait import poll_until
from compose_seeder.postgres import statements

KEY = int.from_bytes(b"compinit", "big")
"""The key of the lock, the same in each database: the bytes of "compinit"."""

KEEPALIVE_OPTIONS: dict[str, Any] = {
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""Options of libpq that notice a vanished peer within half a minute, on an idle connection and during a query."""

ANSWER_TIMEOUT_SECONDS = 30.0
"""Time for the lock's session to answer: a server may stop answering while its network works."""

UNLOCK_ATTEMPTS = 25
"""How often the lock is released, because a pooler may have changed the session."""

VALUES = {"key": KEY, "high": KEY >> 32, "low": KEY & 0xFFFF_FFFF}
"""The key as functions take it, and its halves as `pg_locks` shows them."""


@dataclass(frozen=True)
class Lock:
    """The lock while it is held."""

    connection: Connection

    def check(self) -> None:
        """Check that the lock is still held, before each step that no other run may do at the same time.

        Takes at most `ANSWER_TIMEOUT_SECONDS`, whatever happens to the server or the network.

        Raises:
            ConnectionLostError: the lock's connection is lost, or its session no longer holds the lock.
        """
        try:
            with within(ANSWER_TIMEOUT_SECONDS, self.connection):
                if _is_held(self.connection):
                    return
            reason = "its session continues, and no longer holds it"
        except TimeoutError:
            reason = (
                f"its connection to PostgreSQL did not answer within {ANSWER_TIMEOUT_SECONDS:g} s"
            )
        except psycopg.OperationalError as error:
            reason = f"its connection to PostgreSQL is gone: {one_line(error)}"
        raise ConnectionLostError(
            f"the lock is lost: {reason}; another run may hold it now, so this run stops before its next step;"
            " run again"
        )


@contextmanager
def hold(database: Database, *, database_timeout: float, timeout: float) -> Iterator[Lock]:
    """Hold the lock; release it in every case, by the server if the process is killed.

    Raises:
        LockError: another run held it for `timeout` seconds; the message names it.
        SettingsError: the connection goes through a pooler that cannot hold a session's lock.
        NotReadyError: PostgreSQL, or a pooler in front of it, had no session for this run in time.
    """
    with wait_for_database(database, database_timeout, **KEEPALIVE_OPTIONS) as connection:
        refuse_shared_sessions(database, connection, database_timeout, KEEPALIVE_OPTIONS)
        prepare_session(connection, timeout, is_own=True)
        _acquire(connection, timeout)
        try:
            if not _is_held(connection):
                raise shared_session_error(connection)
            yield Lock(connection)
        finally:
            _release(connection)


def _acquire(connection: Connection, timeout: float) -> None:
    is_reported = False

    def ask() -> None:
        nonlocal is_reported
        if _fetch(connection, "try_to_lock") == (True,):
            return
        holder = describe_holder(connection) or "its holder has just released it"
        if not is_reported:
            event("another run holds the lock, waiting for it", holder=holder)
            is_reported = True
        raise NotYetError(holder)

    try:
        poll_until(ask, what="the lock", timeout=timeout, hint="")
    except NotReadyError as error:
        reason = str(error).partition(": ")[2].removesuffix("; ")
        raise LockError(
            f"the lock was not free within {timeout:g} s: {reason}; another run is in progress: let it finish and"
            " run again, or set INIT_LOCK_TIMEOUT"
        ) from None


def _release(connection: Connection) -> None:
    """Release the lock without closing the session: a session pooler may keep the session open.

    If a pooler has changed the session, a later attempt may get the session that has the lock.
    """
    with (
        suppress(psycopg.OperationalError, TimeoutError),
        within(ANSWER_TIMEOUT_SECONDS, connection),
    ):
        any(_fetch(connection, "unlock") == (True,) for _ in range(UNLOCK_ATTEMPTS))


def describe_holder(connection: Connection) -> str:
    """Return program, process, address and start of the session that holds the lock; "" if it is free."""
    row = _fetch(connection, "holder")
    if row is None:
        return ""
    pid, application, address, since = row
    return f"held by {application}, process {pid}, from {address}, since {since}"


def _is_held(connection: Connection) -> bool:
    return _fetch(connection, "held_by_this_session") is not None


def _fetch(connection: Connection, statement: str) -> tuple[Any, ...] | None:
    """Return the first row of a statement of `advisory_lock.sql`."""
    texts = statements("advisory_lock", "compose_init")
    query = sql.SQL(texts[statement]).format(lock=sql.SQL(texts["lock"]))
    return connection.execute(query, VALUES).fetchone()
