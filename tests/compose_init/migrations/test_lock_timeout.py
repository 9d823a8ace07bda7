"""Migrating while people work: nobody waits long behind a migration, and who is in the way has a name."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.compose_init.migrations.test_upgrade import ASYNC, SYNC
from tests.support.programs import Program, write_history

ALTER = {"a": "op.execute('ALTER TABLE t ADD COLUMN x int')"}


@pytest.fixture
def busy(program: Program) -> Program:
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS id")
    return program


@pytest.mark.parametrize(
    ("env", "driver"),
    [(None, "psycopg"), (SYNC, "psycopg"), (ASYNC, "psycopg"), (ASYNC, "asyncpg")],
    ids=["built in", "sync", "async", "asyncpg"],
)
def test_readers_never_queue_up_for_long(busy: Program, env: str | None, driver: str) -> None:
    """A reader that comes behind the waiting migration reads before the long transaction ends."""
    url = busy.environ["DATABASE_URL"]
    config = write_history(busy.folder, ALTER, env=env)
    migrating = busy.with_(
        ALEMBIC_CONFIG=str(config),
        DATABASE_URL=url.replace("postgresql://", f"postgresql+{driver}://"),
        INIT_MIGRATION_LOCK_TIMEOUT="0.3",
    )
    with (
        psycopg.connect(url, application_name="a-long-report") as long,
        psycopg.connect(url, autocommit=True) as reader,
        ThreadPoolExecutor() as pool,
    ):
        long.execute("SELECT * FROM t")
        migration = pool.submit(migrating.run)
        wait_for_a_waiting_statement(reader)
        # Without lock_timeout, this waits for `long`, which is open until the reader has read.
        reader.execute("SET statement_timeout = '30s'")
        assert reader.execute("SELECT id FROM t").fetchall() == [(1,)]
        long.rollback()
        run = migration.result()
    assert run.code == 0, run.said
    again = [event for event in run.events if "trying again" in event["event"]]
    assert again
    assert "a-long-report" in again[0]["reason"]


def wait_for_a_waiting_statement(connection: psycopg.Connection) -> None:
    """Return when a statement waits for a lock on the table."""
    deadline = time.monotonic() + 60
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND NOT granted"
    while connection.execute(waiting).fetchone() == (0,):
        assert time.monotonic() < deadline, "the migration never waits for the table"
        time.sleep(0.01)


def test_giving_up_names_the_blocking_query(busy: Program) -> None:
    """75 within the bound, with process, program, since when and what it last ran."""
    migrating = busy.with_(
        ALEMBIC_CONFIG=str(write_history(busy.folder, ALTER)),
        INIT_MIGRATION_LOCK_TIMEOUT="0.3",
        INIT_LOCK_TIMEOUT="1",
    )
    with psycopg.connect(busy.environ["DATABASE_URL"], application_name="a-long-report") as long:
        pid = long.info.backend_pid
        long.execute("SELECT 'the blocking one' FROM t")
        begun = time.monotonic()
        run = migrating.run()
        assert time.monotonic() - begun < 60
    assert run.code == 75
    assert f"a-long-report, process {pid}, from 127.0.0.1" in run.said
    assert "idle in transaction" in run.said
    assert "SELECT 'the blocking one' FROM t" in run.said


def test_a_lost_lock_stops_the_run_before_the_next_revision(busy: Program) -> None:
    """Its session is ended while a revision runs: that one stays, the next is not begun."""
    kill = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
    end = f"op.get_bind().execute(sa.text({kill!r}))"
    revisions = {"a": end, "b": "op.execute('CREATE TABLE never (id int)')"}
    migrating = busy.with_(ALEMBIC_CONFIG=str(write_history(busy.folder, revisions)))
    run = migrating.run()
    assert run.code == 75, run.said
    assert "the lock is lost" in run.said
    with psycopg.connect(busy.environ["DATABASE_URL"]) as connection:
        at = connection.execute("SELECT version_num, to_regclass('never') FROM alembic_version")
        assert at.fetchall() == [("a", None)]


def test_a_deadlock_is_tried_again(busy: Program) -> None:
    """Another session and the revision each hold what the other wants: the revision comes again."""
    revisions = {
        "a": "op.execute('ALTER TABLE u ADD COLUMN x int')\nimport time\ntime.sleep(1)\n"
        "op.execute('ALTER TABLE t ADD COLUMN x int')"
    }
    url = busy.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE u (id int)")
    migrating = busy.with_(
        ALEMBIC_CONFIG=str(write_history(busy.folder, revisions)), INIT_MIGRATION_LOCK_TIMEOUT="20"
    )
    with migrating.start() as process, psycopg.connect(url) as other:
        other.execute("SET deadlock_timeout = '30s'")  # so that it is the revision that gives way
        other.execute("SELECT * FROM t")
        deadline = time.monotonic() + 60
        locked = (
            "SELECT FROM pg_locks WHERE relation = 'u'::regclass AND mode = 'AccessExclusiveLock'"
        )
        while other.execute(locked).fetchone() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        other.execute("SELECT * FROM u")
        other.rollback()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert "deadlock detected" in out
