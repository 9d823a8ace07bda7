"""Poolers that cannot hold a session's lock, found before the lock is requested.

If a pooler gives a session of the server to one client after the other, a lock stays with a session that another
client gets next.
"""

from __future__ import annotations

from typing import Any

import psycopg

from compose_init.database.answer_deadline import within
from compose_init.database.availability import wait_for_database
from compose_init.database.connection import Connection
from compose_init.database.url import Database
from compose_init.errors import NotReadyError, SettingsError

SERVER_SESSION_SECONDS = 10.0
"""Time for a pooler to find a session of the server for a client."""

TEST_ROUNDS = 25
"""How often a pooler is tested: with two sessions that other clients keep busy, a single test fails to notice half
of the time."""

REMEDY = "give the direct address of PostgreSQL in DATABASE_URL or POSTGRES_HOST"


def refuse_shared_sessions(
    database: Database, connection: Connection, database_timeout: float, options: dict[str, Any]
) -> None:
    """Refuse a pooler that lends a session of the server to one client after the other.

    A pooler invents the process id that it reports at login, so the id differs from `pg_backend_pid()`. A pooler
    that keeps a session for each client is accepted; a second client shows whether it does.

    Args:
        database: its address.
        connection: already opened to it.
        database_timeout: seconds to wait for another connection.
        options: for libpq, of each connection.

    Raises:
        SettingsError: the pooler shares sessions.
        NotReadyError: the pooler had no session of the server in time.
    """
    try:
        with within(SERVER_SESSION_SECONDS, connection):
            ours = _process(connection)
        if ours == connection.info.backend_pid:
            return
        for _ in range(TEST_ROUNDS):
            # A new client every time: behind one address there may be several poolers.
            other = wait_for_database(
                database, database_timeout, **{**options, **_same_place(connection)}
            )
            with other, within(SERVER_SESSION_SECONDS, connection, other):
                if _is_shared(connection, ours, other):
                    raise shared_session_error(connection)
    except TimeoutError:
        raise NotReadyError(
            f"the pooler at {_place(connection)} had no session of PostgreSQL for this run within"
            f" {SERVER_SESSION_SECONDS:g} s: its pool is too small, or all of it is in use; {REMEDY}"
        ) from None


def _is_shared(connection: Connection, ours: int, other: Connection) -> bool:
    """Tell whether another client gets our session, or we get another session while it is in a transaction.

    The other client is asked first: its transaction may keep the only session.
    """
    try:
        with other.transaction():
            return _process(other) == ours or _process(connection) != ours
    except psycopg.errors.ProtocolViolation as error:
        if "not allowed" in str(error):  # statement mode allows no transaction
            return True
        raise


def shared_session_error(connection: Connection) -> SettingsError:
    """Return the error for a connection whose session is shared."""
    return SettingsError(
        f"the lock cannot be held: {_place(connection)} is the address of a pooler in transaction or statement"
        " mode, which lends a session of PostgreSQL to one client after the other, and the lock belongs to a"
        f" session; nothing was changed; {REMEDY}"
    )


def _process(connection: Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0


def _place(connection: Connection) -> str:
    return f"{connection.info.host}:{connection.info.port}"


def _same_place(connection: Connection) -> dict[str, str]:
    """Return libpq's parameters for the one server that was reached, where the address names several."""
    info = connection.info
    place = {"host": info.host, "hostaddr": info.hostaddr, "port": str(info.port)}
    return {name: value for name, value in place.items() if value}
