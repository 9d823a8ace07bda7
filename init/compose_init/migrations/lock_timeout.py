"""Short waits for table locks, on every connection that an application's env.py uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from compose_init.migrations.concurrent_indexes import CONCURRENTLY, drop_invalid_index

CHECK_CLIENT = "SET client_connection_check_interval = 1000"
"""Milliseconds: a killed run's statement shall not go on, and meet the next run's."""

MAY_BE_IDLE = ("SET idle_session_timeout = 0", "SET idle_in_transaction_session_timeout = 0")
"""A session of `env.py` is idle while a revision computes, or a statement runs in another session."""


@contextmanager
def short_lock_timeout(seconds: float) -> Iterator[None]:
    """Give every connection that `env.py` uses a `lock_timeout`, whatever its driver.

    A statement that waits for a lock on a table makes every later query on that table wait behind
    it. `CONCURRENTLY` may wait: it blocks nobody, and giving up would leave an INVALID index.
    """
    short = f"SET lock_timeout = {int(seconds * 1000)}"

    # When it is used, not when it is made: the connections of an application's pool may be older than we are.
    def on_use(connection: Any, *branch: Any) -> None:
        # SQLAlchemy 1.4 also tells of branches, which share a transaction that is not ours to commit.
        if connection.dialect.name == "postgresql" and not any(branch):
            for statement in (short, CHECK_CLIENT, *MAY_BE_IDLE):
                _execute(connection.connection, statement)
            connection.connection.commit()

    def before_execute(_c: Any, cursor: Any, statement: str, *_: Any) -> None:
        if CONCURRENTLY.match(statement):
            drop_invalid_index(cursor, statement)
            cursor.execute("SET lock_timeout = 0")

    def after_execute(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if CONCURRENTLY.match(statement):
            _execute(connection.connection, short)

    listeners = (
        (Engine, "engine_connect", on_use),
        (Engine, "before_cursor_execute", before_execute),
        (Engine, "after_cursor_execute", after_execute),
    )
    for target, name, listener in listeners:
        event.listen(target, name, listener)
    try:
        yield
    finally:
        for target, name, listener in listeners:
            event.remove(target, name, listener)


def _execute(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()
