"""What the tests of `init` share: the example with its seeds on a database of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from examples.postgres import free_port
from tests.support.programs import API, ROOT, Program

SEEDS = ROOT / "examples" / "dnd-helper" / "seeds"


@pytest.fixture
def program(database: str, tmp_path: Path) -> Program:
    """compose-init on an empty database, with nothing to migrate or seed."""
    return Program({"DATABASE_URL": database, "INIT_DATABASE_TIMEOUT": "20"}, tmp_path)


@pytest.fixture
def example(program: Program, tmp_path: Path) -> Program:
    """compose-init with the example's migrations, API and a copy of its seeds."""
    seeds = shutil.copytree(SEEDS, tmp_path / "seeds")
    port = str(free_port())
    return program.with_(
        ALEMBIC_CONFIG=str(API / "alembic.ini"),
        SEED_MANIFEST=str(seeds / "seeds.toml"),
        API_COMMAND="python -m dnd_helper_api.main",
        API_BASE_URL=f"http://127.0.0.1:{port}",
        API_HOST="127.0.0.1",
        API_PORT=port,
        PATH=f"{ROOT}/.venv/bin:/usr/bin:/bin",
    )
