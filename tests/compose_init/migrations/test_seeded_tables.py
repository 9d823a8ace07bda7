"""The two looks at seeded tables in a run: revisions that fail, a run that is killed, a table that is locked."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from compose_init.migrations.seeded_tables import SeededTables
from tests.compose_init.migrations.test_upgrade import ASYNC
from tests.support.programs import Program, write_history

MANIFEST = """
[[dataset]]
name = "creatures"
source = "creatures.json"
table = "creatures"
key = ["slug"]
"""

FIRST = {
    "a": "op.execute('CREATE TABLE creatures (slug text PRIMARY KEY, v int)')",
}
RETYPED = "op.execute('ALTER TABLE creatures ALTER v TYPE numeric USING v + 1')"


@pytest.fixture
def seeded(program: Program, tmp_path: Path) -> Program:
    """Return the program after its first release: three rows, seeded with 1."""
    (tmp_path / "seeds.toml").write_text(MANIFEST)
    seed(tmp_path, 1)
    first = release(program.with_(SEED_MANIFEST=str(tmp_path / "seeds.toml")), **FIRST)
    run = first.run()
    assert run.code == 0, run.said
    return first


def seed(folder: Path, value: int) -> None:
    records = [{"slug": slug, "v": value} for slug in "abc"]
    (folder / "creatures.json").write_text(json.dumps(records))


def release(program: Program, **revisions: str) -> Program:
    """Return the program with these revisions, each in a transaction of its own."""
    config = write_history(program.folder, revisions, env=ASYNC)
    return program.with_(ALEMBIC_CONFIG=str(config))


def do(program: Program, statement: str) -> None:
    with psycopg.connect(program.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement.encode())


def values(program: Program) -> list[tuple[object, ...]]:
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        return connection.execute("SELECT slug, v::text FROM creatures ORDER BY 1").fetchall()


REPLACED = (
    "op.execute('ALTER TABLE creatures RENAME TO beings; CREATE TABLE creatures (LIKE beings INCLUDING ALL);"
    " INSERT INTO creatures SELECT * FROM beings')"
)


@pytest.mark.parametrize("name", ["creatures", "beings"])
def test_another_table_takes_the_name(seeded: Program, tmp_path: Path, name: str) -> None:
    """The release's manifest says which of the two it is: the copy, or the table that was renamed."""
    do(
        seeded,
        "UPDATE creatures SET v = 77 WHERE slug = 'b'; DELETE FROM creatures WHERE slug = 'c'",
    )
    named = MANIFEST.replace('table = "creatures"', f'table = "{name}"')
    (tmp_path / "seeds.toml").write_text(named + 'on_drift = "keep"\n')
    seed(tmp_path, 2)
    run = release(seeded, **FIRST, b=REPLACED).run()
    assert run.code == 0, run.said
    written, copied = [("a", "2"), ("b", "77")], [("a", "1"), ("b", "77")]
    assert values(seeded) == (written if name == "creatures" else copied)
    do(seeded, "DROP TABLE creatures; ALTER TABLE beings RENAME TO creatures")
    assert values(seeded) == (written if name == "beings" else copied)


def test_a_later_revision_fails(seeded: Program) -> None:
    """What the first one changed is nobody's edit, what hands change until the next run is; unchanged seeds are due."""
    do(seeded, "UPDATE creatures SET v = 77 WHERE slug = 'c'")
    failed = release(seeded, **FIRST, b=RETYPED, c="raise ValueError").run()
    assert failed.code == 70, failed.said
    assert values(seeded) == [("a", "2"), ("b", "2"), ("c", "78")]
    do(seeded, "UPDATE creatures SET v = 5 WHERE slug = 'b'")
    fixed = release(seeded, **FIRST, b=RETYPED, c="op.execute('SELECT 1')")
    run = fixed.run()
    assert run.code == 0, run.said
    assert values(seeded) == [("a", "1"), ("b", "5"), ("c", "78")]
    assert fixed.run().names() == ["nothing to do"]


def test_a_run_is_killed_while_it_migrates(seeded: Program, tmp_path: Path) -> None:
    """The next run knows how the tables were, and seeds; also without migrating."""
    do(seeded, "UPDATE creatures SET v = 77 WHERE slug = 'c'")
    killing = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    killed = release(seeded, **FIRST, b=RETYPED, c=killing)
    assert killed.run().code == -9
    seed(tmp_path, 3)
    run = killed.run("--seed-only")
    assert run.code == 0, run.said
    assert values(seeded) == [("a", "3"), ("b", "3"), ("c", "78")]


def test_a_seeded_table_is_locked(seeded: Program) -> None:
    """The wait is bounded, nothing is migrated, and the next run does all of it."""
    timeouts = {"INIT_MIGRATION_LOCK_TIMEOUT": "0.2", "INIT_LOCK_TIMEOUT": "1"}
    migrating = release(seeded, **FIRST, b=RETYPED).with_(**timeouts)
    with psycopg.connect(seeded.environ["DATABASE_URL"]) as other:
        other.execute("LOCK TABLE creatures IN ACCESS EXCLUSIVE MODE")
        run = migrating.run()
        assert run.code == 75, run.said
        assert "a seeded table cannot be read" in run.said
    assert values(seeded) == [("a", "1"), ("b", "1"), ("c", "1")]
    assert migrating.run().code == 0
    assert values(seeded) == [("a", "1"), ("b", "1"), ("c", "1")]


def test_the_session_waits_as_long_as_before(connection: psycopg.Connection) -> None:
    """The short wait is for the two looks alone: what is seeded afterwards waits for INIT_LOCK_TIMEOUT."""
    connection.autocommit = True
    connection.execute("SET lock_timeout = '7s'")
    tables = SeededTables(connection, 0.5)
    for look in (tables.look, tables.carry_over):
        look()
        assert connection.execute("SHOW lock_timeout").fetchone() == ("7s",)
