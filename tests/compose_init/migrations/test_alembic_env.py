"""Histories of every shape, on every version of PostgreSQL: each to its heads, and each revision once."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from compose_init.alembic_options import AlembicOptions
from compose_init.migrations.fingerprint import fingerprint_migrations
from tests.compose_init.migrations.test_upgrade import ASYNC, SYNC
from tests.support.postgres import every_version
from tests.support.programs import Finished, Program, write_history

CONCURRENT = (
    "with op.get_context().autocommit_block():\n"
    "    op.create_index('i', 't', ['id'], postgresql_concurrently=True, if_not_exists=True)"
)
TABLE = "op.create_table('t', sa.Column('id', sa.Integer, primary_key=True))"


def query(program: Program, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        return connection.execute(text).fetchall()


def write(folder: Path, name: str, down: object, body: str = "pass", **more: object) -> None:
    """One revision that leaves a row each time it runs."""
    folder.mkdir(parents=True, exist_ok=True)
    marks = "".join(f"{key} = {value!r}\n" for key, value in more.items())
    (folder / f"{name.replace('.', '_')}.py").write_text(
        f'"""Makes {name}."""\nfrom alembic import op\nimport sqlalchemy as sa\n'
        f"revision = {name!r}\ndown_revision = {down!r}\n{marks}\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE IF NOT EXISTS ran (id text)')\n"
        f'    op.execute("INSERT INTO ran VALUES ({name!r})")\n'
        + "".join(f"    {line}\n" for line in body.splitlines())
    )


def to_heads(program: Program, *heads: str, count: int) -> Finished:
    """Run twice: to the heads, with each revision once and in the ledger, and then with nothing to do."""
    run = program.run()
    assert run.code == 0, run.said
    assert {row[0] for row in query(program, "SELECT version_num FROM alembic_version")} == set(
        heads
    )
    ran = query(program, "SELECT id FROM ran")
    assert len(ran) == len(set(ran)) == count
    assert query(program, "SELECT count(*) FROM compose_init.revision WHERE NOT adopted") == [
        (count,)
    ]
    again = program.run()
    assert again.names() == ["nothing to do"], again.said
    return run


@every_version
def test_linear(program: Program) -> None:
    """One revision after the other."""
    to_the_end_of_a_line(program, 20)


@pytest.mark.parametrize("length", [1, 500])
def test_linear_of_any_length(program: Program, length: int) -> None:
    """From one revision to five hundred."""
    to_the_end_of_a_line(program, length)


def to_the_end_of_a_line(program: Program, length: int) -> None:
    folder = program.folder / "line"
    for number in range(length):
        write(folder, f"r{number}", f"r{number - 1}" if number else None)
    to_heads(program.with_(ALEMBIC_CONFIG=str(folder)), f"r{length - 1}", count=length)


@every_version
def test_branched_merged_and_with_several_bases(program: Program) -> None:
    """A fork that was merged, labelled branches that were not, another base, and a dependency between them."""
    folder = program.folder / "tree"
    write(folder, "a", None)
    write(folder, "b1", "a")
    write(folder, "b2", "a")
    write(folder, "merged", ("b1", "b2"))
    write(folder, "expand.1", "merged", branch_labels=("expand",))
    write(folder, "contract.1", "merged", branch_labels=("contract",), depends_on="expand.1")
    write(folder, "expand.2", "expand.1")
    write(folder, "base_of_its_own", None, branch_labels=("other",))
    tree = program.with_(ALEMBIC_CONFIG=str(folder))
    assert tree.run("record").code == 0
    to_heads(tree, "expand.2", "contract.1", "base_of_its_own", count=8)


@every_version
@pytest.mark.parametrize("env", [None, ASYNC, SYNC], ids=["built in", "async", "sync"])
def test_concurrent_indexes(program: Program, env: str | None) -> None:
    """Outside of a transaction, whatever the environment."""
    revisions = {"a": TABLE, "b": CONCURRENT, "c": "op.execute('INSERT INTO t VALUES (1)')"}
    migrating = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, revisions, env=env)))
    run = migrating.run()
    assert run.code == 0, run.said
    assert query(migrating, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") == [
        (True,)
    ]


def test_folders_in_several_places(program: Program) -> None:
    """version_locations, one of them inside of a package; a new file in each is noticed."""
    one, package = program.folder / "one", program.folder / "pkg_of_the_test"
    write(one, "a", None, branch_labels=("one",))
    write(package / "versions", "b", None, branch_labels=("two",))
    (package / "__init__.py").write_text("")
    write_history(program.folder, {}, env=SYNC)
    (program.folder / "alembic.ini").write_text(
        "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\npath_separator = newline\n"
        "version_locations =\n  %(here)s/one\n  pkg_of_the_test:versions\n"
    )
    several = program.with_(ALEMBIC_CONFIG=str(program.folder / "alembic.ini"))
    to_heads(several, "a", "b", count=2)
    write(one, "a2", "a")
    assert several.run().names().count("revision applied") == 1
    write(package / "versions", "b2", "b")
    assert several.run().names().count("revision applied") == 1


def test_a_configuration_in_pyproject(program: Program) -> None:
    """Alembic 1.16 and later read [tool.alembic] beside the alembic.ini."""
    write(program.folder / "here" / "versions", "a", None)
    (program.folder / "here" / "env.py").write_text(SYNC)
    (program.folder / "alembic.ini").write_text("[alembic]\n")
    (program.folder / "pyproject.toml").write_text(
        '[tool.alembic]\nscript_location = "%(here)s/here"\n'
    )
    to_heads(program.with_(ALEMBIC_CONFIG=str(program.folder / "alembic.ini")), "a", count=1)


def test_fingerprints_tell_files_apart(tmp_path: Path) -> None:
    """Of the environment and of the revisions; the place does not count, every byte does."""
    for place in ("x", "y"):
        (tmp_path / place).mkdir()
        write_history(tmp_path / place, {"a": "pass"}, env=SYNC)
    ini, other = tmp_path / "x" / "alembic.ini", tmp_path / "y" / "alembic.ini"
    first = fingerprint_migrations(AlembicOptions(ini))
    assert first == fingerprint_migrations(AlembicOptions(other))
    env = tmp_path / "x" / "migrations" / "env.py"
    env.write_text(f"{SYNC}\n")
    changed = fingerprint_migrations(AlembicOptions(ini))
    assert changed.environment != first.environment
    assert changed.revisions == first.revisions
    revision = tmp_path / "x" / "migrations" / "versions" / "a.py"
    revision.write_text(revision.read_text() + "\n")
    assert fingerprint_migrations(AlembicOptions(ini)).revisions != changed.revisions
    ini.write_text("[alembic]\nscript_location = package_that_is_not_there:migrations\n")
    assert fingerprint_migrations(AlembicOptions(ini)) != fingerprint_migrations(
        AlembicOptions(ini)
    )


def test_a_version_table_that_moves(program: Program) -> None:
    """Another env.py may keep its revision elsewhere: the table that was followed proves nothing any more."""
    revisions = {"a": "op.execute('CREATE TABLE IF NOT EXISTS t (id int)')"}
    moving = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, revisions, env=SYNC)))
    assert moving.run("record").code == 0
    assert moving.run().code == 0
    named = SYNC.replace("connection=connection", "connection=connection, version_table='moved'")
    write_history(program.folder, revisions, env=named)
    assert moving.run("record").code == 0
    assert moving.run().code == 0
    assert query(moving, "SELECT version_num FROM moved") == [("a",)]
    assert moving.run().names() == ["nothing to do"]


NEEDS_CONNECTION = """
from alembic import context
connection = context.config.attributes{how}
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
"""


@pytest.mark.parametrize("how", ['["connection"]', '.get("connection")'])
def test_an_env_py_that_wants_a_connection(program: Program, how: str) -> None:
    """Written to be called by a program: it gets one, with the database's address."""
    config = write_history(program.folder, {"a": TABLE}, env=NEEDS_CONNECTION.replace("{how}", how))
    migrating = program.with_(ALEMBIC_CONFIG=str(config))
    run = migrating.run()
    assert run.code == 0, run.said
    assert query(migrating, "SELECT version_num FROM alembic_version") == [("a",)]


def test_an_env_py_that_may_take_a_connection(program: Program) -> None:
    """As in Alembic's cookbook: it makes its own where it is given none, as for `alembic upgrade`."""
    env = "from alembic import context as c\nassert c.config.attributes.get('connection') is None\n"
    config = write_history(program.folder, {"a": TABLE}, env=env + SYNC)
    run = program.with_(ALEMBIC_CONFIG=str(config)).run()
    assert run.code == 0, run.said


def test_an_env_py_that_exits_when_it_is_done(program: Program) -> None:
    """Its exit is not ours, and what it did counts."""
    config = write_history(program.folder, {"a": TABLE}, env=f"{SYNC}\nimport sys\nsys.exit(0)\n")
    run = program.with_(ALEMBIC_CONFIG=str(config)).run()
    assert (run.code, run.names()[-1]) == (0, "done"), run.said


def test_an_env_py_that_never_commits(program: Program) -> None:
    """The classic: a statement before context.configure(), and Alembic leaves the commit to env.py. 70."""
    env = SYNC.replace(
        "    context.configure(",
        "    connection.exec_driver_sql('SELECT 1')\n    context.configure(",
    )
    migrating = program.with_(
        ALEMBIC_CONFIG=str(write_history(program.folder, {"a": TABLE}, env=env))
    )
    run = migrating.run("--output", "json")
    assert run.code == 70
    assert "env.py never committed" in run.said
    assert json.loads(run.out)["migrations"] == []
    assert query(migrating, "SELECT to_regclass('t')") == [(None,)]


def test_an_env_py_that_sets_its_folders_itself(program: Program) -> None:
    """It is migrated as by Alembic, and looked at by every run: nobody else knows of a new revision."""
    hidden = program.folder / "hidden"
    write(hidden, "a", None)
    env = f"from alembic import context as c\nc.script.version_locations = [{str(hidden)!r}]\n"
    migrating = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, {}, env=env + SYNC)))
    assert migrating.run("record").code == 0
    for new, before in (("a", None), ("b", "a")):
        write(hidden, new, before)
        assert migrating.run("--plan").code == 2
        assert migrating.run().names().count("revision applied") == 1
        assert query(migrating, "SELECT version_num FROM alembic_version") == [(new,)]
        assert migrating.run("wait", "--revision", "head").code == 0
    write(hidden, "c", "b")
    waiting = migrating.with_(INIT_DATABASE_TIMEOUT="1")
    assert waiting.run("wait", "--revision", "head").code == 69


def test_a_history_without_revisions_is_said(program: Program) -> None:
    """Nothing is wrong with it, and yet it is rarely meant."""
    ini = write_history(program.folder, {}, env=SYNC)
    run = program.with_(ALEMBIC_CONFIG=str(ini)).run()
    assert run.code == 0, run.said
    assert "there are no revisions; is it the right folder?" in run.names()


def test_an_env_py_of_another_database(program: Program, new_database: object) -> None:
    """78: the lock and the ledger would be in one database, and the migrations in another."""
    other = new_database()  # type: ignore[operator]
    env = SYNC.replace(
        "engine = engine_from_config(\n    context.config.get_section(context.config.config_ini_section), ",
        "from sqlalchemy import create_engine\n"
        f"engine = create_engine({other.replace('postgresql', 'postgresql+psycopg')!r}, ",
    )
    assert "create_engine(" in env
    run = program.with_(
        ALEMBIC_CONFIG=str(write_history(program.folder, {"a": TABLE}, env=env))
    ).run()
    assert run.code == 78, run.said
    assert "another database" in run.said
    with psycopg.connect(other) as connection:
        assert connection.execute("SELECT to_regclass('t')").fetchone() == (None,)


def test_another_role_in_env_py(program: Program) -> None:
    """It may write its rows in the ledger all the same."""
    with psycopg.connect(program.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS the_owner")
        connection.execute("CREATE ROLE the_owner")
        connection.execute("GRANT CREATE, USAGE ON SCHEMA public TO the_owner")
    env = SYNC.replace(
        "    context.configure(",
        "    connection.exec_driver_sql('SET ROLE the_owner')\n    connection.commit()\n    context.configure(",
    )
    migrating = program.with_(
        ALEMBIC_CONFIG=str(write_history(program.folder, {"a": TABLE}, env=env))
    )
    run = migrating.run()
    assert run.code == 0, run.said
    assert query(migrating, "SELECT revision FROM compose_init.revision") == [("a",)]
    with psycopg.connect(program.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP OWNED BY the_owner")
        connection.execute("DROP ROLE the_owner")


def test_an_id_that_is_there_twice(program: Program) -> None:
    """70 with both files: Alembic takes one of them and says nothing that anybody reads."""
    folder = program.folder / "twice"
    write(folder, "a", None)
    (folder / "copy.py").write_text((folder / "a.py").read_text())
    migrating = program.with_(ALEMBIC_CONFIG=str(folder))
    for arguments in ([], ["record"]):
        run = migrating.run(*arguments)
        assert run.code == 70
        assert "revision a is defined twice (a.py, copy.py)" in run.said


def test_revisions_that_cannot_be_imported_where_the_image_is_built(program: Program) -> None:
    """They want a variable of the server's: no record, and the build goes on; the run does as well."""
    folder = program.folder / "wants"
    write(folder, "a", None)
    text = (folder / "a.py").read_text()
    (folder / "a.py").write_text(f"import os\nos.environ['OF_THE_SERVER']\n{text}")
    migrating = program.with_(ALEMBIC_CONFIG=str(folder))
    run = migrating.run("record")
    assert run.code == 0
    assert "cannot be recorded here" in run.said
    assert "OF_THE_SERVER" in run.said
    to_heads(migrating.with_(OF_THE_SERVER="1"), "a", count=1)


def test_a_failure_after_something_was_committed(program: Program) -> None:
    """70, with the statements that stay and what to do; run again as it says, it goes on."""
    body = CONCURRENT + "\nop.execute('SELECT 1/0')"
    migrating = program.with_(
        ALEMBIC_CONFIG=str(write_history(program.folder, {"a": TABLE, "b": body}))
    )
    run = migrating.run()
    assert run.code == 70
    assert (
        "committed all the same, without its revision: index public.i; CREATE INDEX CONCUR"
        in run.said
    )
    assert "rolled back" not in run.said
    write_history(program.folder, {"a": TABLE, "b": CONCURRENT})
    assert migrating.run().code == 0


def test_an_env_py_in_autocommit(program: Program) -> None:
    """Nothing is rolled back there, and nothing is said to be."""
    env = SYNC.replace("poolclass=", "isolation_level='AUTOCOMMIT', poolclass=")
    body = "op.execute('CREATE TABLE stays (id int)')\nop.execute('SELECT 1/0')"
    config = write_history(program.folder, {"a": TABLE, "b": body}, env=env)
    migrating = program.with_(ALEMBIC_CONFIG=str(config))
    run = migrating.run()
    assert run.code == 70
    assert "without its revision: table public.stays; CREATE TABLE stays (id int)" in run.said
    assert query(migrating, "SELECT version_num FROM alembic_version") == [("a",)]
    assert query(migrating, "SELECT revision FROM compose_init.revision") == [("a",)]


def test_what_one_transaction_took_with_it_is_named(program: Program) -> None:
    """Earlier revisions of the run are not said to be kept where they are not."""
    revisions = {"a": TABLE, "b": "pass", "c": "1/0"}
    migrating = program.with_(
        ALEMBIC_CONFIG=str(write_history(program.folder, revisions, env=SYNC))
    )
    run = migrating.run()
    assert run.code == 70
    assert "a, b rolled back as well; nothing was migrated" in run.said


@every_version
def test_what_a_broken_build_left_is_cleared_away(program: Program) -> None:
    """An INVALID index under the name that the revision creates; IF NOT EXISTS would keep it."""
    revisions = {"a": TABLE, "b": CONCURRENT}
    with psycopg.connect(program.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON t (id)")
        connection.execute("CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('a')")
    migrating = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, revisions)))
    run = migrating.run()
    assert run.code == 0, run.said
    assert query(migrating, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") == [
        (True,)
    ]


def test_a_plan_shows_the_sql(program: Program) -> None:
    """By revision, as far as it can be had, and nothing is changed or connected to by the revisions."""
    revisions = {"a": TABLE, "b": "op.get_bind().execute(sa.text('SELECT 1')).scalar()"}
    migrating = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, revisions)))
    run = migrating.run("--plan", "--output", "json")
    assert run.code == 2, run.said
    plan = json.loads(run.out)
    assert "CREATE TABLE t" in plan["migrations"][0]["sql"]
    assert "sql" not in plan["migrations"][1]
    assert plan["no_sql"]
    text = migrating.run("--plan").out
    assert "CREATE TABLE t" in text
    assert "some SQL cannot be shown" in text
    assert query(migrating, "SELECT to_regclass('t')") == [(None,)]


def test_a_plan_lets_no_driver_connect(program: Program) -> None:
    """A revision that opens a connection of its own changes nothing while its SQL is asked for."""
    body = (
        "import os, psycopg\nwith psycopg.connect(os.environ['DATABASE_URL']) as c:\n"
        "    c.execute('CREATE TABLE own (id int)')"
    )
    migrating = program.with_(ALEMBIC_CONFIG=str(write_history(program.folder, {"a": body})))
    run = migrating.run("--plan", "--output", "json")
    assert run.code == 2, run.said
    assert "it connects to the database" in json.loads(run.out)["no_sql"]
    assert query(migrating, "SELECT to_regclass('own')") == [(None,)]
    assert migrating.run().code == 0
    assert query(migrating, "SELECT to_regclass('own')") == [("own",)]


def test_a_plan_with_an_env_py_that_knows_no_offline_mode(program: Program) -> None:
    """It would connect, which a plan does not allow: the revisions are listed, and why there is no SQL."""
    migrating = program.with_(
        ALEMBIC_CONFIG=str(write_history(program.folder, {"a": TABLE}, env=SYNC))
    )
    run = migrating.run("--plan", "--output", "json")
    assert run.code == 2, run.said
    plan = json.loads(run.out)
    assert [entry["revision"] for entry in plan["migrations"]] == ["a"]
    assert "it connects to the database" in plan["no_sql"]
    assert query(migrating, "SELECT to_regclass('t')") == [(None,)]
