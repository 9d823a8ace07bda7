"""An unchanged run ends at once only where files and version table prove that nothing is due."""

from __future__ import annotations

import textwrap
from pathlib import Path

import psycopg
import pytest

from compose_init.alembic_options import AlembicOptions
from compose_init.migrations.env_calls import EnvText, read_env
from compose_init.migrations.fingerprint import fingerprint_migrations
from tests.compose_init.migrations.test_alembic_env import query, write
from tests.compose_init.migrations.test_upgrade import SYNC
from tests.support.programs import Program, write_history

TENANTS = """
from alembic import context
from sqlalchemy import create_engine, text

def tenants(connection):
    query = text("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant_%' ORDER BY 1")
    return [row[0] for row in connection.execute(query)]

def migrate(connection, tenant):
    connection.execute(text(f"SET search_path TO {tenant}"))
    connection.commit()
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    for tenant in tenants(connection):
        migrate(connection, tenant)
"""


@pytest.mark.parametrize(
    "ini",
    [
        "[alembic]\nroot = %(here)s/db\nscript_location = migrations\nversion_locations = %(root)s/v\n",
        "[DEFAULT]\nroot = db\n[alembic]\nscript_location = migrations\nversion_locations = %(root)s/v\n",
        "[alembic]\nhome = %(here)s\nscript_location = %(home)s/migrations\nVERSION_LOCATIONS = db/v\n",
    ],
    ids=["section", "defaults", "script_location"],
)
@pytest.mark.parametrize("recorded", [False, True])
def test_locations_that_stand_for_others(program: Program, ini: str, *, recorded: bool) -> None:
    """Options of the section and of [DEFAULT] are put in, as Alembic does: a new revision is noticed."""
    write_history(program.folder, {}, env=SYNC)
    (program.folder / "alembic.ini").write_text(ini)
    write(program.folder / "db" / "v", "a", None)
    migrating = program.with_(ALEMBIC_CONFIG=str(program.folder / "alembic.ini"))
    if recorded:
        assert migrating.run("record").code == 0
    assert migrating.run().code == 0
    assert migrating.run().names() == ["nothing to do"]
    write(program.folder / "db" / "v", "b", "a")
    assert migrating.run("--plan").code == 2
    assert migrating.run().names().count("revision applied") == 1


@pytest.mark.parametrize(
    "line",
    [
        "version_locations = %(nobody)s/v",
        "version_locations = %(here)s/gone",
        "version_locations = nobody_knows_this:v",
        "script_location = gone",
    ],
)
def test_what_is_named_and_cannot_be_found_equals_nothing(tmp_path: Path, line: str) -> None:
    """Not even itself."""
    write_history(tmp_path, {"a": "pass"}, env=SYNC)
    ini = tmp_path / "alembic.ini"
    ini.write_text(
        f"[alembic]\nscript_location = migrations\n{line}\n".replace(
            "script_location = migrations\nscript", "script"
        )
    )
    options = AlembicOptions(ini)
    assert fingerprint_migrations(options) != fingerprint_migrations(options)


def test_a_schema_for_each_tenant(program: Program) -> None:
    """env.py alone knows the tenants: none at first, then more, and each gets its tables."""
    revisions = {name: f"op.execute('CREATE TABLE {name} (id int)')" for name in ("t1", "t2")}
    config = write_history(program.folder, revisions, env=TENANTS)
    migrating = program.with_(ALEMBIC_CONFIG=str(config))
    assert migrating.run("record").code == 0
    for tenant in ("", "tenant_b", "tenant_a", "tenant_c"):
        if tenant:
            with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
                connection.execute(f"CREATE SCHEMA {tenant}".encode())
            assert migrating.run("--plan").code == 2
        run = migrating.run()
        assert run.code == 0, run.said
        assert run.names().count("revision applied") == (2 if tenant else 0)
        assert migrating.run("--plan").code == 0
    told = [event for event in run.events if event["event"] == "migrated by version table"]
    assert [(each["table"], each["revisions"]) for each in told] == [
        ("tenant_a.alembic_version", []),
        ("tenant_b.alembic_version", []),
        ("tenant_c.alembic_version", ["t1", "t2"]),
    ]
    counted = "SELECT version_table, count(*) FROM compose_init.revision GROUP BY 1 ORDER BY 1"
    tables = [f"tenant_{name}.alembic_version" for name in "abc"]
    assert query(program, counted) == [(name, 2) for name in tables]


ONCE = """
    import asyncio
    from alembic import context

    def online(connection):
        context.configure(connection=connection)
        context.run_migrations()

    async def main():
        names = [name for name in ("a", "b")]
        await engine.connect().run_sync(online)

    asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ONCE, EnvText(loops=False, once=True)),
        (ONCE.replace("await engine", "for _ in x: await engine"), EnvText(loops=True, once=False)),
        (
            ONCE.replace("asyncio.run", "for_each_tenant").replace("main())", "main)"),
            EnvText(loops=False, once=False),
        ),
        (
            "migrate('shared')\nif tenant():\n    migrate('tenant')\ndef migrate(x): context.run_migrations()",
            EnvText(loops=False, once=False),
        ),
        ("context.run_migrations()\ncontext.run_migrations()", EnvText(loops=False, once=False)),
        (
            "if given is None:\n    context.run_migrations()\nelse:\n    context.run_migrations()",
            EnvText(loops=False, once=True),
        ),
        (
            "def run(): context.run_migrations()\nif context.is_offline_mode(): run()\nelse: run()",
            EnvText(loops=False, once=True),
        ),
        ("[context.run_migrations(x) for x in y]", EnvText(loops=True, once=False)),
        ("while x: context.run_migrations()", EnvText(loops=True, once=False)),
        ("this is no Python", EnvText(loops=False, once=False)),
    ],
    ids=[
        *("once", "async loop", "passed on", "one after another", "twice", "either", "offline"),
        *("comprehension", "while", "no Python"),
    ],
)
def test_the_text_of_an_env_py(tmp_path: Path, text: str, found: EnvText) -> None:
    """A loop that leads to the call may call it never or often; a list of names does not."""
    env = tmp_path / "env.py"
    env.write_text(textwrap.dedent(text))
    assert read_env(env) == found


def test_a_call_from_another_module(program: Program) -> None:
    """Nobody reads that module, so each run looks closer; it finds nothing to do where there was nothing."""
    (program.folder / "elsewhere_of_the_test.py").write_text(
        "def go(context):\n    context.run_migrations()\n"
    )
    env = (
        "import sys\nsys.path.insert(0, '.')\nfrom elsewhere_of_the_test import go\n"
        + SYNC.replace("context.run_migrations()", "go(context)")
    )
    config = write_history(program.folder, {"a": "pass"}, env=env)
    migrating = program.with_(ALEMBIC_CONFIG=str(config))
    assert migrating.run().names()[-1] == "done"
    for _ in range(2):
        run = migrating.run()
        assert run.names()[0] == "phase"
        assert (run.code, run.names()[-1]) == (0, "nothing to do"), run.said
