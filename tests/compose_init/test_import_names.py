"""An application keeps modules that are named like parts of this program, and the program keeps its own."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests.support.programs import API, Program, write_history

NAMES = (
    "init",
    "seeder",
    "settings",
    "errors",
    "run",
    "logs",
    "wait",
    "ledger",
    "sources",
    "targets",
)
"""Modules of the application; `seeder`, `sources` and `targets` are packages."""

PACKAGES = ("seeder", "sources", "targets")

ENV = f"""
import importlib
for name in {NAMES!r}:
    assert importlib.import_module(name).OWNER == "the application", name
from alembic import context
from sqlalchemy import create_engine, pool
import os
url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


def write_modules(folder: Path) -> None:
    """Write the application's own modules."""
    for name in NAMES:
        path = folder / name / "__init__.py" if name in PACKAGES else folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('OWNER = "the application"\n', encoding="utf-8")


@pytest.mark.parametrize("way", ["PYTHONPATH", "the working folder", "prepend_sys_path"])
def test_an_application_keeps_its_modules_and_we_keep_ours(
    way: str, database: str, tmp_path: Path
) -> None:
    """Its env.py imports its own modules, and the run migrates and seeds all the same."""
    app = tmp_path / "app"
    write_modules(app)
    revisions = {"a1": "op.execute('CREATE TABLE things (slug text PRIMARY KEY)')"}
    ini = write_history(tmp_path, revisions, env=ENV)
    if way == "prepend_sys_path":
        ini.write_text(f"{ini.read_text(encoding='utf-8')}prepend_sys_path = {app}\n")
    (tmp_path / "things.json").write_text(json.dumps([{"slug": "goblin"}]), encoding="utf-8")
    manifest = (
        '[[dataset]]\nname = "things"\nsource = "things.json"\ntable = "things"\nkey = ["slug"]\n'
    )
    (tmp_path / "seeds.toml").write_text(manifest, encoding="utf-8")
    environ = {
        "DATABASE_URL": database,
        "ALEMBIC_CONFIG": str(ini),
        "SEED_MANIFEST": str(tmp_path / "seeds.toml"),
        "PYTHONPATH": f"{app}:{API}" if way == "PYTHONPATH" else str(API),
    }
    folder = app if way == "the working folder" else tmp_path
    program = Program(environ, folder)

    first = program.run()

    assert first.code == 0, first.said
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT slug FROM things").fetchall() == [("goblin",)]
    again = program.run()
    assert (again.code, again.names()) == (0, ["nothing to do"]), again.said
