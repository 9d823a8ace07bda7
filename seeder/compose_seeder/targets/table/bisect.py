"""The records at which a statement fails, found by bisection."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import psycopg

from compose_seeder.postgres import Connection

MAX_FOUND = 1000
"""How many records at fault are searched for."""


def find_failing(
    connection: Connection, positions: list[int], attempt: Callable[[list[int]], object]
) -> list[tuple[int, psycopg.Error]]:
    """Return the first records at which `attempt` fails, and how; nothing that it does stays.

    What succeeds stays until the end: of two records that exclude each other the second is at
    fault, and one that refers to another of the same file finds it there.
    """
    found: list[tuple[int, psycopg.Error]] = []
    waiting = [positions]
    with connection.transaction(force_rollback=True):
        while waiting and len(found) < MAX_FOUND:
            some = waiting.pop(0)
            error = error_of(connection, partial(attempt, some)) if some else None
            if error is None:
                continue
            if len(some) == 1:
                found.append((some[0], error))
            else:
                middle = len(some) // 2
                waiting[:0] = [some[:middle], some[middle:]]
    return found


def error_of(connection: Connection, attempt: Callable[[], object]) -> psycopg.Error | None:
    """Return how an attempt fails; None where it does not, deferred constraints included."""
    try:
        with connection.transaction():
            connection.execute("SET CONSTRAINTS ALL DEFERRED")
            attempt()
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.Error as refused:
        return refused
    return None
