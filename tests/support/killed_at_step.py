"""Count the steps of every database connection in this process, and kill it at step KILL_AT.

A step is a moment before or after a statement or a commit, of the program's connections and env.py's. Imported in a
run before the program starts; KILL_COUNT is a file that gets the number of steps.
"""

from __future__ import annotations

import os
import signal
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

STEPS = count(1)


def _step() -> None:
    number = next(STEPS)
    if "KILL_COUNT" in os.environ:
        Path(os.environ["KILL_COUNT"]).write_text(str(number))
    if number == int(os.environ.get("KILL_AT", "0")):
        os.kill(os.getpid(), signal.SIGKILL)


def _stepped(method: Any) -> Any:
    def stepping(*arguments: Any, **named: Any) -> Any:
        _step()
        found = method(*arguments, **named)
        _step()
        return found

    return stepping


psycopg.Cursor.execute = _stepped(psycopg.Cursor.execute)  # type: ignore[method-assign]
psycopg.Connection.commit = _stepped(psycopg.Connection.commit)  # type: ignore[method-assign]
