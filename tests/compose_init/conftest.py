"""What the tests of `init` share: the example with its seeds on a database of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import cache
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
def left_by(
    servers: Callable[[str], Server],
    databases: Callable[..., Databases],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., str]:
    """Return a function from words to the name of a database that a run of the example with them has left."""

    @cache
    def run_example(*words: str) -> str:
        server, folder = servers(CURRENT), tmp_path_factory.mktemp("left")
        name = databases(server).take()
        program = Program({"DATABASE_URL": server.url(name)}, folder)
        run = with_the_example(program, folder).run(*words)
        assert run.code == 0, run.said
        return name

    return run_example


@pytest.fixture
def copied(
    example: Program,
    server: Server,
    databases: Callable[..., Databases],
    left_by: Callable[..., str],
) -> Iterator[Callable[..., Program]]:
    """Yield a function that returns compose-init with the example, after a run with these words."""
    taken: list[str] = []

    def copy(*words: str) -> Program:
        taken.append(databases(server).take(left_by(*words)))
        return example.with_(DATABASE_URL=server.url(taken[-1]))

    yield copy
    for name in taken:
        databases(server).give_back(name)


@pytest.fixture
def migrated(copied: Callable[..., Program]) -> Program:
    """Return compose-init with the example at head, without seeds."""
    return copied("--migrate-only")


@pytest.fixture
def seeded(copied: Callable[..., Program]) -> Program:
    """Return compose-init with the example after a complete run."""
    return copied()
