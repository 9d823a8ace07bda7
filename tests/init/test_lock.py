"""The lock: one run at a time, and the holder has a name."""

from __future__ import annotations

import signal
import time

import psycopg
import pytest

from init import lock
from init.address import Database
from init.errors import LockError
from init.settings import read
from tests.programs import Program, write_history

SLOW = {"a": "op.execute('SELECT pg_sleep(3)')\nop.execute('CREATE TABLE a (id int)')"}


@pytest.fixture
def place(database: str) -> Database:
    return read({"DATABASE_URL": database}).need_database()


def held(place: Database) -> bool:
    with psycopg.connect(**dict(place.parameters)) as connection:  # type: ignore[arg-type]
        return connection.execute(lock.HOLDER, lock.PARTS).fetchone() is not None


def test_released_on_every_way_out(place: Database) -> None:
    """Held inside, free afterwards, also after an error."""
    with lock.held(place, database_timeout=5, timeout=1):
        assert held(place)
    assert not held(place)
    with pytest.raises(ZeroDivisionError), lock.held(place, database_timeout=5, timeout=1):
        raise ZeroDivisionError
    assert not held(place)


def test_the_holder_is_named(place: Database) -> None:
    """Who, which process, from where, since when, and what to do."""
    holding = lock.held(place, database_timeout=5, timeout=1)
    waiting = lock.held(place, database_timeout=5, timeout=0.3)
    with holding, pytest.raises(LockError) as raised, waiting:
        pass
    said = str(raised.value)
    assert "held by compose-init, process " in said
    assert "from 127.0.0.1, since 20" in said
    assert "INIT_LOCK_TIMEOUT" in said


def test_a_second_run_waits_for_the_first(program: Program) -> None:
    """And then finds nothing to do."""
    slow = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, SLOW)))
    with slow.start() as first:
        wait_until_held(slow)
        second = slow.run()
        first.communicate()
    assert (first.returncode, second.code) == (0, 0)
    assert "another run holds the lock, waiting for it" in second.names()
    assert second.names()[-1] == "nothing to do"


def test_a_lock_that_is_not_free_in_time(program: Program) -> None:
    """75, after the timeout, with the holder."""
    slow = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, SLOW)))
    with slow.start() as first:
        wait_until_held(slow)
        second = slow.with_(INIT_LOCK_TIMEOUT="0.5").run()
        first.communicate()
    assert second.code == 75
    assert "held by compose-init" in second.said


def test_a_killed_run_leaves_no_lock(program: Program) -> None:
    """The server lets go when the process is gone; the next run goes on."""
    slow = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, SLOW)))
    with slow.start() as first:
        wait_until_held(slow)
        first.send_signal(signal.SIGKILL)
        first.communicate()
    after = slow.run()
    assert after.code == 0, after.said


def test_eight_at_once_on_an_empty_database(program: Program) -> None:
    """All succeed, and each revision runs once: a table is created, never twice."""
    revisions = {f"r{n}": f"op.execute('CREATE TABLE t{n} (id int)')" for n in range(4)}
    many = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, revisions)))
    runs = [many.start("--migrate-only") for _ in range(8)]
    said = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0] * 8, said
    assert sum(out.count('"revision applied"') for out, _ in said) == 4


def wait_until_held(program: Program) -> None:
    place = read({"DATABASE_URL": program.environ["DATABASE_URL"]}).need_database()
    deadline = time.monotonic() + 20
    while not held(place):
        assert time.monotonic() < deadline
        time.sleep(0.05)
