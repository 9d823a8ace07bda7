"""A failure says what is committed now, as the database has it after the rollback."""

from __future__ import annotations

import psycopg
import pytest

from tests.compose_init.migrations.test_nothing_to_do import TENANTS
from tests.compose_init.migrations.test_upgrade import SYNC
from tests.support.programs import Finished, Program, write_history

EACH = SYNC.replace(
    "connection=connection", "connection=connection, transaction_per_migration=True"
)
FIRST = "op.execute('CREATE TABLE t (id int)')\nop.execute('INSERT INTO t VALUES (1)')"
FAIL = "\nop.execute('SELECT 1/0')"
BLOCK = "with op.get_context().autocommit_block():\n    op.execute({!r})"
ELSEWHERE = (
    "import os\nengine = sa.create_engine(os.environ['DATABASE_URL'].replace('postgresql:', 'postgresql+psycopg:'))\n"
    "with engine.begin() as other:\n    other.execute(sa.text('CREATE TABLE elsewhere (id int)'))"
)

COMMITTED = {
    "an index": (BLOCK.format("CREATE INDEX CONCURRENTLY ix ON t (id)"), "index public.ix"),
    "a type": (BLOCK.format("CREATE TYPE kind AS ENUM ('a')"), "type public.kind"),
    "a column": (BLOCK.format("ALTER TABLE t ADD COLUMN more int"), "table public.t"),
    "a column's default": (BLOCK.format("ALTER TABLE t ALTER id SET DEFAULT 1"), "table public.t"),
    "a function": (
        BLOCK.format("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        "function public.f()",
    ),
    "a schema": (BLOCK.format("CREATE SCHEMA other"), "schema other"),
    "rows": (BLOCK.format("UPDATE t SET id = 2"), "UPDATE t SET id = 2"),
    "COMMIT": (
        "op.execute('CREATE TABLE early (id int)')\nop.execute('COMMIT')",
        "table public.early",
    ),
    "COMMIT in a text": ("op.execute('CREATE TABLE early (id int); COMMIT')", "table public.early"),
    "a connection of its own": (ELSEWHERE, "table public.elsewhere"),
}


def failing(program: Program, revisions: dict[str, str], env: str = EACH) -> Finished:
    config = write_history(program.folder, revisions, env=env)
    run = program.with_(ALEMBIC_CONFIG=str(config)).run()
    assert run.code == 70, run.said
    return run


@pytest.mark.parametrize(("body", "named"), COMMITTED.values(), ids=COMMITTED)
def test_what_a_revision_committed_before_it_failed(
    program: Program, body: str, named: str
) -> None:
    """Whatever it is and however it was committed, it is named; what is kept is told apart."""
    run = failing(program, {"a": FIRST, "b": body + FAIL})
    assert (
        "a committed in public.alembic_version; committed all the same, without its revision: "
        in run.said
    )
    assert named in run.said.partition("without its revision: ")[2]
    assert "nothing was migrated" not in run.said


def test_what_an_earlier_revision_committed(program: Program) -> None:
    """A block of `b` commits `a` and an index, and `c` takes `b` back: without the transaction's other objects."""
    blocked = BLOCK.format("CREATE INDEX CONCURRENTLY ix ON t (id)")
    run = failing(program, {"a": FIRST, "b": blocked, "c": "1/0"}, SYNC)
    assert (
        "a committed in public.alembic_version; b rolled back as well; committed all the same"
        in run.said
    )
    assert "without its revision: index public.ix; CREATE INDEX" in run.said


def test_what_is_rolled_back_is_not_called_committed(program: Program) -> None:
    """Nor what was there before, nor what a savepoint or a ROLLBACK took back."""
    body = "op.execute('CREATE TABLE gone (id int)')\nop.execute('ROLLBACK')\nop.execute('BEGIN')"
    run = failing(program, {"a": FIRST, "b": body + FAIL})
    assert "a committed in public.alembic_version; fix it and run again" in run.said
    run = failing(program, {"a": FIRST, "b": "op.execute('CREATE TABLE gone (id int)')" + FAIL})
    assert "nothing was migrated; fix it and run again" in run.said


def test_temporary_tables_of_other_sessions(program: Program) -> None:
    """They come and go, and are nothing that a revision committed."""
    other = (
        "import os\nurl = os.environ['DATABASE_URL'].replace('postgresql:', 'postgresql+psycopg:')\n"
        "engine = sa.create_engine(url)\nkept = engine.connect()\n"
        "kept.execute(sa.text('CREATE TEMP TABLE passing (id int PRIMARY KEY CHECK (id > 0))'))\nkept.commit()"
    )
    run = failing(program, {"a": FIRST, "b": other + "\nglobals()['kept'] = kept" + FAIL})
    assert "pg_temp" not in run.said


def test_the_second_of_two_tenants(program: Program) -> None:
    """The first one's revisions are committed, and said to be; also where env.py itself fails after them."""
    with psycopg.connect(program.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "CREATE SCHEMA tenant_a; CREATE SCHEMA tenant_b; CREATE TABLE tenant_b.t (id int)"
        )
    run = failing(program, {"a": FIRST}, TENANTS)
    assert "alembic stamp" in run.said
    assert "a committed in tenant_a.alembic_version; fix it and run again" in run.said
    with psycopg.connect(program.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP TABLE tenant_b.t; DROP TABLE tenant_a.t, tenant_a.alembic_version")
    run = failing(program, {"a": FIRST}, TENANTS + "raise RuntimeError('at the end')")
    assert "env.py failed" in run.said
    assert (
        "a committed in tenant_a.alembic_version; a committed in tenant_b.alembic_version"
        in run.said
    )
