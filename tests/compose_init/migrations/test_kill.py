"""`kill -9` at every statement of a migration run, and the run after it."""

from __future__ import annotations

import signal
from pathlib import Path

import psycopg
import pytest

from tests.compose_init.migrations.test_alembic_env import CONCURRENT, TABLE
from tests.support.programs import ROOT, Program, write_history

REVISIONS = {
    "a": f"{TABLE}\nop.execute('CREATE TABLE ran (id text)')\nop.execute(\"INSERT INTO ran VALUES ('a')\")",
    "b": f"{CONCURRENT}\nop.execute(\"INSERT INTO ran VALUES ('b')\")",
    "c": "op.execute('ALTER TABLE t ADD COLUMN x int')\nop.execute(\"INSERT INTO ran VALUES ('c')\")",
}

# Counts the statements of every connection in the process, ours and env.py's, and kills it at one of them.
STEPPER = """
import os, signal
left = int(os.environ.get("KILL_AT", "0"))
count = 0

def step():
    global count
    count += 1
    if "KILL_COUNT" in os.environ:
        open(os.environ["KILL_COUNT"], "w").write(str(count))
    if count == left:
        os.kill(os.getpid(), signal.SIGKILL)

import psycopg
execute, commit = psycopg.Cursor.execute, psycopg.Connection.commit

def stepped_execute(self, *arguments, **named):
    step()
    found = execute(self, *arguments, **named)
    step()
    return found

def stepped_commit(self):
    step()
    commit(self)
    step()

psycopg.Cursor.execute, psycopg.Connection.commit = stepped_execute, stepped_commit
"""


@pytest.fixture
def stepped(program: Program, tmp_path: Path) -> Program:
    """compose-init in a process that can be killed at its n-th step."""
    place = tmp_path / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(STEPPER)
    return program.with_(
        ALEMBIC_CONFIG=str(write_history(tmp_path, REVISIONS)), PYTHONPATH=f"{place}:{ROOT}"
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_every_statement(stepped: Program, new_database: object, tmp_path: Path) -> None:
    """Then a rerun: always at head, never a revision twice, and the ledger has what is applied."""
    counted = tmp_path / "count"
    assert stepped.with_(KILL_COUNT=str(counted)).run().code == 0
    steps = int(counted.read_text())
    assert steps > 60
    killed = 0
    for number in range(1, steps + 1):
        url = new_database()  # type: ignore[operator]
        here = stepped.with_(DATABASE_URL=url)
        run = here.with_(KILL_AT=str(number)).run()
        killed += run.code == -signal.SIGKILL
        rerun = here.run()
        assert rerun.code == 0, (number, rerun.said)
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT (SELECT array_agg(version_num) FROM alembic_version),"
                " (SELECT array_agg(id ORDER BY id) FROM ran),"
                " (SELECT array_agg(revision ORDER BY revision) FROM compose_init.revision),"
                " (SELECT bool_or(adopted) FROM compose_init.revision),"
                " (SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass)"
            ).fetchone()
            assert found == (["c"], ["a", "b", "c"], ["a", "b", "c"], False, True), number
            connection.execute("SELECT pg_advisory_unlock_all()")
    assert killed == steps
