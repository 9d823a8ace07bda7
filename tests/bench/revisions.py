"""How an unchanged run grows with the history, beside `alembic upgrade head` at head."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg

from examples.postgres import Server
from tests.bench.measure import Ratio, Result, alternate, timed
from tests.support.programs import ROOT, write_history

SIZES = (10, 100, 500)
GOAL = 0.35
FLAT = 1.1

OURS = [sys.executable, "-m", "compose_init", "--migrate-only"]
THEIRS = [sys.executable, "-m", "alembic", "upgrade", "head"]

ENV = """
import os
from alembic import context
from sqlalchemy import create_engine, pool

url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
"""What plain Alembic can run as well."""


def compare(*, quick: bool) -> list[Result]:
    """Linear histories at head, and how ours grows with them."""
    against = against_alembic(SIZES, quick=quick)
    longest, shortest = against[-1].ours, against[0].ours
    return [
        *against,
        Ratio(
            f"unchanged run, {SIZES[-1]} to {SIZES[0]} revisions",
            longest,
            shortest,
            "how flat ours is: the longest history, to the shortest",
            FLAT,
        ),
    ]


def against_alembic(sizes: Sequence[int], *, quick: bool) -> list[Ratio]:
    """Compare histories of these sizes, in databases of their own; each is met in every round."""
    with Server() as server, tempfile.TemporaryDirectory(prefix="bench-") as name:
        histories = [_History(server, Path(name) / str(size), size) for size in sizes]
        taken = alternate(
            5 if quick else 15,
            *(history.ours for history in histories),
            *(history.theirs for history in histories),
        )
    ours, theirs = taken[: len(sizes)], taken[len(sizes) :]
    meaning = "an unchanged run from start to exit, to `alembic upgrade head` at head"
    return [
        Ratio(f"unchanged run, {size} revisions", our, their, meaning, GOAL)
        for size, our, their in zip(sizes, ours, theirs, strict=True)
    ]


class _History:
    """A database at the head of a history."""

    def __init__(self, server: Server, folder: Path, size: int) -> None:
        database = f"revisions_{size}"
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}".encode())
        bodies = {f"r{number:04}": f'op.execute("SELECT {number}")' for number in range(size)}
        config = write_history(folder, bodies, env=ENV)
        self._folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": server.url(database),
            "ALEMBIC_CONFIG": str(config),
        }
        self._call(OURS)
        self._call(THEIRS)  # so that both have their bytecode
        said = self._call(OURS)
        if "nothing to do" not in said:
            raise RuntimeError(f"an unchanged run found something to do:\n{said}")

    def ours(self) -> float:
        return timed(lambda: self._call(OURS))

    def theirs(self) -> float:
        return timed(lambda: self._call(THEIRS))

    def _call(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            env=self._environment,
            cwd=self._folder,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout
