"""`kill -9` at every statement of a migration run, and the run after it."""

from __future__ import annotations

import signal
from dataclasses import replace
from itertools import count
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


@pytest.mark.slow
def test_killed_at_every_statement(stepped: Program, connection: psycopg.Connection) -> None:
    """Then a rerun: always at head, never a revision twice, and the ledger has what is applied."""
    for number in count(1):
        run = stepped.with_(KILL_AT=str(number)).run()
        assert run.code in {0, -signal.SIGKILL}, run.said
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
        if run.code == 0:  # it has fewer steps than this
            break
        connection.execute("DROP SCHEMA public, compose_init CASCADE; CREATE SCHEMA public")
    assert number > 30
