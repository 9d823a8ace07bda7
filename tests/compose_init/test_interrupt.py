"""SIGTERM and SIGINT at any moment: rolled back, lock released, temporary API stopped."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from examples.postgres import free_port
from tests.compose_init.migrations.test_upgrade import ASYNC, SYNC
from tests.support.forks import Running
from tests.support.programs import ROOT, Finished, Program, write_history

SIGNALS = pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
SLEEP = {
    "a": "op.execute('CREATE TABLE a (id int)')",
    "b": "op.execute('CREATE TABLE b (id int)')\nop.execute('SELECT pg_sleep(60)')",
}


def query(program: Program, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        return connection.execute(text).fetchall()


def sessions(program: Program) -> int:
    text = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return int(str(query(program, text)[0][0]))


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def interrupt(process: Running | subprocess.Popen[str], signum: int) -> Finished:
    process.send_signal(signum)
    out, err = process.communicate(timeout=50)  # less than the 60 s of what it interrupts
    return Finished(process.wait(), out, err)


@SIGNALS
def test_before_anything(program: Program, tmp_path: Path, signum: int, code: int) -> None:
    """From the moment on that signals are ours: here while the first module after that is imported."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'compose_init.up_to_date': os.kill(os.getpid(), {signum:d})\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    run = program.with_(PYTHONPATH=f"{tmp_path}:{ROOT}").run()
    assert (run.code, "Traceback" in run.said) == (code, False), run.said


@SIGNALS
def test_while_waiting(program: Program, signum: int, code: int) -> None:
    """The waiting loop ends at once."""
    url = f"postgresql://u@127.0.0.1:{free_port()}/n"
    with program.with_(DATABASE_URL=url).start() as process:
        assert process.stdout is not None
        assert "waiting for PostgreSQL" in process.stdout.readline()
        run = interrupt(process, signum)
    assert run.code == code
    assert "Traceback" not in run.said


@SIGNALS
@pytest.mark.parametrize("env", [None, SYNC, ASYNC], ids=["folder", "sync", "async"])
def test_while_migrating(program: Program, env: str | None, signum: int, code: int) -> None:
    """The statement is cancelled, its transaction rolled back, nobody holds the lock."""
    migrating = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, SLEEP, env=env)))
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    with migrating.start() as process:
        until(lambda: query(migrating, sleeping) == [(1,)])
        run = interrupt(process, signum)
    assert run.code == code, run.said
    assert "Traceback" not in run.said
    until(lambda: sessions(migrating) == 0)
    assert query(migrating, "SELECT to_regclass('b')") == [(None,)]
    mended = {"a": SLEEP["a"], "b": "op.execute('CREATE TABLE b (id int)')"}
    write_history(program.folder, mended, env=env)
    after = migrating.run()
    assert after.code == 0, after.said


def test_while_waiting_for_the_lock(program: Program) -> None:
    """The one that waits ends, the one that holds it goes on."""
    slow = {"a": "op.execute('SELECT pg_sleep(4)')"}
    migrating = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, slow)))
    with migrating.start() as first:
        until(
            lambda: (
                query(migrating, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
                == [(1,)]
            )
        )
        with migrating.start() as second:
            assert second.stdout is not None
            assert "waiting for it" in second.stdout.readline()
            assert interrupt(second, signal.SIGTERM).code == 143
        first.communicate()
    assert first.returncode == 0


def test_while_a_table_is_seeded(program: Program, tmp_path: Path) -> None:
    """The dataset is rolled back whole, and the next run brings it."""
    (tmp_path / "seeds.toml").write_text(
        '[[dataset]]\nname = "t"\nsource = "t.json"\ntable = "t"\nkey = ["id"]\n'
    )
    (tmp_path / "t.json").write_text('[{"id": 1}, {"id": 2}]')
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
        connection.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'"
        )
        connection.execute(
            "CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()"
        )
    seeding = program.with_(SEED_MANIFEST=str(tmp_path / "seeds.toml"))
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    with seeding.start() as process:
        until(lambda: query(seeding, sleeping) == [(1,)])
        run = interrupt(process, signal.SIGTERM)
    assert run.code == 143, run.said
    until(lambda: sessions(seeding) == 0, 5)
    assert query(seeding, "SELECT count(*) FROM t") == [(0,)]
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute("DROP TRIGGER slow ON t")
    assert seeding.run().code == 0
    assert query(seeding, "SELECT count(*) FROM t") == [(2,)]


@SIGNALS
def test_while_the_api_is_seeded(example: Program, signum: int, code: int) -> None:
    """The temporary API is gone, what it confirmed is in the ledger, and the rerun doubles nothing."""
    with example.start() as process:
        until(lambda: tables_are_there(example) and some_monsters(example) > 3, 60)
        run = interrupt(process, signum)
    assert run.code == code, run.said
    assert "Traceback" not in run.said
    assert not listens(example)
    until(lambda: sessions(example) == 0, 5)
    assert 3 < some_monsters(example) <= 46
    after = example.run()
    assert after.code == 0, after.said
    assert query(example, "SELECT count(*), count(DISTINCT slug) FROM monsters") == [(46, 46)]


def test_while_the_temporary_api_starts(example: Program, tmp_path: Path) -> None:
    """It is stopped although it never was healthy, children included."""
    (tmp_path / "slow_api.py").write_text(
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen(['sleep', '61.{example.environ['API_PORT']}'])\n"
        "print('starting', flush=True)\ntime.sleep(60)\n"
    )
    starting = example.with_(API_COMMAND=f"python {tmp_path / 'slow_api.py'}")
    marker = f"sleep 61.{example.environ['API_PORT']}"
    with starting.start() as process:
        until(
            lambda: (
                subprocess.run(["pgrep", "-f", marker], check=False, capture_output=True).returncode
                == 0
            )
        )
        run = interrupt(process, signal.SIGTERM)
    assert run.code == 143, run.said
    assert subprocess.run(["pgrep", "-f", marker], check=False, capture_output=True).returncode == 1


def tables_are_there(program: Program) -> bool:
    return query(program, "SELECT to_regclass('monsters') IS NOT NULL") == [(True,)]


def some_monsters(program: Program) -> int:
    return int(str(query(program, "SELECT count(*) FROM monsters")[0][0]))


def listens(program: Program) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(program.environ["API_PORT"]))) == 0
