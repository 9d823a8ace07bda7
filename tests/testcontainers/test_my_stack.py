"""How a project that uses compose-init tests its own stack with Testcontainers: copy and adapt.

PostgreSQL starts empty, the init image migrates and seeds it, and the test looks at the rows. Nothing
of this needs Compose. Where Ryuk's image cannot be pulled, set TESTCONTAINERS_RYUK_DISABLED=true.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from tests.support.docker import Images

pytestmark = pytest.mark.e2e

SEEDS = (
    Path(__file__).parents[2] / "examples" / "dnd-helper" / "seeds"
)  # your folder with seeds.toml
PASSWORD = "in a test, anything"

# Containers are removed by the `with` statements below, also without Ryuk.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")


@dataclass(frozen=True)
class Stack:
    """A migrated and seeded database, and what the runs of init said."""

    database: str
    first: tuple[int, str]
    second: tuple[int, str]


def run_init(image: str, network: Network, *arguments: str) -> tuple[int, str]:
    """Run the init container to its end; returns exit code and log."""
    container = (
        DockerContainer(image)
        .with_network(network)
        .with_env("POSTGRES_HOST", "postgres")
        .with_env("POSTGRES_DB", "app")
        .with_env("POSTGRES_USER", "app")
        .with_env("POSTGRES_PASSWORD", PASSWORD)
        # Only where datasets go through the API: init starts it, seeds, and stops it.
        .with_env("API_COMMAND", "python -m dnd_helper_api.main")
        .with_volume_mapping(str(SEEDS), "/seeds", "ro")
        .with_command(list(arguments))
    )
    with container:
        wrapped = container.get_wrapped_container()
        code = int(wrapped.wait(timeout=120)["StatusCode"])
        return code, wrapped.logs().decode()


@pytest.fixture(scope="module", name="my_stack")
def _my_stack(images: Images) -> Iterator[Stack]:
    image = images.init  # the name of your init image
    with (
        Network() as network,
        PostgresContainer(
            "postgres:16-alpine", username="app", password=PASSWORD, dbname="app", driver=None
        )
        .with_network(network)
        .with_network_aliases("postgres") as postgres,
    ):
        first = run_init(image, network)
        second = run_init(image, network)
        host, port = postgres.get_container_host_ip(), postgres.get_exposed_port(5432)
        address = f"host={host} port={port} dbname=app user=app password='{PASSWORD}'"
        yield Stack(address, first, second)


def test_init_succeeds(my_stack: Stack) -> None:
    """The container that gates my application exits 0 on an empty database."""
    code, log = my_stack.first
    assert code == 0, log


def test_my_seeds_are_there(my_stack: Stack) -> None:
    """What my application expects to find when it starts."""
    with psycopg.connect(my_stack.database) as connection:
        monsters = connection.execute("SELECT count(*) FROM monsters").fetchone()
        ogre = connection.execute("SELECT hp FROM monsters WHERE slug = 'ogre'").fetchone()
    assert monsters == (46,)
    assert ogre == (59,)


def test_the_next_start_does_nothing(my_stack: Stack) -> None:
    """`docker compose up -d` starts init every time."""
    code, log = my_stack.second
    assert (code, '"nothing to do"' in log) == (0, True)
