"""What the tests of `init` share: the example with its seeds on a database of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from examples.postgres import Server, free_port
from tests.support import forks
from tests.support.databases import Databases
from tests.support.postgres import CURRENT
from tests.support.programs import API, ROOT, Program

SEEDS = ROOT / "examples" / "dnd-helper" / "seeds"


@pytest.fixture
def program(database: str, tmp_path: Path) -> Program:
    """compose-init on an empty database, with nothing to migrate or seed."""
    return Program({"DATABASE_URL": database, "INIT_DATABASE_TIMEOUT": "20"}, tmp_path)


@pytest.fixture
def example(program: Program, tmp_path: Path) -> Program:
    """compose-init with the example's migrations, API and a copy of its seeds."""
    return with_the_example(program, tmp_path)


def with_the_example(program: Program, folder: Path) -> Program:
    """Return the program with the example, whose seeds are copied into the folder."""
    seeds = shutil.copytree(SEEDS, folder / "seeds")
    port = str(free_port())
    return program.with_(
        ALEMBIC_CONFIG=str(API / "alembic.ini"),
        SEED_MANIFEST=str(seeds / "seeds.toml"),
        API_COMMAND=forks.command("dnd_helper_api.main"),
        API_BASE_URL=f"http://127.0.0.1:{port}",
        API_HOST="127.0.0.1",
        API_PORT=port,
        PATH=f"{ROOT}/.venv/bin:/usr/bin:/bin",
    )


@pytest.fixture(scope="session")
def database_of_a_complete_run(
    servers: Callable[[str], Server],
    databases: Callable[[Server], Databases],
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Return the name of a database that a complete run of the example has left, to be copied."""
    server, folder = servers(CURRENT), tmp_path_factory.mktemp("complete")
    name = databases(server).take()
    run = with_the_example(Program({"DATABASE_URL": server.url(name)}, folder), folder).run()
    assert run.code == 0, run.said
    return name


@pytest.fixture
def seeded(
    example: Program,
    server: Server,
    databases: Callable[[Server], Databases],
    database_of_a_complete_run: str,
) -> Iterator[Program]:
    """Yield compose-init with the example after a complete run."""
    name = databases(server).take(database_of_a_complete_run)
    yield example.with_(DATABASE_URL=server.url(name))
    databases(server).give_back(name)
