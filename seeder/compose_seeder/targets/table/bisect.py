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
    with connection.transaction(force_rollback=True):
        found = _bisect(connection, positions, attempt)
        # What they refer to may have been written after them.
        while early := [n for n, error in found if _refers_to_nothing(error)]:
            again = dict(_bisect(connection, early, attempt))
            if len(again) == len(early):
                break
            found = [(n, again.get(n, error)) for n, error in found if n not in early or n in again]
    return found


def _bisect(
    connection: Connection, positions: list[int], attempt: Callable[[list[int]], object]
) -> list[tuple[int, psycopg.Error]]:
    found: list[tuple[int, psycopg.Error]] = []
    waiting = [positions]
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


def _refers_to_nothing(error: psycopg.Error) -> bool:
    return isinstance(error, psycopg.errors.ForeignKeyViolation)


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
