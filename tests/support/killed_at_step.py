"""Count the steps of this process, and kill it at one of them.

A step is a moment before a statement, or before or after a commit, of any database connection, the program's and
env.py's, or before or after a request. After a statement, the database is as before the next step: what is not
committed is lost with the connection. During a request, which is counted apart, the API kills: see `KILL_HEADER`.

Imported in a run of compose-init before the program starts; KILL_AT is the number of the step.
"""

from __future__ import annotations

import os
import signal
from itertools import count
from typing import Any

import httpx
import psycopg

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


def _stepped_before(method: Any) -> Any:
    def stepping(*arguments: Any, **named: Any) -> Any:
        _step()
        return method(*arguments, **named)

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


psycopg.Cursor.execute = _stepped_before(psycopg.Cursor.execute)  # type: ignore[method-assign]
psycopg.Connection.commit = _stepped(psycopg.Connection.commit)  # type: ignore[method-assign]
httpx.Client.send = _stepped(_killed_during(httpx.Client.send))  # type: ignore[method-assign]
