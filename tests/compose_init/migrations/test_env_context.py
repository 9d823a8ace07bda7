"""Migrations that env.py runs at the same time are refused before they get in each other's way."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.programs import Program, write_history

TENANTS = """
import asyncio
import sqlalchemy as sa
from alembic import context
from sqlalchemy.ext.asyncio import async_engine_from_config

def run(connection, tenant):
    connection.execute(sa.text(f'SET search_path = {tenant}'))
    connection.commit()
    context.configure(connection=connection, version_table_schema=tenant)
    with context.begin_transaction():
        context.run_migrations()

async def migrate(engine, tenant):
    async with engine.connect() as connection:
        await connection.run_sync(run, tenant)

async def main():
    engine = async_engine_from_config(context.config.get_section(context.config.config_ini_section))
    tenants = [migrate(engine, f'tenant_{n}') for n in range(4)]
    TOGETHER
    await engine.dispose()

asyncio.run(main())
"""
TOGETHER = {
    "gather": "await asyncio.gather(*tenants)",
    "errors are caught": "await asyncio.gather(*tenants, return_exceptions=True)",
    "some at once": "await asyncio.gather(*tenants[:2]); await asyncio.gather(*tenants[2:])",
}
IN_TURN = "[await tenant for tenant in tenants]"
REVISIONS = {
    name: f"op.execute('CREATE TABLE {name} (id int)')\nop.execute('SELECT pg_sleep(0.02)')"
    for name in ("t1", "t2")
}


@pytest.fixture
def tenants(program: Program) -> Program:
    """Return the program, with a schema for each of four tenants."""
    with psycopg.connect(program.environ["DATABASE_URL"], autocommit=True) as connection:
        for n in range(4):
            connection.execute(f"CREATE SCHEMA tenant_{n}".encode())
    return program


def tables(program: Program) -> list[str]:
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        query = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname LIKE 'tenant%' ORDER BY 1"
        return [name for (name,) in connection.execute(query)]


@pytest.mark.parametrize("together", TOGETHER)
def test_tenants_at_the_same_time(tenants: Program, together: str) -> None:
    """The reason and the remedy are said each time, no version is there without its tables, and the remedy works."""
    for done in (TOGETHER[together], TOGETHER[together]):
        env = TENANTS.replace("TOGETHER", done)
        config = write_history(tenants.folder, REVISIONS, env=env)
        run = tenants.with_(ALEMBIC_CONFIG=str(config)).run()
        assert run.code == 70, run.said
        assert "runs migrations at the same time" in run.said
        found = [name.partition(".")[0] for name in tables(tenants)]
        assert {found.count(tenant) for tenant in found} <= {3}
    write_history(tenants.folder, REVISIONS, env=TENANTS.replace("TOGETHER", IN_TURN))
    run = tenants.with_(ALEMBIC_CONFIG=str(config)).run()
    assert run.code == 0, run.said
    assert len(tables(tenants)) == 12
