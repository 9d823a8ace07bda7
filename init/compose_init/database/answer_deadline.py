"""A deadline for the answers of PostgreSQL, because libpq waits for an answer without limit."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer

import psycopg

from compose_init.database.connection import Connection


@contextmanager
def within(seconds: float, *connections: Connection) -> Iterator[None]:
    """Close the sockets of the connections if PostgreSQL takes longer to answer.

    Raises:
        TimeoutError: it took longer; the connections are closed.
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
