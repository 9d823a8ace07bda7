"""Short waits for table locks, on every connection that an application's env.py opens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)


@contextmanager
def of(seconds: float) -> Iterator[None]:
    """Give every connection that `env.py` opens a `lock_timeout`, whatever its driver.

    A statement that waits for a lock on a table makes every later query on that table wait behind
    it. `CONCURRENTLY` is let wait: it blocks nobody, and giving up would leave an INVALID index.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import Pool

    short = f"SET lock_timeout = {int(seconds * 1000)}"

    def on_connect(dbapi_connection: Any, _: Any) -> None:
        with_cursor(dbapi_connection, short)
        dbapi_connection.commit()

    def before_execute(_c: Any, cursor: Any, statement: str, *_: Any) -> None:
        if CONCURRENTLY.search(statement):
            cursor.execute("SET lock_timeout = 0")

    def after_execute(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if CONCURRENTLY.search(statement):
            with_cursor(connection.connection, short)

    def with_cursor(connection: Any, statement: str) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()

    listeners = (
        (Pool, "connect", on_connect),
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
