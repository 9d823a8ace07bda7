"""Databases and roles whose settings would change what the program's sessions do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from examples.postgres import Server
from tests.compose_init.migrations.test_upgrade import query
from tests.support.programs import Program, write_history

MANIFEST = '[[dataset]]\nname = "t"\nsource = "t.json"\ntable = "t"\nkey = ["slug"]\n'
TABLE = "op.execute('CREATE TABLE t (slug text PRIMARY KEY, v int)')"


def prepare(program: Program, body: str = TABLE, count: int = 2) -> Program:
    """Return the program with a table and seeds whose values are not ASCII."""
    write_seeds(program.folder, 1, count)
    (program.folder / "seeds.toml").write_text(MANIFEST)
    config = write_history(program.folder, {"a": body, "b": "pass"})
    file = program.folder / "revisions" / "b.py"
    file.write_text(file.read_text().replace("Revision b", "Änderung … データ"))
    return program.with_(
        ALEMBIC_CONFIG=str(config), SEED_MANIFEST=str(program.folder / "seeds.toml")
    )


def write_seeds(folder: Path, value: int, count: int) -> None:
    """Write the records, each with this value."""
    records = ", ".join(f'{{"slug": "é{i}", "v": {value}}}' for i in range(count))
    (folder / "t.json").write_text(f"[{records}]")


@contextmanager
def encoded(server: Server, encoding: str) -> Iterator[str]:
    """Give the URL of a database in another encoding than UTF-8."""
    name = f"in_{encoding.lower()}"
    create = "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'"
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        admin.execute(drop)
        admin.execute(sql.SQL(create).format(sql.Identifier(name), sql.Literal(encoding)))
        try:
            yield server.url(name)
        finally:
            admin.execute(drop)


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "SQL_ASCII"])
def test_encodings(program: Program, server: Server, encoding: str) -> None:
    """Migrated, seeded and changed, whatever the database's encoding has."""
    with encoded(server, encoding) as url:
        migrating = prepare(program.with_(DATABASE_URL=url))
        for value in (1, 2):
            write_seeds(program.folder, value, 2)
            run = migrating.run()
            assert run.code == 0, run.said
            text = "SELECT encode(convert_to(slug, 'UTF8'), 'hex'), v FROM t ORDER BY 1"
            if encoding == "SQL_ASCII":
                text = "SELECT encode(slug::bytea, 'hex'), v FROM t ORDER BY 1"
            reading = migrating.with_(DATABASE_URL=f"{url}?client_encoding=UTF8")
            assert query(reading, text) == [("c3a930", value), ("c3a931", value)]
        assert migrating.run("status").code == 0
        assert migrating.run().names() == ["nothing to do"]


def test_statements_are_ascii() -> None:
    """A comment is sent as well, and no database has to have its characters."""
    for package in ("compose_seeder", "compose_init"):
        folder = files(package).joinpath("sql")
        for path in Path(str(folder)).rglob("*.sql"):
            text = path.read_text()
            sent = text if path.parent.name == "ledger" else text.partition("-- name:")[2]
            assert sent.isascii(), path


def set_for(program: Program, setting: str) -> None:
    """Set a setting of the program's database."""
    url = program.environ["DATABASE_URL"]
    name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
    with psycopg.connect(url, autocommit=True) as connection:
        alter = f"ALTER DATABASE {name.as_string(connection)} SET {setting}"
        connection.execute(alter.encode())


@pytest.mark.parametrize(
    "setting",
    [
        "standard_conforming_strings = off",
        "transform_null_equals = on",
        "array_nulls = off",
        "extra_float_digits = -15",
    ],
)
def test_settings_of_the_database(program: Program, setting: str) -> None:
    """What the program's SQL relies on is set at connect."""
    set_for(program, setting)
    migrating = prepare(program.with_(PGCLIENTENCODING="LATIN1"))
    for value in (1, 2):
        write_seeds(program.folder, value, 2)
        run = migrating.run()
        assert run.code == 0, run.said
    assert query(migrating, "SELECT v FROM t") == [(2,), (2,)]


@pytest.mark.parametrize("kind", ["idle_session_timeout", "idle_in_transaction_session_timeout"])
def test_idle_timeouts(program: Program, kind: str) -> None:
    """The sessions of a run are idle while another one migrates."""
    set_for(program, f"{kind} = '1s'")
    run = prepare(program, f"{TABLE}\nop.execute('SELECT pg_sleep(2.5)')").run()
    assert run.code == 0, run.said


def test_a_statement_timeout_is_named(program: Program) -> None:
    """To run again is no help, so it is not 75."""
    migrating = prepare(program, count=30_000)
    assert migrating.run("--migrate-only").code == 0
    set_for(program, "statement_timeout = '20ms'")
    run = migrating.run("--seed-only")
    assert run.code == 78, run.said
    assert "statement_timeout" in run.said
    assert "run again" not in run.said


def test_a_statement_timeout_of_a_revision(program: Program) -> None:
    """70 with the setting's name."""
    set_for(program, "statement_timeout = '300ms'")
    run = prepare(program, "op.execute('SELECT pg_sleep(5)')").run()
    assert run.code == 70, run.said
    assert "statement_timeout" in run.said
