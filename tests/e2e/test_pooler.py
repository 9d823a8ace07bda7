"""Through a real PgBouncer: the lock is a session's, and not every pooler leaves a session to its client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from compose_init.database import advisory_lock
from compose_init.database import pooler as pooler_check
from compose_init.database.availability import wait_for_database
from compose_init.database.connection import connect
from compose_init.database.pooler import TEST_ROUNDS
from compose_init.database.url import Database, from_url
from compose_init.errors import LockError, NotReadyError, SettingsError
from examples.postgres import PASSWORD, USER, Server, free_port
from tests.support.docker import docker, run
from tests.support.programs import Program, write_history

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TABLE = {"a": "op.execute('CREATE TABLE a (id int)')"}

# mode, settings beside it, clients that are busy meanwhile
SHARING = {
    "transaction": ("transaction", {}, 0),
    "transaction, one session": ("transaction", {"default_pool_size": "1"}, 0),
    "transaction, one busy session": ("transaction", {"default_pool_size": "1"}, 2),
    "transaction, two busy sessions": ("transaction", {"default_pool_size": "2"}, 2),
    "transaction, busy": ("transaction", {}, 3),
    "transaction, in turn": ("transaction", {"server_round_robin": "1"}, 0),
    "transaction, busy, in turn": ("transaction", {"server_round_robin": "1"}, 3),
    "statement": ("statement", {}, 0),
    "statement, busy": ("statement", {}, 3),
}

Start = Callable[..., "Pooler"]


@dataclass(frozen=True)
class Pooler:
    """A PgBouncer in front of one database, and that database without it."""

    url: str
    direct: str

    @property
    def place(self) -> Database:
        """For what is called in this process."""
        return from_url(self.url)

    def ask(self, sql: str) -> object:
        """Return the one value of a query, without the pooler."""
        with psycopg.connect(self.direct) as connection:
            row = connection.execute(sql).fetchone()
        return row[0] if row else None

    def locks(self) -> object:
        """Count the advisory locks in the database, whoever holds them."""
        return self.ask(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND d.datname = current_database()"
        )

    def relations(self) -> object:
        """Return the names of all tables except PostgreSQL's own."""
        return self.ask(
            "SELECT coalesce(string_agg(c.oid::regclass::text, ' ' ORDER BY c.oid), '') FROM pg_class c"
            " WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'"
        )


@pytest.fixture(name="start")
def _start(tools: str, server: Server, database: str, tmp_path: Path) -> Iterator[Start]:
    """Start a pooler in a mode; it accepts any name without a password, since it has its own."""
    with ExitStack() as running:

        def start(mode: str, **settings: str) -> Pooler:
            port = free_port()
            name = conninfo_to_dict(database)["dbname"]
            folder = tmp_path / str(port)
            folder.mkdir()
            ini = folder / "pgbouncer.ini"
            login = f"user={USER} password='{PASSWORD}'"
            lines = {
                "listen_addr": "127.0.0.1",
                "listen_port": port,
                "unix_socket_dir": "",
                "auth_type": "any",
                "pool_mode": mode,
                **settings,
            }
            ini.write_text(
                f"[databases]\n{name} = host=127.0.0.1 port={server.port} {login}\n[pgbouncer]\n"
                + "".join(f"{key} = {value}\n" for key, value in lines.items()),
                encoding="utf-8",
            )
            folder.chmod(0o755)
            ini.chmod(0o644)
            container = docker(
                *("run", "-d", "--network", "host", "--user", "nobody"),
                *("-v", f"{folder}:/etc/pgbouncer:ro", tools, "pgbouncer"),
                "/etc/pgbouncer/pgbouncer.ini",
            ).strip()
            running.callback(run, "docker", "rm", "-f", "-v", container)
            pooler = Pooler(f"postgresql://{USER}@127.0.0.1:{port}/{name}", database)
            wait_for_database(pooler.place, 120).close()
            return pooler

        yield start


@contextmanager
def busy(pooler: Pooler, clients: int) -> Iterator[None]:
    """Clients that ask one thing after the other."""
    over = threading.Event()

    def ask() -> None:
        with psycopg.connect(pooler.url, autocommit=True, prepare_threshold=None) as connection:
            while not over.is_set():
                connection.execute("SELECT 1")

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def fill(pooler: Pooler, sessions: int) -> None:
    """Let the pooler open sessions, as many as others once used at the same time."""
    others = [connect(pooler.place) for _ in range(sessions)]
    for sql in ("BEGIN", "ROLLBACK"):
        for other in others:
            other.execute(sql)
    for other in others:
        other.close()


def migrating(pooler: Pooler, folder: Path) -> Program:
    """compose-init with one revision, and the pooler for PostgreSQL."""
    history = str(write_history(folder, TABLE))
    return Program({"DATABASE_URL": pooler.url, "ALEMBIC_CONFIG": history}, folder)


@pytest.mark.parametrize("case", SHARING)
def test_a_pooler_that_shares_sessions_is_refused(start: Start, case: str, tmp_path: Path) -> None:
    """78, with its address and what to do; nothing is migrated, and no lock stays behind."""
    mode, settings, clients = SHARING[case]
    pooler = start(mode, **settings)
    with busy(pooler, clients):
        done = migrating(pooler, tmp_path).run("--migrate-only")
    assert done.code == 78, done.said
    host = conninfo_to_dict(pooler.url)
    assert f"{host['host']}:{host['port']} is the address of a pooler" in done.said
    assert "give the direct address of PostgreSQL in DATABASE_URL or POSTGRES_HOST" in done.said
    assert pooler.relations() == ""
    assert pooler.locks() == 0


def test_a_pooler_with_more_sessions_than_it_is_asked_for(start: Start) -> None:
    """Nobody else may get ours for long; then we get another one ourselves."""
    pooler = start("transaction", server_round_robin="1", default_pool_size="40")
    fill(pooler, TEST_ROUNDS + 5)
    holding = advisory_lock.hold(pooler.place, database_timeout=60, timeout=1)
    with pytest.raises(SettingsError, match="is the address of a pooler"), holding:
        pass
    assert pooler.locks() == 0


@pytest.mark.parametrize("clients", [0, 3])
def test_a_pooler_that_leaves_a_session_to_its_client_will_do(
    start: Start, clients: int, tmp_path: Path
) -> None:
    """0; and it is free at once for the next run, though the session lives on in the pool."""
    pooler = start("session", server_reset_query="")
    program = migrating(pooler, tmp_path)
    with busy(pooler, clients):
        first = program.run("--migrate-only")
        locks = pooler.locks()
        second = program.run("--migrate-only")
    assert (first.code, locks) == (0, 0), first.said
    assert "revision applied" in first.names()
    assert (second.code, second.names()[-1]) == (0, "nothing to do"), second.said


def test_the_lock_through_a_pooler_keeps_others_out(start: Start) -> None:
    """It is one lock, whichever way a run comes."""
    pooler = start("session")
    with advisory_lock.hold(pooler.place, database_timeout=60, timeout=1) as taken:
        for way in (pooler.url, pooler.direct):
            with (
                pytest.raises(LockError, match="held by compose-init, process "),
                advisory_lock.hold(from_url(way), database_timeout=60, timeout=0.1),
            ):
                pass
        taken.check()


def test_a_pool_that_is_too_small(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and not waited for as long as the pooler would."""
    monkeypatch.setattr(pooler_check, "SERVER_SESSION_SECONDS", 0.5)
    pooler = start("session", default_pool_size="1")
    holding = advisory_lock.hold(pooler.place, database_timeout=60, timeout=1)
    with (
        pytest.raises(NotReadyError, match="its pool is too small, or all of it is in use"),
        holding,
    ):
        pass
    assert pooler.locks() == 0


def test_a_pooler_that_is_not_recognized(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that tells clients a process id of PostgreSQL's, say: no lock stays behind in its pool."""
    monkeypatch.setattr(advisory_lock, "refuse_shared_sessions", lambda *_: None)
    pooler = start("transaction", server_round_robin="1")
    fill(pooler, 5)
    holding = advisory_lock.hold(pooler.place, database_timeout=60, timeout=1)
    with pytest.raises(SettingsError, match="is the address of a pooler"), holding:
        pass
    assert pooler.locks() == 0
