"""env.py runs first, and then the revisions are loaded, in the context that it has made: as under Alembic."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.compose_init.migrations.test_alembic_env import query
from tests.compose_init.migrations.test_upgrade import SYNC
from tests.support.programs import Finished, Program, write_history

SOURCE = "import sys\nsys.path.insert(0, 'src')\n"
VARIABLE = "import os\nos.environ['MADE_BY_ENV'] = 't'\n"
MODULE = "import sys, types\nsys.modules['made_by_env'] = types.SimpleNamespace(NAME='t')\n"
ATTRIBUTE = "from alembic import context as c\nc.config.attributes['name'] = 't'\n"

NEEDS = {
    "a folder on sys.path": (SOURCE, "from names_of_the_test import NAME"),
    "a module": (MODULE, "from made_by_env import NAME"),
    "a variable": (VARIABLE, "import os\nNAME = os.environ['MADE_BY_ENV']"),
    "alembic.context": (
        ATTRIBUTE,
        "from alembic import context\nNAME = context.config.attributes['name']",
    ),
    "the connection": (
        "",
        "NAME = 't' if op.get_bind().exec_driver_sql('SELECT 1').scalar() else ''",
    ),
}


def write_needing(folder: Path, before: str, top: str) -> Path:
    """Write a revision that needs what env.py does before its beginning; return the `alembic.ini`."""
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src" / "names_of_the_test.py").write_text("NAME = 't'\n")
    ini = write_history(
        folder, {"a": "op.execute(f'CREATE TABLE {NAME} (id int)')"}, env=before + SYNC
    )
    path = folder / "migrations" / "versions" / "a.py"
    path.write_text(path.read_text().replace("revision =", f"{top}\nrevision =", 1))
    return ini


@pytest.mark.parametrize(("before", "top"), NEEDS.values(), ids=NEEDS)
def test_a_revision_that_needs_what_env_py_does(program: Program, before: str, top: str) -> None:
    """Planned, migrated, shown, and then there is nothing to do."""
    migrating = program.with_(ALEMBIC_CONFIG=str(write_needing(program.folder, before, top)))
    assert migrating.run("record").code == 0
    plan = migrating.run("--plan")
    assert plan.code == 2, plan.said
    run = migrating.run()
    assert run.code == 0, run.said
    assert query(migrating, "SELECT to_regclass('t')::text") == [("t",)]
    status = migrating.run("status")
    assert "at a; this image's head is a" in status.out, status.said
    assert migrating.run().names() == ["nothing to do"]


def test_a_revision_that_cannot_be_loaded(program: Program) -> None:
    """70, with its file; env.py is not blamed."""
    ini = write_needing(program.folder, "", "import nobody_has_this")
    run = program.with_(ALEMBIC_CONFIG=str(ini)).run()
    assert run.code == 70
    assert "a revision failed at a.py:4: ModuleNotFoundError" in run.said


def test_an_env_py_that_hides_an_error(program: Program) -> None:
    """An error that it catches ends the run all the same: of a revision, and of our own check of its database."""
    hiding = SYNC.replace(
        "    with context.begin_transaction():\n        context.run_migrations()\n",
        "    try:\n        with context.begin_transaction():\n            context.run_migrations()\n"
        "    except Exception:\n        pass\n",
    )
    for revisions, said in (
        ({"a": "1/0"}, "revision a (Revision a.) failed"),
        (
            {"a": "pass", "b": "this is no Python"},
            "a revision failed: SyntaxError: invalid syntax (b.py",
        ),
    ):
        config = write_history(program.folder, revisions, env=hiding)
        run = program.with_(ALEMBIC_CONFIG=str(config)).run()
        assert run.code == 70, run.said
        assert said in run.said


ARGUMENTS = """
from alembic import context as c
assert c.config.cmd_opts.revision == 'heads'
given = c.get_x_argument(as_dictionary=True)
"""


def arguments_of(program: Program, text: str, **environ: str) -> Finished:
    env = ARGUMENTS + SYNC.replace(
        "connection=connection",
        "connection=connection, version_table=given.get('table', 'alembic_version')",
    )
    config = write_history(program.folder, {"a": "pass"}, env=env)
    return program.with_(ALEMBIC_CONFIG=str(config), ALEMBIC_X=text, **environ).run()


def test_arguments_for_env_py(program: Program) -> None:
    """ALEMBIC_X is what `alembic -x` would be given; other arguments may be about another version table."""
    for name in ("one", "two words"):
        assert arguments_of(program, f"verbose=1 'table={name}'").code == 0
        assert query(program, f'SELECT version_num FROM "{name}"') == [("a",)]
        assert arguments_of(program, f"verbose=1 'table={name}'").names() == ["nothing to do"]


def test_a_section_of_several(program: Program) -> None:
    """ALEMBIC_SECTION is what `alembic -n` would be given; a new revision of its own history is noticed."""
    for section in ("state", "jobs"):
        write_history(program.folder / section, {f"{section}1": "pass"}, env=SYNC)
    env = SYNC.replace(
        "connection=connection",
        "connection=connection, version_table=context.config.config_ini_section",
    )
    (program.folder / "migrations").mkdir()
    (program.folder / "migrations" / "env.py").write_text(env)
    ini = program.folder / "alembic.ini"
    ini.write_text(
        "[DEFAULT]\nscript_location = %(here)s/migrations\npath_separator = newline\n"
        "[state]\nversion_locations = %(here)s/state/migrations/versions\n"
        "[jobs]\nversion_locations = %(here)s/jobs/migrations/versions\n"
    )
    for section in ("state", "jobs"):
        migrating = program.with_(ALEMBIC_CONFIG=str(ini), ALEMBIC_SECTION=section)
        for count in (1, 2):
            write_history(
                program.folder / section,
                {f"{section}{i + 1}": "pass" for i in range(count)},
                env=SYNC,
            )
            assert migrating.run("record").code == 0
            assert migrating.run().names().count("revision applied") == 1
            assert query(program, f"SELECT version_num FROM {section}") == [(f"{section}{count}",)]
            assert migrating.run().names() == ["nothing to do"]
    run = program.with_(ALEMBIC_CONFIG=str(ini), ALEMBIC_SECTION="nobody").run()
    assert run.code == 78
    assert "has no section [nobody]; it has [state], [jobs]" in run.said


def test_a_pyproject_alone(program: Program) -> None:
    """Alembic 1.16 and later need no alembic.ini, nor do we: found in the working folder, or named."""
    write_history(program.folder, {"a": "pass"}, env=SYNC)
    (program.folder / "alembic.ini").unlink()
    env = program.folder / "migrations" / "env.py"
    env.write_text(
        "from alembic import context\nfrom sqlalchemy import create_engine\n"
        "with create_engine(context.config.get_main_option('sqlalchemy.url')).connect() as connection:\n"
        "    context.configure(connection=connection)\n"
        "    with context.begin_transaction():\n        context.run_migrations()\n"
    )
    toml = program.folder / "pyproject.toml"
    toml.write_text('[tool.alembic]\nscript_location = "%(here)s/migrations"\n')
    run = program.run()
    assert (run.code, run.names().count("revision applied")) == (0, 1), run.said
    assert program.run().names() == ["nothing to do"]
    assert program.with_(ALEMBIC_CONFIG=str(toml)).run().code == 0
    with psycopg.connect(program.environ["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("a",)]
