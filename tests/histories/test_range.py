"""The oldest libraries that are supported, and those between: they migrate as the newest do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.environments import Environment
from tests.support.programs import write_history
from tests.support.schema_dump import at, dump

pytestmark = [pytest.mark.slow, pytest.mark.histories]

RANGE = {"sqlalchemy-1.4": "psycopg2", "sqlalchemy-2.0": "psycopg"}
"""Environments, and the drivers that an application has there. The tests' own has the newest."""

ENV = """
import os
from alembic import context
from sqlalchemy import create_engine, pool
engine = create_engine(os.environ["DATABASE_URL"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""

REVISIONS = {
    "a": "op.create_table('t', sa.Column('id', sa.Integer, primary_key=True), sa.Column('n', sa.Text))",
    "b": "op.get_bind().execute(sa.text('INSERT INTO t VALUES (:id, :n)'), {'id': 1, 'n': 'one'})",
    "c": "with op.get_context().autocommit_block():\n"
    "    op.create_index('i', 't', ['n'], postgresql_concurrently=True)",
    "d": "op.add_column('t', sa.Column('more', sa.Numeric(10, 2), server_default='0', nullable=False))",
}


@pytest.mark.parametrize("name", RANGE)
@pytest.mark.parametrize("env", [ENV, None], ids=["env.py", "folder alone"])
def test_the_same_schema(
    name: str,
    env: str | None,
    environment: Callable[[str], Environment],
    new_database: Callable[..., str],
    tmp_path: Path,
) -> None:
    """A revision that fails keeps the earlier ones; mended, it ends where `alembic upgrade head` does."""
    there = environment(name)
    expected, found = (
        new_database().replace("postgresql:", f"postgresql+{RANGE[name]}:") for _ in range(2)
    )
    plain = found.replace(f"+{RANGE[name]}", "")
    ini = write_history(tmp_path / "own", REVISIONS, env=ENV)
    ini.write_text(f"[alembic]\nscript_location = {ini.parent}/migrations\n")
    own = there.run({"DATABASE_URL": expected}, "alembic", "-c", str(ini), "upgrade", "head")
    assert own.code == 0, own.said

    config = write_history(tmp_path / "app", {**REVISIONS, "c": "1 / 0"}, env=env)
    # Without env.py the driver is ours to choose.
    environ = {"DATABASE_URL": found if env else plain, "ALEMBIC_CONFIG": str(config)}
    run = there.init(environ, "--migrate-only")
    assert run.code == 70, run.said
    assert "revision c (Revision c.) failed at c.py:" in run.said
    assert at(plain) == ["b"]

    write_history(tmp_path / "app", REVISIONS, env=env)
    run = there.init(environ, "--migrate-only")
    assert run.code == 0, run.said
    assert run.names().count("revision applied") == 2
    assert dump(plain) == dump(expected.replace(f"+{RANGE[name]}", ""))
    assert there.init(environ, "--migrate-only").names() == ["nothing to do"]
