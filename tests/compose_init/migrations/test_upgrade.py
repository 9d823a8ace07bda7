"""Migrating with the application's own env.py, whatever it does, and without one."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import psycopg
import pytest

from tests.support.programs import Program, write_history

SYNC = """
from alembic import context
from sqlalchemy import engine_from_config, pool
from logging.config import fileConfig
import os
assert os.environ["DATABASE_URL"].startswith("postgresql")
engine = engine_from_config(
    context.config.get_section(context.config.config_ini_section), poolclass=pool.NullPool
)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""

ASYNC = """
import asyncio
from alembic import context
from sqlalchemy.ext.asyncio import async_engine_from_config

def run(connection):
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    engine = async_engine_from_config(context.config.get_section(context.config.config_ini_section))
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()

asyncio.run(main())
"""

TWO = {
    "a": "op.create_table('t', sa.Column('id', sa.Integer, primary_key=True))",
    "b": "op.execute('INSERT INTO t VALUES (1)')",
}


def query(program: Program, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        return connection.execute(text).fetchall()


def history(
    program: Program, revisions: dict[str, str], env: str | None = None, **environ: str
) -> Program:
    config = write_history(program.folder, revisions, env=env)
    return program.with_(ALEMBIC_CONFIG=str(config), **environ)


def at(program: Program) -> list[tuple[object, ...]]:
    return query(program, "SELECT version_num FROM alembic_version")


@pytest.mark.parametrize("env", [None, SYNC, ASYNC], ids=["folder alone", "sync", "async"])
def test_to_head_and_no_further(program: Program, env: str | None) -> None:
    """The same result with the built-in environment, a sync one and an async one."""
    migrating = history(program, TWO, env)
    run = migrating.run()
    assert run.code == 0, run.said
    assert at(migrating) == [("b",)]
    assert query(migrating, "SELECT id FROM t") == [(1,)]
    assert migrating.run().names() == ["nothing to do"]


def test_the_applications_own_driver(program: Program) -> None:
    """Asyncpg is named in the address, and asyncpg runs the migrations."""
    url = program.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
    check = "import sys; assert 'asyncpg' in sys.modules\n"
    migrating = history(program, {"a": check + TWO["a"]}, ASYNC, DATABASE_URL=url)
    run = migrating.run()
    assert run.code == 0, run.said


def test_a_new_revision_is_noticed(program: Program) -> None:
    """An up-to-date database is not up to date for an image with another revision."""
    assert history(program, {"a": TWO["a"]}).run().code == 0
    migrating = history(program, TWO)
    assert migrating.run().code == 0
    assert at(migrating) == [("b",)]


def test_a_changed_revision_file_is_read_again_and_changes_nothing(program: Program) -> None:
    """A stale fingerprint costs the slower way, no more."""
    migrating = history(program, TWO)
    assert migrating.run().code == 0
    path = Path(migrating.environ["ALEMBIC_CONFIG"]) / "b.py"
    path.write_text(path.read_text() + "# a comment\n")
    run = migrating.run()
    assert (run.code, run.names()) == (0, ["phase", "nothing to do"])


def test_a_database_moved_by_hand_is_noticed(program: Program) -> None:
    """The fingerprints are the same, the database is not where it was left."""
    migrating = history(program, TWO)
    assert migrating.run().code == 0
    with psycopg.connect(migrating.environ["DATABASE_URL"]) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'a'; DELETE FROM t")
    assert migrating.run().code == 0
    assert at(migrating) == [("b",)]


def test_a_version_table_of_another_name(program: Program) -> None:
    """Named by the application in another schema, and the unchanged run still sees it."""
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE SCHEMA meta")
    env = SYNC.replace(
        "connection=connection",
        "connection=connection, version_table='V\"ersion', version_table_schema='meta'",
    )
    migrating = history(program, TWO, env)
    assert migrating.run().code == 0
    assert query(migrating, 'SELECT * FROM meta."V""ersion"') == [("b",)]
    assert migrating.run().names() == ["nothing to do"]


def test_a_failing_revision_keeps_the_earlier_ones(program: Program) -> None:
    """70, with revision, file, line and statement; mended, the next run goes on from there."""
    broken = {"a": TWO["a"], "b": "x = 1\nop.execute(\"INSERT INTO t VALUES ('x')\")"}
    migrating = history(program, broken)
    run = migrating.run()
    assert run.code == 70
    assert "revision b (Revision b.) failed at b.py:" in run.said
    assert "invalid input syntax for type integer" in run.said
    assert "INSERT INTO t VALUES" in run.said
    assert "Traceback" not in run.said
    assert at(migrating) == [("a",)]
    assert history(program, TWO).run().code == 0
    assert query(migrating, "SELECT id FROM t") == [(1,)]


def test_one_transaction_for_all_is_rolled_back_whole(program: Program) -> None:
    """Where env.py has it so, and the report does not claim otherwise."""
    migrating = history(program, {"a": TWO["a"], "b": "1 / 0"}, SYNC)
    run = migrating.run("--output", "json")
    assert run.code == 70
    assert "ZeroDivisionError" in run.said
    assert json.loads(run.out)["migrations"] == []
    assert query(migrating, "SELECT to_regclass('t')") == [(None,)]


def test_values_of_a_data_migration_are_not_logged(program: Program) -> None:
    """A statement is quoted, its parameters are not: they may be somebody's secrets."""
    body = "op.get_bind().execute(sa.text('SELECT CAST(:v AS int)'), {'v': 'hunter2secret'})"
    run = history(program, {"a": body}).run()
    assert run.code == 70
    assert "SELECT CAST" in run.said
    assert "parameters" not in run.said


def test_an_unknown_revision_changes_nothing(program: Program) -> None:
    """73: the image is older than the database, or another application's."""
    assert history(program, TWO).run().code == 0
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'zzz'")
    migrating = history(program, TWO)
    for arguments in ([], ["--plan"], ["--migrate-only"]):
        run = migrating.run(*arguments)
        assert run.code == 73
        assert "zzz" in run.said
    assert at(migrating) == [("zzz",)]
    assert '"state": "diverged"' in migrating.run("status", "--output", "json").out


def test_broken_histories_are_named(program: Program) -> None:
    """Two heads, and a parent that is not there: 70 with what to do, nothing run."""
    migrating = history(program, TWO)
    folder = Path(migrating.environ["ALEMBIC_CONFIG"])
    (folder / "c.py").write_text("revision = 'c'\ndown_revision = 'a'\ndef upgrade(): pass\n")
    run = migrating.run()
    assert run.code == 70
    assert "2 heads: b, c" in run.said
    assert "alembic merge b c" in run.said
    (folder / "c.py").write_text("revision = 'c'\ndown_revision = 'gone'\ndef upgrade(): pass\n")
    run = migrating.run()
    assert run.code == 70
    assert "gone" in run.said
    assert query(migrating, "SELECT to_regclass('t')") == [(None,)]


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ("import nonsense_module", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("x = 1", "did not call context.run_migrations"),
    ],
)
def test_an_env_py_that_fails(program: Program, env: str, said: str) -> None:
    """70, with what it raised; its own exit is not ours."""
    run = history(program, TWO, env).run()
    assert run.code == 70
    assert said in run.said
    assert "Traceback" not in run.said


def test_an_env_py_that_configures_logging(program: Program) -> None:
    """Our log stays JSON, one line an event, before and after."""
    env = (
        "import logging\nlogging.basicConfig(level='DEBUG', force=True)\nlogging.disable(0)\n"
        + SYNC
    )
    run = history(program, TWO, env).run()
    assert run.code == 0
    assert run.names().count("revision applied") == 2
    assert all(line.startswith("{") for line in run.out.splitlines())


def test_a_relative_ini_and_its_folder(program: Program) -> None:
    """script_location = migrations means beside the alembic.ini, wherever the process stands."""
    migrating = history(program, TWO, SYNC)
    elsewhere = program.folder / "elsewhere"
    elsewhere.mkdir()
    run = Program(migrating.environ, elsewhere).run()
    assert run.code == 0, run.said


def test_a_locked_table_is_retried(program: Program) -> None:
    """The statement gives up its place in the queue, and comes again when the table is free."""
    assert history(program, {"a": TWO["a"]}).run().code == 0
    more = {"a": TWO["a"], "b": "op.execute('ALTER TABLE t ADD COLUMN x int')"}
    migrating = history(program, more, INIT_MIGRATION_LOCK_TIMEOUT="0.2")
    with psycopg.connect(program.environ["DATABASE_URL"]) as reader:
        reader.execute("SELECT * FROM t")
        release = threading.Timer(6.0, reader.rollback)
        release.start()
        run = migrating.run()
        release.join()
    assert run.code == 0, run.said
    assert "a table is locked by another session, trying again" in run.names()


def test_a_table_that_stays_locked(program: Program) -> None:
    """75 within the bound, and nothing of the revision stays."""
    assert history(program, {"a": TWO["a"]}).run().code == 0
    more = {"a": TWO["a"], "b": "op.execute('ALTER TABLE t ADD COLUMN x int')"}
    quick = {"INIT_MIGRATION_LOCK_TIMEOUT": "0.1", "INIT_LOCK_TIMEOUT": "1"}
    migrating = history(program, more, **quick)
    with psycopg.connect(program.environ["DATABASE_URL"]) as reader:
        reader.execute("SELECT * FROM t")
        run = migrating.run()
    assert run.code == 75
    assert "revision b" in run.said
    assert at(migrating) == [("a",)]


def test_a_concurrent_index_may_wait(program: Program) -> None:
    """It blocks nobody, and giving up would leave an INVALID index behind."""
    assert history(program, {"a": TWO["a"]}).run().code == 0
    build = "with op.get_context().autocommit_block():\n    op.execute('CREATE INDEX CONCURRENTLY i ON t (id)')"
    migrating = history(program, {"a": TWO["a"], "b": build}, INIT_MIGRATION_LOCK_TIMEOUT="0.2")
    with psycopg.connect(program.environ["DATABASE_URL"]) as writer:
        writer.execute("INSERT INTO t VALUES (7)")
        release = threading.Timer(5.0, writer.commit)
        release.start()
        run = migrating.run()
        release.join()
    assert run.code == 0, run.said
    assert query(migrating, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") == [
        (True,)
    ]


def test_an_invalid_index_is_named(program: Program) -> None:
    """Left by a build that failed, with the command that mends it."""
    migrating = history(program, TWO)
    with psycopg.connect(program.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TABLE u AS SELECT 1 AS id FROM generate_series(1, 2)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON u (id)")
    run = migrating.run()
    assert run.code == 0
    assert "DROP INDEX CONCURRENTLY public.broken" in run.said


def test_wait_for_a_revision(program: Program) -> None:
    """69 before it is there; 0 at it and beyond; 70 for one that this image does not have."""
    migrating = history(program, TWO, INIT_DATABASE_TIMEOUT="1")
    assert migrating.run("wait").code == 0
    run = migrating.run("wait", "--revision", "head")
    assert run.code == 69
    assert "within 1 s" in run.said
    assert "is not applied" in run.said
    assert migrating.run().code == 0
    assert migrating.run("wait", "--revision", "head").code == 0
    assert migrating.run("wait", "--revision", "a").code == 0
    assert migrating.run("wait", "--revision", "nope").code in {70, 73}
