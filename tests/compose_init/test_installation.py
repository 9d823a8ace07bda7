"""Whose a database is: an id that is made with the ledger and that goes with every dump of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg

from tests.support.postgres import CURRENT, binaries
from tests.support.programs import Program, write_history


def installation(program: Program) -> str:
    """Return what `compose-init installation` prints."""
    done = program.run("installation")
    assert done.code == 0, done.said
    return done.out


def migrated(program: Program, folder: Path) -> Program:
    """Run a history of one revision, so that there is a ledger."""
    folder.mkdir()
    history = write_history(folder, {"0001": "op.execute('CREATE TABLE t (id int)')"})
    found = replace(program, folder=folder).with_(ALEMBIC_CONFIG=str(history))
    assert found.run().code == 0
    return found


def test_an_id_from_the_first_run_on(
    program: Program, tmp_path: Path, new_database: Callable[..., str]
) -> None:
    """Before there is none; it stays the same, and no other database has it."""
    assert installation(program) == "none\n"
    first = migrated(program, tmp_path / "first")
    found = installation(first)
    assert len(found) == 17
    assert first.run().code == 0
    assert installation(first) == found
    assert json.loads(first.run("installation", "--output", "json").out) == {
        "installation": found.strip()
    }
    other = migrated(program.with_(DATABASE_URL=new_database()), tmp_path / "other")
    assert installation(other) != found


def test_a_restored_dump_is_the_same_installation(
    program: Program, database: str, tmp_path: Path, new_database: Callable[..., str]
) -> None:
    """In a new database too, whatever is written there afterwards."""
    first = migrated(program, tmp_path / "first")
    restored = new_database()
    dump = [str(binaries(CURRENT) / "pg_dump"), f"--dbname={database}"]
    text = subprocess.run(dump, check=True, capture_output=True).stdout
    load = [str(binaries(CURRENT) / "psql"), "-q", "-v", "ON_ERROR_STOP=1", f"--dbname={restored}"]
    subprocess.run(load, check=True, capture_output=True, input=text)
    second = first.with_(DATABASE_URL=restored)
    assert installation(second) == installation(first)
    assert second.run().code == 0
    assert installation(second) == installation(first)


def test_the_id_needs_nothing_but_the_ledger(program: Program, tmp_path: Path) -> None:
    """No revision of the image is looked at, so a broken history is no reason not to answer."""
    first = migrated(program, tmp_path / "first")
    found = installation(first)
    write_history(first.folder, {"0001": "pass", "0002": "("})
    assert first.run().code == 70
    assert installation(first) == found


def test_a_ledger_that_may_not_be_read(program: Program, database: str, tmp_path: Path) -> None:
    """Is no database without one: exit code 77."""
    migrated(program, tmp_path / "first")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader_of_nothing LOGIN PASSWORD 'x'")
    try:
        address = psycopg.conninfo.make_conninfo(database, user="reader_of_nothing", password="x")
        info = psycopg.conninfo.conninfo_to_dict(address)
        given = {
            "POSTGRES_HOST": str(info["host"]),
            "POSTGRES_PORT": str(info.get("port", 5432)),
            "POSTGRES_DB": str(info["dbname"]),
            "POSTGRES_USER": "reader_of_nothing",
            "POSTGRES_PASSWORD": "x",
        }
        done = Program(given, tmp_path).run("installation")
        assert done.code == 77
        assert "the ledger cannot be read" in done.said
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DROP ROLE reader_of_nothing")
