"""A wait for a lock has a bound, and a message says who held the lock."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from compose_init.database.blocking_sessions import naming_blockers
from compose_init.database.connection import prepare_session
from compose_init.database.url import from_url
from compose_init.errors import LockError
from compose_seeder.errors import LockedTargetError, TimeLimitError
from compose_seeder.postgres import translated
from tests.support.programs import Program

TABLE = "CREATE TABLE t (slug text PRIMARY KEY, v int); INSERT INTO t VALUES ('a', 1)"
LOCKS = {
    "table": "LOCK TABLE t IN ACCESS EXCLUSIVE MODE",
    "row": "UPDATE t SET v = 7",
    "key": "INSERT INTO t VALUES ('b')",
}
WRITE = "INSERT INTO t VALUES ('b') ON CONFLICT DO NOTHING; UPDATE t SET v = 2"


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
@pytest.mark.parametrize("limit", ["lock_timeout", "statement_timeout"])
def test_who_held_the_lock(database: str, lock: str, limit: str) -> None:
    """Of a table, a row, or a key that is about to be there; whichever limit ends the wait."""
    with psycopg.connect(database, autocommit=True) as ours:
        ours.execute(TABLE)
        name = from_url(database).parameters["dbname"]
        ours.execute(
            f"ALTER DATABASE {name} SET idle_session_timeout = 50"
        )  # less than between looks
        ours.execute(f"SET {limit} = 1500")
        with psycopg.connect(database, application_name="a report") as theirs:
            theirs.execute(lock)
            with (
                pytest.raises(LockError, match=f"a report, process {theirs.info.backend_pid}"),
                naming_blockers(from_url(database), ours, 0.4),
                translated(ours, "dataset t", str),
            ):
                ours.execute(WRITE)
            theirs.rollback()


def test_a_time_limit_without_a_lock_stays_one(database: str) -> None:
    """Nobody is blamed for a statement that is slow."""
    with psycopg.connect(database, autocommit=True) as ours:
        ours.execute("SET statement_timeout = 300")
        with (
            pytest.raises(TimeLimitError),
            naming_blockers(from_url(database), ours, 0.4),
            translated(ours, "dataset t", str),
        ):
            ours.execute("SELECT pg_sleep(5)")


def test_a_lock_that_nobody_was_seen_holding(database: str) -> None:
    """The message is complete without a name."""
    with (
        psycopg.connect(database, autocommit=True) as ours,
        pytest.raises(LockError, match="let it finish and run again"),
        naming_blockers(from_url(database), ours, 60),
    ):
        raise LockedTargetError("t: locked")


@pytest.mark.parametrize("arguments", [("--seed-only",), ("--plan",)])
def test_a_run_ends_where_a_table_stays_locked(
    program: Program, database: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Exit code 75 after INIT_LOCK_TIMEOUT, for a plan too."""
    (tmp_path / "seeds.toml").write_text(
        '[[dataset]]\nname = "t"\nsource = "t.json"\ntable = "t"\nkey = ["slug"]\n'
    )
    (tmp_path / "t.json").write_text(json.dumps([{"slug": "a", "v": 2}]))
    run = program.with_(SEED_MANIFEST=str(tmp_path / "seeds.toml"), INIT_LOCK_TIMEOUT="1")
    with psycopg.connect(database, application_name="a report") as theirs:
        theirs.execute(TABLE)
        theirs.commit()
        theirs.execute(LOCKS["table"])
        holder = f"a report, process {theirs.info.backend_pid}"
        done = run.run(*arguments, timeout=60)
    assert done.code == 75, done.said
    assert "dataset t: nothing was written: another session kept a lock" in done.said
    assert holder in done.said


class Pooled:
    """A connection that a pooler has given another process id than the server's."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.execute = connection.execute
        self.info = self
        self.backend_pid = -1
        self.server_version = connection.info.server_version


def test_a_session_that_a_pooler_may_share_is_left_as_it_is(database: str) -> None:
    """Its next client would get our settings; what holds the lock has found that it is our own."""
    with psycopg.connect(database, autocommit=True) as connection:
        asked = "SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout')"
        connection.execute("SET idle_in_transaction_session_timeout = '5s'")
        pooled = Pooled(connection)
        prepare_session(pooled, 7)  # type: ignore[arg-type]
        assert connection.execute(asked).fetchone() == ("5s", "0")
        prepare_session(pooled, 7, is_own=True)  # type: ignore[arg-type]
        assert connection.execute(asked).fetchone() == ("0", "7s")
        connection.execute("RESET ALL")
        prepare_session(connection, 2.5)
        assert connection.execute(asked).fetchone() == ("0", "2500ms")


def test_an_unchanged_run_with_a_locked_ledger(
    program: Program, database: str, tmp_path: Path
) -> None:
    """The fast path waits for a moment, the whole program for INIT_LOCK_TIMEOUT."""
    (tmp_path / "seeds.toml").write_text(
        '[[dataset]]\nname = "t"\nsource = "t.json"\ntable = "t"\nkey = ["slug"]\n'
    )
    (tmp_path / "t.json").write_text(json.dumps([{"slug": "a", "v": 2}]))
    run = program.with_(SEED_MANIFEST=str(tmp_path / "seeds.toml"), INIT_LOCK_TIMEOUT="1")
    with psycopg.connect(database) as theirs:
        theirs.execute("CREATE TABLE t (slug text PRIMARY KEY, v int)")
        theirs.commit()
        assert run.run().code == 0
        theirs.execute("LOCK TABLE compose_init.dataset")
        asked = run.run("status", timeout=60)
        done = run.run(timeout=60)
    assert asked.code == 75, asked.said
    assert done.code == 75, done.said
    assert "another session kept a lock" in done.said
