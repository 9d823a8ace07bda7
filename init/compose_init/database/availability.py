"""Waiting for PostgreSQL: asked 25 times a second, until it accepts a connection."""

from __future__ import annotations

import time
from typing import Any

from compose_init.database.connection import Connection, connect, connect_timeout
from compose_init.database.url import Database
from compose_init.wait import poll_until

MAX_PAUSE_SECONDS = 0.04
"""A refused connection costs 0.3 ms, and the whole deploy waits for the first accepted connection."""


def wait_for_database(
    database: Database, timeout: float, *, started: float | None = None, **options: Any
) -> Connection:
    """Return a connection to PostgreSQL, as soon as it accepts one.

    Args:
        database: its address.
        timeout: seconds.
        started: as for `poll_until`.
        options: for libpq.

    Raises:
        NotReadyError: not by the deadline.
        CredentialsRefused, SettingsError: at once; waiting does not help.
    """
    started = time.monotonic() if started is None else started

    def ask() -> Connection:
        seconds_left = started + timeout - time.monotonic()
        return connect(database, **connect_timeout(database, seconds_left), **options)

    return poll_until(
        ask,
        what=f"PostgreSQL at {database.place}",
        timeout=timeout,
        hint="is it running, and is the address right? INIT_DATABASE_TIMEOUT says how long to wait",
        max_pause=MAX_PAUSE_SECONDS,
        started=started,
    )
