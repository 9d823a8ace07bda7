"""A revision fails as it would under Alembic, and the message names what mends it."""

from __future__ import annotations

import psycopg
import pytest

from tests.compose_init.migrations.test_upgrade import SYNC, history
from tests.support.programs import Program


def test_an_enum_value_used_in_its_transaction(program: Program) -> None:
    """transaction_per_migration is the word, and with it the next run goes through."""
    first = {"a": "op.execute(\"CREATE TYPE kind AS ENUM ('a'); CREATE TABLE t (k kind)\")"}
    assert history(program, first, SYNC).run().code == 0
    more = {
        **first,
        "b": "op.execute(\"ALTER TYPE kind ADD VALUE 'b'\")",
        "c": "op.execute(\"INSERT INTO t VALUES ('b')\")",
    }
    run = history(program, more, SYNC).run()
    assert run.code == 70, run.said
    assert "transaction_per_migration=True" in run.said
    each = SYNC.replace(
        "connection=connection", "connection=connection, transaction_per_migration=True"
    )
    assert history(program, more, each).run().code == 0


@pytest.mark.parametrize(
    ("there", "made"),
    [
        ("CREATE TABLE t (id int)", "CREATE TABLE t (id int)"),
        ("CREATE TABLE t (id int, v int)", "ALTER TABLE t ADD v int"),
        ("CREATE TYPE kind AS ENUM ('a')", "CREATE TYPE kind AS ENUM ('a')"),
        ("CREATE SCHEMA s", "CREATE SCHEMA s"),
    ],
)
def test_what_is_there_without_alembic(program: Program, there: str, made: str) -> None:
    """As create_all() leaves it: `alembic stamp`."""
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        connection.execute(there.encode())
    run = history(program, {"a": f'op.execute("{made}")'}).run()
    assert run.code == 70, run.said
    assert "alembic stamp" in run.said
