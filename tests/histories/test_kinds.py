"""Real histories of four kinds: migrated by their own command and by compose-init; run again; and rolled back.

A Flask-Migrate application with an app factory; a history beside that of its host, in a version table of its own; a
package whose env.py asks its own settings; six sections of one alembic.ini, with equal ids.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support.environments import Environment
from tests.support.programs import Finished
from tests.support.schema_dump import dump

pytestmark = [pytest.mark.slow, pytest.mark.histories]

AHEAD = "the database is ahead of this image"


def fittrackee(database: str) -> dict[str, str]:
    """Return what it is told; its own env.py takes no password with a percent sign."""
    parts = urlsplit(database)
    with (
        suppress(
            psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation
        ),  # of two runs at once
        psycopg.connect(database, autocommit=True) as connection,
    ):
        connection.execute("CREATE ROLE plain SUPERUSER LOGIN PASSWORD 'plain'")
    return {
        "DATABASE_URL": f"postgresql://plain:plain@{parts.hostname}:{parts.port}{parts.path}",
        "FLASK_APP": "fittrackee:create_app()",
        "APP_SECRET_KEY": "a key of the test",
        "UI_URL": "http://localhost",
    }


def fractal(database: str) -> dict[str, str]:
    """Return what it is told: the parts of the address."""
    parts = urlsplit(database)
    return {
        "DATABASE_URL": database,
        "JWT_SECRET_KEY": "a key of the test",
        "POSTGRES_HOST": str(parts.hostname),
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": str(parts.username),
        "POSTGRES_PASSWORD": str(psycopg.conninfo.conninfo_to_dict(database)["password"]),
        "POSTGRES_DB": parts.path[1:],
    }


def airflow(database: str) -> dict[str, str]:
    """Return what its host is told."""
    named = database.replace("postgresql:", "postgresql+psycopg2:")
    return {"DATABASE_URL": database, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": named}


def skypilot(database: str) -> dict[str, str]:
    """Return what the test's program is told; its env.py takes the address of compose-init."""
    return {"DATABASE_URL": database}


FAB = """
from airflow import settings
from alembic import command
from airflow.providers.fab.auth_manager.models.db import FABDBManager
settings.configure_orm()
command.upgrade(FABDBManager(settings.Session()).get_alembic_config(), "heads")
"""

SKYPILOT = """
import os, sys
from sqlalchemy import create_engine
from sky.utils.db import migration_utils
engine = create_engine(os.environ["DATABASE_URL"])
for section in sys.argv[1:]:
    command = migration_utils.alembic_command
    command.upgrade(migration_utils.get_alembic_config(engine, section), "head")
"""

SECTIONS = ("state_db", "spot_jobs_db", "serve_db", "sky_config_db", "kv_cache_db", "recipes_db")


@dataclass(frozen=True)
class Kind:
    """A history that a package brings.

    Attributes:
        name: of its requirements.
        root: the folder of its alembic.ini, env.py and revisions, among the installed packages.
        config: the alembic.ini in it.
        environ: what its own program and env.py are told, of a database.
        own: the program that migrates an empty database, with its arguments.
        at_least: how many revisions there are, or more.
        sections: of the alembic.ini, each a history.
        parts: what of the folder makes the history; all of it where this is empty.
    """

    name: str
    root: str
    config: str
    environ: Callable[[str], dict[str, str]]
    own: tuple[str, ...]
    at_least: int
    sections: tuple[str, ...] = ("alembic",)
    parts: tuple[str, ...] = field(default=())


KINDS = [
    Kind(
        "fittrackee",
        "fittrackee/migrations",
        "alembic.ini",
        fittrackee,
        ("ftcli", "db", "upgrade"),
        45,
    ),
    Kind(
        "airflow-fab",
        "airflow/providers/fab",
        "alembic.ini",
        airflow,
        ("python", "-c", FAB),
        2,
        parts=("alembic.ini", "migrations"),
    ),
    Kind(
        "fractal",
        "fractal_server",
        "alembic.ini",
        fractal,
        ("fractalctl", "set-db"),
        50,
        parts=("alembic.ini", "migrations"),
    ),
    Kind(
        "skypilot",
        "sky",
        "setup_files/alembic.ini",
        skypilot,
        ("python", "-c", SKYPILOT, *SECTIONS),
        50,
        sections=SECTIONS,
        parts=("setup_files/alembic.ini", "schemas/db"),
    ),
]


def migrate(
    there: Environment, kind: Kind, root: Path, database: str, *words: str
) -> list[Finished]:
    """Run compose-init for each section, and expect success."""
    environ = {**kind.environ(database), "ALEMBIC_CONFIG": str(root / kind.config)}
    runs = []
    for section in kind.sections:
        runs.append(there.init({**environ, "ALEMBIC_SECTION": section}, "--migrate-only", *words))
        assert runs[-1].code == 0, runs[-1].said
    return runs


def older(kind: Kind, root: Path, folder: Path, newest: list[str]) -> Path:
    """Copy the history without its newest revisions."""
    for part in kind.parts or (".",):
        copy = folder / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (root / part).is_dir() else shutil.copy)(root / part, copy)
    for name in newest:
        next(folder.rglob(name)).unlink()
    return folder


def migrations(run: Finished) -> list[dict[str, str]]:
    """Return what a run applied, of its report."""
    return list(json.loads(run.out)["migrations"])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_as_its_own_command(
    kind: Kind,
    environment: Callable[[str], Environment],
    new_database: Callable[..., str],
    tmp_path: Path,
) -> None:
    """Byte for byte the same schema; nothing to do after that; and ahead without the newest revision."""
    there = environment(kind.name)
    root = there.packages / kind.root
    expected, found = new_database(), new_database()
    with ThreadPoolExecutor(2) as pool:
        own = pool.submit(there.run, kind.environ(expected), *kind.own)
        ours = pool.submit(migrate, there, kind, root, found, "--output", "json")
    assert own.result().code == 0, own.result().said
    applied = [migrations(run) for run in ours.result()]
    assert sum(map(len, applied)) >= kind.at_least
    assert dump(found) == dump(expected)
    for run in migrate(there, kind, root, found):
        assert run.names() == ["nothing to do"], run.said
    files = [revisions[-1]["file"] for revisions in applied if len(revisions) > 1]
    for run, revisions in zip(
        migrate(there, kind, older(kind, root, tmp_path / "older", files), found),
        applied,
        strict=True,
    ):
        assert (AHEAD in run.said) == (len(revisions) > 1), run.said
    assert dump(found) == dump(expected)
