"""Real histories of public projects: compose-init leaves what their own Alembic run leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.environments import Environment
from tests.support.schema_dump import at, dump

pytestmark = [pytest.mark.slow, pytest.mark.histories]

APPLICATIONS = Path(__file__).parent / "applications"

# What `optuna storage upgrade` does, without the tables that it would make from the models first.
OPTUNA = """
import os
from alembic import command
from optuna.storages._rdb.storage import _VersionManager
manager = _VersionManager.__new__(_VersionManager)
manager.url = os.environ["OPTUNA_URL"]
command.upgrade(manager._create_alembic_config(), "head")
"""


@dataclass(frozen=True)
class Project:
    """A project with a history.

    Attributes:
        name: of its requirements.
        config: its alembic.ini among the installed packages, or one that a user would write.
        versions: the folder with its revisions, among the installed packages.
        variable: what tells its own program where the database is.
        driver: and by which driver.
        own: the program that runs Alembic from an empty database, with its arguments.
        at_least: how many revisions there are, or more.
        heads: how many it ends at.
        env_in_package: its env.py runs another file, so only running it tells how often it migrates: each
            run asks it.
    """

    name: str
    config: str | Path
    versions: str
    variable: str
    driver: str
    own: tuple[str, ...]
    at_least: int
    heads: int = 1
    env_in_package: bool = False


PROJECTS = [
    Project(
        name="airflow",
        config="airflow/alembic.ini",
        versions="airflow/migrations/versions",
        variable="AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        driver="psycopg2",
        own=("airflow", "db", "migrate", "--use-migration-files"),
        at_least=120,
    ),
    Project(
        name="keystone",
        config=APPLICATIONS / "keystone" / "alembic.ini",
        versions="keystone/common/sql/migrations/versions",
        variable="OS_DATABASE__CONNECTION",
        driver="psycopg",
        own=("keystone-manage", "db_sync"),
        at_least=10,
        heads=2,
        env_in_package=True,
    ),
    Project(
        name="optuna",
        config="optuna/storages/_rdb/alembic.ini",
        versions="optuna/storages/_rdb/alembic/versions",
        variable="OPTUNA_URL",
        driver="psycopg",
        own=("python", "-c", OPTUNA),
        at_least=10,
    ),
    Project(
        name="prefect",
        config=APPLICATIONS / "prefect" / "alembic.ini",
        versions="prefect/server/database/_migrations/versions/postgresql",
        variable="PREFECT_API_DATABASE_CONNECTION_URL",
        driver="asyncpg",
        own=("prefect", "server", "database", "upgrade", "-y"),
        at_least=110,
        env_in_package=True,
    ),
]


def revisions(folder: Path) -> int:
    """How many files of a folder, and of those below it, have a revision."""
    named = re.compile(r"^revision\b[^=\n]*= *['\"]", re.MULTILINE)
    return sum(bool(named.search(path.read_text())) for path in folder.rglob("*.py"))


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_the_same_schema(
    project: Project,
    environment: Callable[[str], Environment],
    new_database: Callable[..., str],
) -> None:
    """Byte for byte, revision by revision, with nothing left to do for a second run."""
    there = environment(project.name)
    expected, found = new_database(), new_database()

    def address(database: str) -> dict[str, str]:
        named = database.replace("postgresql:", f"postgresql+{project.driver}:")
        return {project.variable: named}

    own = there.run(address(expected), *project.own)
    assert own.code == 0, own.said
    config = str(there.packages / project.config)
    environ = {**address(found), "DATABASE_URL": found, "ALEMBIC_CONFIG": config}
    run = there.init(environ, "--migrate-only")
    assert run.code == 0, run.said

    assert at(found) == at(expected)
    assert len(at(found)) == project.heads
    assert dump(found) == dump(expected)
    applied = run.names().count("revision applied")
    assert applied == revisions(there.packages / project.versions) >= project.at_least
    again = there.init(environ, "--migrate-only")
    expected_events = ["phase"] * project.env_in_package + ["nothing to do"]
    assert (again.code, again.names()) == (0, expected_events), again.said
