"""What a role, or anybody, may not do: said, with an exit code of its own, and no traceback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.compose_init.migrations.test_upgrade import SYNC
from tests.support.programs import Program, write_history

OTHER = "somebody_else"
SEEDS = '[[dataset]]\nname = "places"\nsource = "places.json"\ntable = "places"\nkey = ["slug"]\n'


@pytest.fixture
def small(program: Program, tmp_path: Path) -> Program:
    """One revision and one dataset."""
    table = "op.execute('CREATE TABLE places (slug text)')"
    (tmp_path / "seeds.toml").write_text(SEEDS)
    (tmp_path / "places.json").write_text('[{"slug": "arctic"}]')
    return program.with_(
        ALEMBIC_CONFIG=str(write_history(tmp_path, {"0001": table})),
        SEED_MANIFEST=str(tmp_path / "seeds.toml"),
    )


@pytest.fixture
def other(connection: psycopg.Connection, small: Program) -> Iterator[Program]:
    """Yield the same program, connected as a role that owns nothing."""
    connection.execute(f"CREATE ROLE {OTHER} LOGIN PASSWORD 'else1'")
    info = connection.info
    try:
        yield small.with_(
            DATABASE_URL=f"postgresql://{OTHER}:else1@{info.host}:{info.port}/{info.dbname}"
        )
    finally:
        connection.execute(f"DROP OWNED BY {OTHER}; DROP ROLE {OTHER}")


def test_a_ledger_that_another_role_made_cannot_be_read(
    small: Program, other: Program, connection: psycopg.Connection
) -> None:
    """`status` and `--plan` name what is missing."""
    assert small.run().code == 0
    assert "places: 1 record in table places" in small.run("status").out
    connection.execute(f"GRANT SELECT ON alembic_version, places TO {OTHER}")
    for call in (("status",), ("--plan", "--verify")):
        run = other.run(*call)
        assert run.code == 77, run.said
        assert "the ledger cannot be read: permission denied for schema compose_init" in run.said


def test_a_schema_in_which_nothing_may_be_made(
    other: Program, connection: psycopg.Connection
) -> None:
    """Since PostgreSQL 15, that is `public` for all but the owner: a right is missing, no revision is wrong."""
    connection.execute(f"GRANT CREATE ON DATABASE {connection.info.dbname} TO {OTHER}")
    run = other.run()
    assert run.code == 77, run.said
    assert "permission denied for schema public" in run.said
    assert "give that right to the role" in run.said


def test_a_database_that_is_read_only(small: Program) -> None:
    """As a standby is: another address is needed, or a failover is on its way."""
    url = f"{small.environ['DATABASE_URL']}?options=-cdefault_transaction_read_only%3Don"
    run = small.with_(DATABASE_URL=url).run()
    assert run.code == 75, run.said
    assert "PostgreSQL is read-only" in run.said


@pytest.mark.parametrize("name", ["migrations/env.py", "migrations/versions/0001.py"])
def test_a_migration_that_cannot_be_read(program: Program, tmp_path: Path, name: str) -> None:
    """A file that was copied into the image as root's own is named."""
    ini = write_history(tmp_path, {"0001": "pass"}, env=SYNC)
    (tmp_path / name).chmod(0)
    run = program.with_(ALEMBIC_CONFIG=str(ini)).without_root().run()
    assert run.code == 70, run.said
    assert f"Permission denied: '{name}'" in run.said.replace(f"{tmp_path}/", "")


def test_a_default_configuration_that_cannot_be_read(program: Program, tmp_path: Path) -> None:
    """The variable that names another file is told, though it is not set."""
    (tmp_path / "alembic.ini").touch(0)
    run = replace(program, folder=tmp_path).without_root().run()
    assert run.code == 78, run.said
    assert "ALEMBIC_CONFIG: alembic.ini cannot be read" in run.said


def test_a_closed_folder(program: Program, tmp_path: Path) -> None:
    """Nobody can tell whether there is something in it, so it is not taken for empty."""
    closed = tmp_path / "closed"
    closed.mkdir(0)
    program = program.without_root()
    seeds = program.with_(SEED_MANIFEST=str(closed / "seeds.toml")).run()
    assert (seeds.code, "Permission denied" in seeds.said) == (66, True), seeds.said
    migrations = program.with_(ALEMBIC_CONFIG=str(closed)).run()
    assert (migrations.code, "cannot be read" in migrations.said) == (78, True), migrations.said
    closed.chmod(0o700)
