"""Who blocks a session: seen while it waits, since afterwards nobody can tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from compose_init.database.connection import Connection, connect
from compose_init.database.url import Database
from compose_init.errors import InitError, NotYetError
from compose_init.logs import event

BLOCKERS = """
SELECT b.pid, coalesce(nullif(a.application_name, ''), 'an unnamed program'),
       coalesce(host(a.client_addr), 'a socket'), a.state,
       to_char(a.xact_start AT TIME ZONE 'UTC', 'HH24:MI:SS "UTC"'), a.query
FROM unnest(pg_blocking_pids(%s)) AS b(pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid
ORDER BY a.xact_start NULLS FIRST LIMIT 1
"""

SHOWN = 200
"""How much of a blocking query is quoted."""

PATIENCE = 10.0
"""Seconds after which a wait that has no bound (`CONCURRENTLY`) is spoken of, again and again."""


class Watch:
    """Remembers who blocked a session last.

    Attributes:
        pid: of the session that is watched; None for none.
        last: who blocked it, for people; "" for nobody.
    """

    def __init__(self, database: Database, every: float) -> None:
        self.pid: int | None = None
        self.last = ""
        self._database = database
        self._every = every
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch, on a connection and in a thread of its own."""
        thread = threading.Thread(target=self._look, name="blockers", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(2)

    def _look(self) -> None:
        try:
            # Only where something runs for longer than a moment.
            while not self._over.wait(self._every):
                if self.pid is not None:
                    with connect(self._database, connect_timeout="2") as connection:
                        self._watch(connection)
        except (psycopg.Error, InitError, NotYetError):
            return  # what it would have said is a help, and no more

    def _watch(self, connection: Connection) -> None:
        since = time.monotonic()
        while not self._over.wait(self._every):
            row = connection.execute(BLOCKERS, [self.pid]).fetchone() if self.pid else None
            if row is None:
                since = time.monotonic()
                continue
            self.last = _said(row)
            if time.monotonic() - since > PATIENCE:
                event("waiting for a lock", blocked_by=self.last)
                since = time.monotonic()


def _said(row: tuple[object, ...]) -> str:
    pid, application, address, state, since, query = row
    if pid == 0:
        return "a prepared transaction (see pg_prepared_xacts)"
    text = " ".join(str(query or "").split())
    text = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    begun = f", in a transaction since {since}" if since else ""
    return f"{application}, process {pid}, from {address}, {state or 'unknown'}{begun}: {text}"
