"""From PostgreSQL accepting connections to the first migration statement; the server tells both times."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

import psycopg

from examples.postgres import Server
from tests.bench.measure import Duration, Result
from tests.bench.revisions import ENV
from tests.support.programs import Program, write_history

WAITING = 1.5
"""Seconds that a run has waited when the server starts: it has imported what it can by then."""

GOAL = 0.150

STATEMENT = 'op.execute("CREATE TABLE first AS SELECT clock_timestamp() AS at")'
ACCEPTS = re.compile(
    r"^([0-9.]+)LOG:  database system is ready to accept connections$", re.MULTILINE
)


def compare(*, quick: bool) -> list[Result]:
    """Each start with a database of its own; the server was shut down in order before."""
    taken: list[float] = []
    with (
        Server(settings={"log_line_prefix": "%n"}) as server,  # seconds since 1970, to the ms
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
    ):
        program = Program(
            {
                "DATABASE_URL": server.url("bench"),
                "ALEMBIC_CONFIG": str(write_history(Path(folder), {"a": STATEMENT}, env=ENV)),
                "PYTHONWARNINGS": "",
            },
            Path(folder),
        )
        for _ in range((5 if quick else 20) + 1):
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute("DROP DATABASE IF EXISTS bench")
                connection.execute("CREATE DATABASE bench")
            server.stop("fast")
            taken.append(_start(server, program))
    del taken[0]  # wrote the bytecode
    return [
        Duration(
            "start",
            median(taken),
            f"from PostgreSQL accepting connections to the first migration statement: {len(taken)} starts,"
            f" {min(taken) * 1000:.0f} to {max(taken) * 1000:.0f} ms",
            GOAL,
        )
    ]


def _start(server: Server, program: Program) -> float:
    """Return the seconds between the two moments."""
    with program.start_interpreter("--migrate-only") as process:
        try:
            _until_it_waits(process)
            time.sleep(WAITING)
            server.start()
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    if process.returncode:
        raise RuntimeError(f"the run failed:\n{out}{err}")
    accepts = ACCEPTS.findall((server.folder / "log").read_text())[-1]
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT extract(epoch FROM at) FROM first").fetchone()
    assert row is not None
    return float(row[0]) - float(accepts)


def _until_it_waits(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if "waiting for PostgreSQL" in line:
            return
    raise RuntimeError("the run ended before it waited for PostgreSQL")
