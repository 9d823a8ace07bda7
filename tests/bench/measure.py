"""Alternate what is compared, take medians, and say the ratio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import psycopg

from examples.postgres import Server

Action = Callable[[], float]
"""Does it once, and returns the seconds that count."""


@dataclass(frozen=True)
class Ratio:
    """Ours to theirs, in seconds; `goal` is the highest ratio that the project allows itself."""

    name: str
    ours: float
    theirs: float
    meaning: str
    goal: float | None = None

    @property
    def value(self) -> float:
        """How many times as long ours takes."""
        return self.ours / self.theirs


@dataclass(frozen=True)
class Duration:
    """Ours alone, in seconds; `goal` is the longest that the project allows itself."""

    name: str
    value: float
    meaning: str
    goal: float | None = None


@dataclass(frozen=True)
class Megabytes:
    """Memory beyond that of a small run; `goal` is the most that the project allows itself."""

    name: str
    value: float
    meaning: str
    goal: float


@dataclass(frozen=True)
class Skipped:
    """A comparison that could not be made, and why."""

    name: str
    reason: str


Result = Ratio | Duration | Megabytes | Skipped


def alternate(rounds: int, *actions: Action) -> list[float]:
    """Return each action's median; each runs once per round, so that a slow minute affects all of them."""
    taken: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for seconds, action in zip(taken, actions, strict=True):
            seconds.append(action())
    return [median(seconds) for seconds in taken]


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def prepared(server: Server, name: str, ddl: str) -> None:
    """Create a database with tables, to be copied."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    with psycopg.connect(server.url(name)) as connection:
        connection.execute(ddl.encode())


@contextmanager
def fresh_database(server: Server, template: str) -> Iterator[str]:
    """Yield the address of a copy of a database; drop the copy afterwards."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE bench TEMPLATE "{template}"'.encode())
        try:
            yield server.url("bench")
        finally:
            connection.execute("DROP DATABASE bench WITH (FORCE)")
