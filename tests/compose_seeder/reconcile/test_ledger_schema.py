"""The ledger's schema: made new, upgraded from every earlier format, and refused where it is a later one."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest

from compose_seeder.errors import CredentialsError, InterruptedTargetError, LedgerVersionError
from compose_seeder.reconcile import ledger_schema
from compose_seeder.reconcile.ledger_schema import FORMAT, prepare, read_format
from tests.support.ledgers import DUMPS, SEEDING_ALONE, restore

Connection = psycopg.Connection[tuple[object, ...]]

PARTS = {
    "complete": "",
    "seeding alone": "DROP TABLE compose_init.phase, compose_init.run, compose_init.revision;"
    " DROP FUNCTION compose_init.current_revisions()",
    "migrating alone": f"DROP TABLE {', '.join(f'compose_init.{name}' for name in SEEDING_ALONE)}",
}
"""Until format 4 migrating and seeding each made their own tables."""

CATALOG = """
SELECT c.relname, c.relkind::text, c.reloptions::text, a.attname, format_type(a.atttypid, a.atttypmod),
       a.attnotnull, a.attidentity::text, a.attstorage::text, pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'compose_init'::regnamespace AND c.relkind <> 'i' ORDER BY c.relname, a.attnum
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'compose_init'::regnamespace AND contype <> 'n' ORDER BY 1, 2
"""
INDEXES = (
    "SELECT indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'compose_init' ORDER BY 1"
)
FUNCTIONS = """
SELECT proname::text, prorettype::regtype::text, pg_get_function_arguments(oid), provolatile::text, prolang
FROM pg_proc WHERE pronamespace = 'compose_init'::regnamespace ORDER BY 1
"""


def catalog(connection: Connection) -> list[list[tuple[object, ...]]]:
    """All that makes up the schema, but for the function's body, which names the application's table."""
    queries = (CATALOG, CONSTRAINTS, INDEXES, FUNCTIONS)
    return [connection.execute(query.encode()).fetchall() for query in queries]


def rows_of(connection: Connection, table: str) -> list[tuple[object, ...]]:
    return connection.execute(f"SELECT * FROM {table} ORDER BY 1".encode()).fetchall()


def test_the_numbers_agree(connection: Connection) -> None:
    """The last upgrade, the schema file, the program and every file's own statement name the same format."""
    numbers = list(ledger_schema.upgrades())
    assert numbers == list(range(ledger_schema.OLDEST + 1, FORMAT + 1))
    for number, text in ledger_schema.upgrades().items():
        assert f"UPDATE compose_init.format SET version = {number};" in text
    prepare(connection)
    assert read_format(connection) == FORMAT
    assert sorted(DUMPS) == list(range(ledger_schema.OLDEST, FORMAT))


@pytest.mark.parametrize(
    ("number", "part"), [*((4, part) for part in PARTS), *((n, "complete") for n in DUMPS if n > 4)]
)
def test_an_upgraded_ledger_is_like_a_new_one(
    connection: Connection, new_database: Callable[..., str], number: int, part: str
) -> None:
    """Tables, columns, defaults, constraints, indexes and functions are the same."""
    restore(connection, number)
    connection.execute(PARTS[part].encode())
    prepare(connection)
    with psycopg.connect(new_database(), autocommit=True) as new:
        prepare(new)
        assert catalog(connection) == catalog(new)
    assert read_format(connection) == FORMAT


@pytest.mark.parametrize("number", DUMPS)
def test_an_upgrade_keeps_the_data(connection: Connection, number: int) -> None:
    """Every row of every table is there, the salt of the hashes included, and new numbers follow the old ones.

    New columns come after the old ones.
    """
    tables = [
        path.split()[0] for path in re.findall(r"INSERT INTO (compose_init\..*)", DUMPS[number])
    ]
    restore(connection, number)
    before = {name: rows_of(connection, name) for name in tables}
    prepare(connection)
    after = {
        name: [row[: len(before[name][0])] for row in rows_of(connection, name)] for name in tables
    }
    (_, salt), *_ = before.pop("compose_init.format")
    assert after.pop("compose_init.format") == [(FORMAT, salt)]
    assert after == before
    row = connection.execute(
        "INSERT INTO compose_init.dataset (name, target, fingerprint, records, fields)"
        " VALUES ('x', '', '', 0, '{}') RETURNING id"
    ).fetchone()
    assert row == (3,)


@pytest.mark.parametrize("number", DUMPS)
def test_an_upgrade_finds_the_key(connection: Connection, number: int) -> None:
    """Format 6 has the key of a table's dataset, which earlier formats told by their hashes alone."""
    restore(connection, number)
    prepare(connection)
    keys = connection.execute("SELECT name, key FROM compose_init.dataset ORDER BY 1").fetchall()
    assert keys == [("places", ["slug"]), ("things", None)]


@pytest.mark.parametrize("number", DUMPS)
def test_an_upgrade_rewrites_no_table(connection: Connection, number: int) -> None:
    """A ledger of a million records is upgraded at once: its files stay the same."""
    restore(connection, number)
    files = (
        "SELECT relname, relfilenode FROM pg_class WHERE relnamespace = 'compose_init'::regnamespace"
        " AND relname ~ '^(record|intent|source|run|dataset)(_pkey)?$' ORDER BY 1"
    )
    before = connection.execute(files).fetchall()
    prepare(connection)
    assert connection.execute(files).fetchall() == before


def test_an_upgrade_happens_completely_or_not_at_all(connection: Connection) -> None:
    """One that fails leaves the ledger as it was."""
    restore(connection, 4)
    before = catalog(connection)
    connection.execute("CREATE TABLE compose_init.dataset_id_seq ()")
    with pytest.raises(LedgerVersionError):
        prepare(connection)
    connection.execute("DROP TABLE compose_init.dataset_id_seq")
    assert (catalog(connection), read_format(connection)) == (before, 4)


@pytest.mark.parametrize("dump", [None, 4])
def test_several_at_once(connection: Connection, database: str, dump: int | None) -> None:
    """Programs that use the engine as a library hold no lock of ours: they take turns."""
    if dump:
        restore(connection, dump)
    failed: list[Exception] = []

    def run() -> None:
        try:
            with psycopg.connect(database, autocommit=True) as other:
                prepare(other)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test looks for
            failed.append(error)

    threads = [Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert read_format(connection) == FORMAT


def test_another_run_upgrades_while_the_format_is_read(
    connection: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables and the number are read as of one moment."""
    restore(connection, 4)
    execute = connection.execute

    def executing(query: Any, *parameters: Any) -> Any:
        found = execute(query, *parameters)
        if query is ledger_schema.FIND_TABLES:
            with psycopg.connect(database, autocommit=True) as other:
                prepare(other)
        return found

    monkeypatch.setattr(connection, "execute", executing)
    assert read_format(connection) == 4
    monkeypatch.undo()
    assert read_format(connection) == FORMAT


def test_a_later_format(connection: Connection) -> None:
    """It is told from a broken one, and nothing is changed."""
    prepare(connection)
    connection.execute("UPDATE compose_init.format SET version = 99")
    with pytest.raises(
        LedgerVersionError, match=f"has format 99.* up to {FORMAT}.* a newer version"
    ):
        prepare(connection)
    connection.execute("UPDATE compose_init.format SET version = 3")
    with pytest.raises(LedgerVersionError, match=r"has format 3.* from 4 on"):
        prepare(connection)
    connection.execute("DELETE FROM compose_init.format")
    with pytest.raises(LedgerVersionError, match="has no format number"):
        prepare(connection)


def test_a_schema_that_an_administrator_made(connection: Connection) -> None:
    """The role needs no right to create schemas, where the schema is there and its own."""
    connection.execute(
        "CREATE ROLE small; CREATE SCHEMA compose_init AUTHORIZATION small; SET ROLE small"
    )
    try:
        prepare(connection)
        assert read_format(connection) == FORMAT
    finally:
        connection.execute("RESET ROLE; DROP OWNED BY small; DROP ROLE small")


def test_a_ledger_that_belongs_to_another_role(connection: Connection) -> None:
    """What is missing is said, for making it, reading it and upgrading it."""
    connection.execute("CREATE ROLE small; SET ROLE small")
    try:
        with pytest.raises(
            CredentialsError, match="cannot be created: permission denied for database"
        ):
            prepare(connection)
        connection.execute("RESET ROLE")
        restore(connection, 4)
        connection.execute("SET ROLE small")
        with pytest.raises(CredentialsError, match="cannot be read: permission denied for schema"):
            prepare(connection)
        connection.execute(
            "RESET ROLE; GRANT USAGE ON SCHEMA compose_init TO small;"
            " GRANT SELECT ON ALL TABLES IN SCHEMA compose_init TO small; SET ROLE small"
        )
        with pytest.raises(
            CredentialsError,
            match=r"cannot be upgraded: .* belongs to postgres, .* ALTER SCHEMA compose_init OWNER TO small",
        ):
            prepare(connection)
    finally:
        connection.execute("RESET ROLE; DROP OWNED BY small; DROP ROLE small")


def test_a_locked_ledger(
    connection: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another session that keeps a table locked ends the wait with its cause."""
    monkeypatch.setattr(ledger_schema, "LOCK_TIMEOUT_SECONDS", 1)
    restore(connection, 4)
    with psycopg.connect(database) as other:
        other.execute("SELECT FROM compose_init.dataset")
        with pytest.raises(InterruptedTargetError, match="could not be upgraded within 1 s"):
            prepare(connection)
    assert read_format(connection) == 4


def test_every_table_and_column_is_described() -> None:
    """A reader learns what each is for from the one file."""
    path = Path(ledger_schema.__file__).parents[1] / "sql" / "ledger" / "schema.sql"
    lines = path.read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        if line.startswith(("CREATE TABLE", "CREATE FUNCTION")):
            assert before.startswith("-- "), line


@pytest.mark.parametrize("table", sorted(ledger_schema.own_tables()))
def test_a_table_that_somebody_dropped(connection: Connection, table: str) -> None:
    """It is named, whichever it is; nothing is created over what is left."""
    ledger_schema.prepare(connection)
    connection.execute(f"DROP TABLE compose_init.{table} CASCADE".encode())
    with pytest.raises(LedgerVersionError, match=f"damaged: table compose_init.{table} is not"):
        ledger_schema.prepare(connection)
    for other in ledger_schema.own_tables() - {table, "record"}:
        connection.execute(f"DROP TABLE compose_init.{other} CASCADE".encode())
    with pytest.raises(LedgerVersionError, match="ledger"):
        ledger_schema.prepare(connection)
