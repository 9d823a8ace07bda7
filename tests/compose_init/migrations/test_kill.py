"""`kill -9` at every step of a migration run, and the run after it."""

from __future__ import annotations

import signal
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from tests.compose_init.migrations.test_alembic_env import CONCURRENT, TABLE
from tests.support.programs import Program, write_history

REVISIONS = {
    "a": f"{TABLE}\nop.execute('CREATE TABLE ran (id text)')\nop.execute(\"INSERT INTO ran VALUES ('a')\")",
    "b": f"{CONCURRENT}\nop.execute(\"INSERT INTO ran VALUES ('b')\")",
    "c": "op.execute('ALTER TABLE t ADD COLUMN x int')\nop.execute(\"INSERT INTO ran VALUES ('c')\")",
}


@pytest.fixture
def stepped(program: Program, tmp_path: Path) -> Program:
    """compose-init in a process that can be killed at its n-th step."""
    config = write_history(tmp_path, REVISIONS)
    stepping = replace(program, first="tests.support.killed_at_step")
    return stepping.with_(ALEMBIC_CONFIG=str(config))


def steps_after_a_write(stepped: Program) -> list[int]:
    """Run to the end; return the steps before which something was written, the first and the last."""
    written = stepped.folder / "written"
    run = stepped.with_(WRITTEN_AT=str(written)).run()
    assert run.code == 0, run.said
    ends = written.read_text().splitlines()
    changed = [number for number, pair in enumerate(pairwise(ends), 2) if pair[0] != pair[1]]
    return [1, *changed, len(ends)]


@pytest.mark.slow
def test_killed_at_every_step(stepped: Program, connection: psycopg.Connection) -> None:
    """Then a rerun: always at head, never a revision twice, and the ledger has what is applied.

    Between two steps without a write, a kill leaves the same database, and the rerun does the same.
    """
    kills = 0
    for number in steps_after_a_write(stepped):
        connection.execute("DROP SCHEMA public, compose_init CASCADE; CREATE SCHEMA public")
        run = stepped.with_(KILL_AT=str(number)).run()
        assert run.code in {0, -signal.SIGKILL}, run.said
        kills += run.code != 0
        rerun = stepped.run()
        assert rerun.code == 0, (number, rerun.said)
        found = connection.execute(
            "SELECT (SELECT array_agg(version_num) FROM alembic_version),"
            " (SELECT array_agg(id ORDER BY id) FROM ran),"
            " (SELECT array_agg(revision ORDER BY revision) FROM compose_init.revision),"
            " (SELECT bool_or(adopted) FROM compose_init.revision),"
            " (SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass)"
        ).fetchone()
        assert found == (["c"], ["a", "b", "c"], ["a", "b", "c"], False, True), number
    assert kills > 15
