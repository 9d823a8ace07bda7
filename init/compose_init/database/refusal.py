"""The SQLSTATE of a refused connection: the same in every language that a server speaks.

libpq gives the text alone, so the attempt is made again, with its protocol traced into memory.
"""

from __future__ import annotations

import os
import re
import select
import time

import psycopg
from psycopg import pq

ERROR = re.compile(rb'\tErrorResponse\t.* C "([0-9A-Z]{5})"')
"""The line of libpq's trace; an earlier libpq than 17 traces no refusal."""


def read_sqlstate(conninfo: str, seconds: float) -> str:
    """Connect once more, and return the SQLSTATE of the refusal; "" where there is none, or none is seen.

    Args:
        conninfo: libpq's, as psycopg made it.
        seconds: the time it may take.
    """
    with os.fdopen(os.memfd_create("trace"), "rb") as trace:
        try:
            connection = pq.PGconn.connect_start(conninfo.encode())
            connection.trace(os.dup(trace.fileno()))
        except psycopg.Error:
            return ""
        try:
            _poll(connection, time.monotonic() + seconds)
            connection.untrace()
        finally:
            connection.finish()
        trace.seek(0)
        found = ERROR.findall(trace.read())
    return found[-1].decode() if found else ""


def _poll(connection: pq.abc.PGconn, deadline: float) -> None:
    wanted: int = pq.PollingStatus.WRITING
    while wanted in {pq.PollingStatus.READING, pq.PollingStatus.WRITING}:
        left = deadline - time.monotonic()
        sockets = [connection.socket]
        reading = sockets if wanted == pq.PollingStatus.READING else []
        writing = sockets if wanted == pq.PollingStatus.WRITING else []
        if left <= 0 or not any(select.select(reading, writing, [], left)):
            return
        wanted = connection.connect_poll()
