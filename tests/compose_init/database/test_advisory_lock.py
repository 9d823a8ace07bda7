"""The lock: one run at a time, and the holder has a name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from compose_init.database import advisory_lock
from compose_init.database.connection import Connection, connect
from compose_init.database.url import Database
from compose_init.errors import ConnectionLostError, LockError
from compose_init.settings import read
from tests.support.programs import Program, write_history

GATE = 7
"""The advisory lock that the revision waits for."""
GATED = {
    "a": f"op.execute('SELECT pg_advisory_xact_lock({GATE})')\nop.execute('CREATE TABLE a (id int)')"
}


@pytest.fixture
def place(database: str) -> Database:
    return read({"DATABASE_URL": database}).need_database()


def held(place: Database) -> bool:
    with psycopg.connect(**dict(place.parameters)) as connection:  # type: ignore[arg-type]
        return bool(advisory_lock.describe_holder(connection))


def test_released_on_every_way_out(place: Database) -> None:
    """Held inside, free afterwards, also after an error."""
    with advisory_lock.hold(place, database_timeout=5, timeout=1):
        assert held(place)
    assert not held(place)
    with pytest.raises(ZeroDivisionError), advisory_lock.hold(place, database_timeout=5, timeout=1):
        raise ZeroDivisionError
    assert not held(place)


def test_the_holder_is_named(place: Database) -> None:
    """Who, which process, from where, since when, and what to do."""
    holding = advisory_lock.hold(place, database_timeout=5, timeout=1)
    waiting = advisory_lock.hold(place, database_timeout=5, timeout=0.3)
    with holding, pytest.raises(LockError) as raised, waiting:
        pass
    said = str(raised.value)
    assert "held by compose-init, process " in said
    assert "from 127.0.0.1, since 20" in said
    assert "INIT_LOCK_TIMEOUT" in said


@pytest.fixture
def taken(place: Database) -> Iterator[advisory_lock.Lock]:
    """Yield the lock, held until the test has ended, whatever the test does to it."""
    with advisory_lock.hold(place, database_timeout=5, timeout=1) as taken:
        yield taken


def lost(taken: advisory_lock.Lock) -> str:
    """Return the message about a lock that is no longer held."""
    with pytest.raises(ConnectionLostError) as raised:
        taken.check()
    assert raised.value.exit_code == 75
    said = str(raised.value)
    assert said.startswith("the lock is lost: ")
    assert "stops before its next step; run again" in said
    return said


def test_a_held_lock_is_held(taken: advisory_lock.Lock) -> None:
    """However often it is asked."""
    for _ in range(20):
        taken.check()


def test_a_lock_whose_session_was_ended(
    taken: advisory_lock.Lock, connection: psycopg.Connection, place: Database
) -> None:
    """It is said at the next check, at every further one, and the lock is free for another run."""
    pid = taken.connection.info.backend_pid
    connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert "its connection to PostgreSQL is gone: " in lost(taken)
    assert "its connection to PostgreSQL is gone: " in lost(taken)
    with advisory_lock.hold(place, database_timeout=5, timeout=1) as next_one:
        next_one.check()


def test_a_lock_that_its_session_lost(taken: advisory_lock.Lock) -> None:
    """A session that goes on is not enough."""
    taken.connection.execute("SELECT pg_advisory_unlock_all()")
    assert "no longer holds it" in lost(taken)


def test_another_lock_of_the_session_is_not_the_lock(taken: advisory_lock.Lock) -> None:
    """The key counts, and so does whose it is."""
    taken.connection.execute(
        "SELECT pg_advisory_unlock_all(), pg_advisory_lock(%s)", [advisory_lock.KEY + 1]
    )
    lost(taken)


def test_a_lock_that_another_session_holds_by_now(
    taken: advisory_lock.Lock, place: Database
) -> None:
    """It is not this run's, though somebody holds it; and it stays theirs when this run ends."""
    taken.connection.execute("SELECT pg_advisory_unlock_all()")
    with advisory_lock.hold(place, database_timeout=5, timeout=1) as theirs:
        lost(taken)
        advisory_lock._release(taken.connection)
        theirs.check()


def test_a_server_that_stands_still(
    taken: advisory_lock.Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine answers for the network, and nobody asks forever."""
    monkeypatch.setattr(advisory_lock, "ANSWER_TIMEOUT_SECONDS", 0.3)
    pid = taken.connection.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert "did not answer within 0.3 s" in lost(taken)
        assert "its connection to PostgreSQL is gone: " in lost(taken)
        assert time.monotonic() - started < 5
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_network_that_vanishes(taken: advisory_lock.Lock) -> None:
    """TCP itself gives up, with an answer outstanding or not."""
    given = taken.connection.info.get_parameters()
    assert given.items() >= advisory_lock.KEEPALIVE_OPTIONS.items()


def test_a_server_that_ends_idle_sessions(
    place: Database, connection: psycopg.Connection, database: str
) -> None:
    """The lock's session is idle while others work, and is kept."""
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    connection.execute(f"ALTER DATABASE {name} SET idle_session_timeout = '300ms'")
    with advisory_lock.hold(place, database_timeout=5, timeout=1) as taken:
        time.sleep(1)
        taken.check()


def test_no_pooler_is_looked_for_where_there_is_none(
    place: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection, as nearly always."""
    made = []

    def counted(*given: Any, **options: Any) -> Connection:
        made.append(given)
        return connect(*given, **options)

    monkeypatch.setattr("compose_init.database.availability.connect", counted)
    with advisory_lock.hold(place, database_timeout=5, timeout=1):
        assert len(made) == 1


@pytest.fixture
def gated(program: Program, connection: psycopg.Connection) -> Program:
    """compose-init with a revision that waits until the test opens the gate."""
    connection.execute("SELECT pg_advisory_lock(%s)", [GATE])
    return program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, GATED)))


def test_a_lock_that_is_not_free_in_time(gated: Program, connection: psycopg.Connection) -> None:
    """75, after the timeout, with the holder."""
    with gated.start() as first:
        wait_until_held(gated)
        second = gated.with_(INIT_LOCK_TIMEOUT="0.5").run()
        connection.execute("SELECT pg_advisory_unlock(%s)", [GATE])
        first.communicate()
    assert second.code == 75
    assert "held by compose-init" in second.said


def test_a_killed_run_leaves_no_lock(gated: Program, connection: psycopg.Connection) -> None:
    """The server lets go when the process is gone; the next run goes on."""
    with gated.start() as first:
        wait_until_held(gated)
        first.send_signal(signal.SIGKILL)
        first.communicate()
    connection.execute("SELECT pg_advisory_unlock(%s)", [GATE])
    after = gated.run()
    assert after.code == 0, after.said


def wait_until_held(program: Program) -> None:
    place = read({"DATABASE_URL": program.environ["DATABASE_URL"]}).need_database()
    deadline = time.monotonic() + 60
    while not held(place):
        assert time.monotonic() < deadline
        time.sleep(0.05)
