"""Several runs at once: each revision once, where plain Alembic fails."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.compose_init.migrations.test_upgrade import SYNC
from tests.support.programs import ROOT, Program, write_history

REVISIONS = {
    f"r{n}": f"op.execute('CREATE TABLE t{n} (id int)')\nop.execute('INSERT INTO t{n} VALUES (1)')"
    for n in range(4)
}
ROUNDS = 2
GATE = 7
"""The advisory lock that the first revision waits for, in some tests."""
GATED = {"gate": f"op.execute('SELECT pg_advisory_xact_lock({GATE})')", **REVISIONS}
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = %s"


@pytest.mark.slow
def test_eight_at_once(program: Program, new_database: Callable[..., str]) -> None:
    """All exit 0 and each revision is applied once, every time."""
    config = write_history(program.folder, REVISIONS, env=SYNC)
    with ThreadPoolExecutor(8) as threads:
        for _ in range(ROUNDS):
            url = new_database()
            many = program.with_(ALEMBIC_CONFIG=str(config), DATABASE_URL=url)
            runs = list(threads.map(many.run, ["--migrate-only"] * 8))
            assert [run.code for run in runs] == [0] * 8, [run.said for run in runs]
            assert sum(run.out.count('"revision applied"') for run in runs) == 4
            with psycopg.connect(url) as connection:
                for table in ("t0", "t1", "t2", "t3"):
                    found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
                    assert found == (1,)


def test_a_second_run_begins_while_the_first_migrates(
    program: Program, connection: psycopg.Connection
) -> None:
    """The second waits for the first, and finds nothing to do."""
    config = write_history(program.folder, GATED, env=SYNC)
    gated = program.with_(ALEMBIC_CONFIG=str(config))
    connection.execute("SELECT pg_advisory_lock(%s)", [GATE])
    with gated.start("--migrate-only") as first:
        wait_for(connection, "advisory")
        with gated.start("--migrate-only") as second:
            assert second.stdout is not None
            assert "waiting for it" in second.stdout.readline()
            connection.execute("SELECT pg_advisory_unlock(%s)", [GATE])
            said = [run.communicate(timeout=120)[0] for run in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert [text.count('"revision applied"') for text in said] == [5, 0]
    assert "nothing to do" in said[1].splitlines()[-1]


def test_plain_alembic_fails_where_a_second_run_begins_while_the_first_migrates(
    program: Program, database: str, connection: psycopg.Connection
) -> None:
    """Under the same circumstances, which shows that the test above would find two runs that meet."""
    write_history(program.folder, GATED, env=SYNC)
    with_driver = database.replace("postgresql://", "postgresql+psycopg://").replace("%", "%%")
    (program.folder / "alembic.ini").write_text(
        f"[alembic]\nscript_location = migrations\nsqlalchemy.url = {with_driver}\n"
    )

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=program.folder,
            env={"DATABASE_URL": database, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    connection.execute("SELECT pg_advisory_lock(%s)", [GATE])
    with start() as first:
        wait_for(connection, "advisory")
        with start() as second:
            wait_for(connection, "transactionid")  # both create the version table
            connection.execute("SELECT pg_advisory_unlock(%s)", [GATE])
            _, errors = second.communicate(timeout=120)
        first.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 1)
    assert b"UniqueViolation" in errors


def wait_for(connection: psycopg.Connection, kind: str) -> None:
    """Wait until a session waits for a lock of this kind."""
    deadline = time.monotonic() + 60
    while connection.execute(WAITING, [kind]).fetchone() == (0,):
        assert time.monotonic() < deadline, f"nobody waits for a lock of the kind {kind}"
        time.sleep(0.02)
