"""Several histories in one database: each is its version table, in everything that is remembered."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.compose_init.migrations.test_nothing_to_do import TENANTS
from tests.compose_init.migrations.test_upgrade import SYNC, query
from tests.support.programs import Program, write_history

NAMED = SYNC.replace(
    "connection=connection", "connection=connection, version_table=os.environ['TABLE']"
)


def image(program: Program, name: str, count: int, env: str = NAMED, **environ: str) -> Program:
    """Return an image of the application `name` with revisions 1 to `count`; all have equal ids."""
    folder = program.folder / f"{name}{count}"
    folder.mkdir(exist_ok=True)
    bodies = {f"{i}": f"op.execute('CREATE TABLE {name}{i} (id int)')" for i in range(1, count + 1)}
    config = write_history(folder, bodies, env=env)
    return program.with_(ALEMBIC_CONFIG=str(config), TABLE=f"of_{name}", **environ)


def execute(program: Program, statement: str) -> None:
    with psycopg.connect(program.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement.encode())


def test_taking_turns(program: Program) -> None:
    """Each finds nothing to do, and what it did, whatever the other one does."""
    one, other = image(program, "one", 3), image(program, "other", 2)
    assert [each.run().names().count("revision applied") for each in (one, other)] == [3, 2]
    for _ in range(2):
        assert [each.run().names() for each in (one, other)] == [["nothing to do"]] * 2
    rows = query(
        one, "SELECT version_table, count(*) FROM compose_init.revision GROUP BY 1 ORDER BY 1"
    )
    assert rows == [("public.of_one", 3), ("public.of_other", 2)]
    status = json.loads(other.run("status", "--output", "json").out)["database"]
    assert [entry["revision"] for entry in status["lineage"]] == ["1", "2"]
    assert status["version_table"] == "public.of_other"
    older = image(program, "other", 1)
    for program_ in (older, image(program, "one", 2)):
        run = program_.run()
        assert run.code == 0, run.said
        assert "the database is ahead of this image" in run.said
    assert one.run().names() == ["nothing to do"]


@pytest.mark.parametrize(
    ("name", "recorded"), [("TABLE", False), ("TABLE", True), ("API_TABLE", False)]
)
def test_the_same_files_with_another_variable(
    program: Program, name: str, *, recorded: bool
) -> None:
    """A variable chooses the version table: nothing but env.py knows which, so another value is looked at."""
    first = image(program, "one", 1, NAMED.replace("TABLE", name)).with_(**{name: "of_one"})
    if recorded:
        assert first.run("record").code == 0
    assert first.run().names().count("revision applied") == 1
    second = first.with_(**{name: "of_another"})
    execute(program, "DROP TABLE one1")
    assert second.run("--plan").code == 2
    assert second.run().names().count("revision applied") == 1
    assert query(program, "SELECT version_num FROM of_another") == [("1",)]
    assert first.run().names() == ["nothing to do"]
    assert second.run().names() == ["nothing to do"]


def test_one_that_is_undone_by_hand(program: Program) -> None:
    """The other one's revisions with the same ids stay in the ledger."""
    one, other = image(program, "one", 2), image(program, "other", 2)
    assert (one.run().code, other.run().code) == (0, 0)
    execute(program, "DROP TABLE one2; UPDATE of_one SET version_num = '1'")
    assert one.run().names().count("revision applied") == 1
    assert query(one, "SELECT count(*) FROM compose_init.revision") == [(4,)]
    assert other.run().names() == ["nothing to do"]


@pytest.mark.parametrize(
    "moved",
    [
        "CREATE SCHEMA meta; ALTER TABLE of_one SET SCHEMA meta",
        "ALTER TABLE of_one RENAME TO renamed",
    ],
    ids=["schema", "name"],
)
def test_a_version_table_that_is_moved(program: Program, moved: str) -> None:
    """It is known by its oid: an older image still finds the database ahead."""
    newer = image(program, "one", 3)
    assert newer.run().code == 0
    try:
        execute(program, moved)
        execute(program, "ALTER ROLE CURRENT_USER SET search_path = public, meta")
        table = {"TABLE": "renamed" if "renamed" in moved else "of_one"}
        run = newer.with_(**table).run()
        assert (run.code, run.names().count("revision applied")) == (0, 0), run.said
        run = image(program, "one", 2).with_(**table).run()
        assert run.code == 0, run.said
        assert "the database is ahead" in run.said
        assert query(program, "SELECT count(*), bool_or(adopted) FROM compose_init.revision") == [
            (3, False)
        ]
    finally:
        execute(program, "ALTER ROLE CURRENT_USER RESET search_path")


def test_a_revision_that_moves_the_version_table(program: Program) -> None:
    """The ledger knows at the end of the run where the table is: `status` shows the history under the new name."""
    moving = program.with_(TABLE="of_one", PGOPTIONS="-c search_path=public,meta")
    bodies = {
        "1": "op.execute('SELECT 1')",
        "2": "op.execute('CREATE SCHEMA meta; ALTER TABLE of_one SET SCHEMA meta')",
    }
    moving = moving.with_(ALEMBIC_CONFIG=str(write_history(program.folder, bodies, env=NAMED)))
    run = moving.run()
    assert (run.code, run.names().count("revision applied")) == (0, 2), run.said
    status = json.loads(moving.run("status", "--output", "json").out)["database"]
    assert status["version_table"] == "meta.of_one"
    assert [entry["revision"] for entry in status["lineage"]] == ["1", "2"]
    assert moving.run().names() == ["nothing to do"]


def test_a_restored_backup(program: Program) -> None:
    """Another oid, and the same name: the history goes on."""
    assert image(program, "one", 2).run().code == 0
    execute(
        program,
        "CREATE TABLE copy AS TABLE of_one; DROP TABLE of_one; ALTER TABLE copy RENAME TO of_one",
    )
    run = image(program, "one", 1).run()
    assert run.code == 0, run.said
    assert "the database is ahead" in run.said


def test_tenants_of_which_some_are_behind(program: Program) -> None:
    """Plan, report and status say for each version table what is pending, what was done, and where it is."""
    execute(program, "CREATE SCHEMA tenant_a")
    migrating = image(program, "t", 2, TENANTS)
    assert migrating.run().code == 0
    execute(program, "CREATE SCHEMA tenant_b")
    plan = json.loads(migrating.run("--plan", "--output", "json").out)
    pending = [(each["version_table"], each["revision"]) for each in plan["migrations"]]
    assert pending == [("tenant_b.alembic_version", "1"), ("tenant_b.alembic_version", "2")]
    status = json.loads(migrating.run("status", "--output", "json").out)["database"]
    assert [each["state"] for each in status["version_tables"]] == ["at head", "empty"]
    report = json.loads(migrating.run("--output", "json").out)
    done = [(each["version_table"], each["revision"]) for each in report["migrations"]]
    assert done == [("tenant_b.alembic_version", "1"), ("tenant_b.alembic_version", "2")]
    assert json.loads(migrating.run("--output", "json").out)["outcome"] == "nothing to do"


def test_seeds_of_two_applications(program: Program) -> None:
    """Each has its own manifest, and finds it unchanged after the other one's turn."""
    images = []
    for name in ("one", "other"):
        folder = program.folder / f"seeds_{name}"
        folder.mkdir()
        (folder / "seeds.toml").write_text(
            f'[[dataset]]\nname = "{name}"\nsource = "s.json"\ntable = "{name}1"\nkey = ["id"]\n'
        )
        (folder / "s.json").write_text('[{"id": 1}]')
        images.append(image(program, name, 1, SEED_MANIFEST=str(folder / "seeds.toml")))
    for each in (*images, *images):  # a dataset that changes is another reason to look at all
        assert each.run().code == 0
    assert [each.run().names() for each in (*images, *images)] == [["nothing to do"]] * 4


def test_a_tenant_that_is_ahead(program: Program) -> None:
    """The others are migrated to what this image has, nothing is seeded, and both are said."""
    execute(program, "CREATE SCHEMA tenant_a")
    assert image(program, "t", 2, TENANTS).run().code == 0
    execute(program, "CREATE SCHEMA tenant_b")
    run = image(program, "t", 1, TENANTS).run()
    assert run.code == 0, run.said
    assert "as after a rollback: nothing is seeded" in run.said
    assert query(program, "SELECT version_num FROM tenant_b.alembic_version") == [("1",)]


def test_a_call_that_only_a_tenant_makes(program: Program) -> None:
    """One call was made, and the text has another: the run asks env.py each time, and meets the new tenant."""
    env = TENANTS.partition("with create_engine")[0] + (
        "with create_engine(context.config.get_main_option('sqlalchemy.url')).connect() as connection:\n"
        "    migrate(connection, 'public')\n"
        "    if tenants(connection):\n        migrate(connection, 'tenant_a')\n"
    )
    migrating = image(program, "t", 1, env)
    assert migrating.run().names().count("revision applied") == 1
    assert migrating.run().names() == ["phase", "nothing to do"]
    execute(program, "CREATE SCHEMA tenant_a")
    assert migrating.run().names().count("revision applied") == 1
