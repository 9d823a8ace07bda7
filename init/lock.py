"""The advisory lock: one run at a time, on a connection of its own.

Taken by polling `pg_try_advisory_lock`: a session that waits in `pg_advisory_lock` holds a snapshot,
and `CREATE INDEX CONCURRENTLY` in the other run would wait for that one in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from init import wait
from init.address import Database
from init.errors import LockError, NotReadyError, SettingsError
from init.logs import event

KEY = int.from_bytes(b"compinit", "big")
"""The bytes of "compinit"; one lock a database."""

KEEPALIVES = {"keepalives_idle": "15", "keepalives_interval": "5", "keepalives_count": "3"}

HOLDER = """
SELECT coalesce(a.pid::text, '?'),
       coalesce(nullif(a.application_name, ''), 'an unnamed program'),
       coalesce(host(a.client_addr), 'a socket'),
       to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = %(high)s AND l.objid::bigint = %(low)s
  AND l.objsubid = 1 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

HELD_HERE = HOLDER + " AND l.pid = pg_backend_pid()"

PARTS = {"high": KEY >> 32, "low": KEY & 0xFFFF_FFFF}


@contextmanager
def held(database: Database, *, database_timeout: float, timeout: float) -> Iterator[None]:
    """Hold the lock; it is released on every way out, and by the server where the process dies.

    Raises:
        LockError: another run held it for `timeout` seconds; the message names it.
        SettingsError: the connection goes through a pooler that cannot hold a session's lock.
    """
    with wait.for_database(database, database_timeout, **KEEPALIVES) as connection:
        _take(connection, timeout)
        yield


def _take(connection: wait.Connection, timeout: float) -> None:
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
        raise wait.NotYetError(holder)

    try:
        wait.until(ask, what="the lock", timeout=timeout, hint="")
    except NotReadyError as error:
        reason = str(error).partition(": ")[2].removesuffix("; ")
        raise LockError(
            f"the lock was not free within {timeout:g} s: {reason}; another run is under way: let it finish and"
            " run again, or set INIT_LOCK_TIMEOUT"
        ) from None
    if connection.execute(HELD_HERE, PARTS).fetchone() is None:
        raise SettingsError(
            "the lock was taken, and this session does not hold it: the address leads to a pooler in transaction"
            " mode; give the direct address of PostgreSQL in DATABASE_URL or POSTGRES_HOST"
        )


def _holder(connection: wait.Connection) -> str:
    row = connection.execute(HOLDER, PARTS).fetchone()
    if row is None:
        return "its holder just let go"
    pid, application, address, since = row
    return f"held by {application}, process {pid}, from {address}, since {since}"
