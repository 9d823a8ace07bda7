"""A connection for an `env.py` that was written to be called by a program, and waits to be given one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, pool
from sqlalchemy.engine import Connection

ASYNC_DRIVER = re.compile(r"\+(asyncpg|psycopg_async)\b")


class EnvAttributes(dict[str, Any]):
    """`config.attributes`: empty, as for `alembic upgrade`, until `env.py` needs a connection from it.

    Attributes:
        asked: whether `env.py` looked for a connection and was told that there is none.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        super().__init__()
        self._connect = connect
        self.asked = False

    def __missing__(self, key: str) -> Any:
        if key != "connection":
            raise KeyError(key)
        self[key] = self._connect()
        return self[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key as `dict` does, and remember that a connection was asked for."""
        self.asked = self.asked or key == "connection"
        return super().get(key, default)

    def supply_connection(self) -> None:
        """Hold a connection from the start."""
        self["connection"] = self._connect()


@contextmanager
def sync_connection(url: str) -> Iterator[Connection]:
    """Connect as SQLAlchemy does, with a synchronous driver."""
    engine = create_engine(ASYNC_DRIVER.sub("+psycopg", url, count=1), poolclass=pool.NullPool)
    with engine.connect() as connection:
        yield connection
