"""Databases that tests give back: the next test gets one that is as new, or another one."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from compose_seeder.reconcile import ledger_schema
from examples.postgres import Server
from tests.support.databases import Databases

either = pytest.mark.parametrize("with_ledger", [False, True])


def after(server: Server, databases: Databases, statements: str) -> list[str]:
    """Return what can be taken next, after a test has executed the statements in a database."""
    name = databases.take()
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        connection.execute(statements.encode())
    databases.give_back(name)
    return databases.cleared


@either
def test_what_a_test_has_made_is_cleared(
    server: Server, databases: Callable[..., Databases], *, with_ledger: bool
) -> None:
    made = databases(server, with_ledger=with_ledger)
    [name, *_] = after(
        server, made, "CREATE SCHEMA s CREATE TABLE t (); CREATE TABLE t (id serial)"
    )
    with psycopg.connect(server.url(made.take()), autocommit=True) as connection:
        assert connection.info.dbname == name
        found = connection.execute("SELECT to_regclass('t'), to_regnamespace('s')").fetchone()
        assert found == (None, None)
        assert (ledger_schema.read_format(connection) is not None) == with_ledger
    made.give_back(name)


@either
@pytest.mark.parametrize(
    "statements",
    [
        "SELECT lo_create(0)",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END $$",
    ],
)
def test_what_outlives_the_schemas_is_dropped_with_the_database(
    server: Server, databases: Callable[..., Databases], statements: str, *, with_ledger: bool
) -> None:
    made = databases(server, with_ledger=with_ledger)
    before = len(made.cleared)
    assert len(after(server, made, statements)) == max(0, before - 1)


@pytest.mark.parametrize(
    "statements",
    [
        "DROP SCHEMA compose_init CASCADE",
        "ALTER TABLE compose_init.record ADD COLUMN x int",
        "GRANT SELECT ON compose_init.record TO PUBLIC",
        "UPDATE compose_init.format SET system_identifier = 1",
    ],
)
def test_a_ledger_that_has_changed_is_not_given_to_another_test(
    server: Server, databases: Callable[..., Databases], statements: str
) -> None:
    made = databases(server, with_ledger=True)
    before = len(made.cleared)
    assert len(after(server, made, statements)) == max(0, before - 1)
