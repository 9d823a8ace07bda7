"""Count the steps of this process, and kill it at one of them.

A step is a moment before a statement outside of a transaction, or before or after the end of a transaction, of any
database connection, the program's and env.py's, or before or after a request. Within a transaction, a kill at one
statement leaves what a kill at any other leaves: all that is not committed is lost with the connection. During a
request, which is counted apart, the API kills: see `KILL_HEADER`.

Imported in a run of compose-init before the program starts; KILL_AT is the number of the step. Without it, the run
writes into the file WRITTEN_AT a line for each step: where the log of the database's writes ends by then.
"""

from __future__ import annotations

import os
import signal
from functools import cache
from itertools import count
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import httpx
import psycopg
from psycopg.pq import TransactionStatus

KILL_HEADER = "X-Kill"
"""The header of a request whose receiver kills the process that the header names, and then does what is asked."""

steps, requests = count(1), count(1)
fatal_step, fatal_request = int(os.environ.get("KILL_AT", "0")), 0


def kill_at(*, step: int = 0, request: int = 0) -> None:
    """Kill this process at a step, or have it killed during a request; both are counted from now."""
    global steps, requests, fatal_step, fatal_request
    steps, requests = count(1), count(1)
    fatal_step, fatal_request = step, request


def _step() -> None:
    if next(steps) == fatal_step:
        os.kill(os.getpid(), signal.SIGKILL)
    if path := os.environ.get("WRITTEN_AT"):
        row = _execute(_watcher(), "SELECT pg_current_wal_insert_lsn()").fetchone()
        with Path(path).open("a") as file:
            print(*row or (), file=file)


@cache
def _watcher() -> psycopg.Cursor[Any]:
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True).cursor()


def _stepped_outside_of_transactions(execute: Any) -> Any:
    def stepping(cursor: psycopg.Cursor[Any], *arguments: Any, **named: Any) -> Any:
        begins = cursor.connection.info.transaction_status == TransactionStatus.IDLE
        if (
            begins and current_thread() is main_thread()
        ):  # another one looks for blockers now and then
            _step()
        return execute(cursor, *arguments, **named)

    return stepping


def _stepped(method: Any) -> Any:
    def stepping(*arguments: Any, **named: Any) -> Any:
        _step()
        found = method(*arguments, **named)
        _step()
        return found

    return stepping


def _killed_during(method: Any) -> Any:
    def sending(client: httpx.Client, request: httpx.Request, **named: Any) -> Any:
        if next(requests) == fatal_request:
            request.headers[KILL_HEADER] = str(os.getpid())
        return method(client, request, **named)

    return sending


_execute = psycopg.Cursor.execute
psycopg.Cursor.execute = _stepped_outside_of_transactions(psycopg.Cursor.execute)  # type: ignore[method-assign]
psycopg.Connection.commit = _stepped(psycopg.Connection.commit)  # type: ignore[method-assign]
psycopg.Transaction.__exit__ = _stepped(psycopg.Transaction.__exit__)  # type: ignore[method-assign]
httpx.Client.send = _stepped(_killed_during(httpx.Client.send))  # type: ignore[method-assign]
