"""What every test may ask for: a PostgreSQL for the session, and a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import psycopg
import pytest
from xdist.remote import Producer

from examples.postgres import Server
from tests.support.databases import Databases
from tests.support.postgres import CURRENT, running_server
from tests.support.scheduling import FileScheduling, begin_with_the_longest


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    """Distribute the tests by file, whatever `--dist` says."""
    config.option.loadscopereorder = False
    return FileScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest tests in a worker of xdist; elsewhere, keep the order of the files."""
    if hasattr(config, "workerinput"):
        begin_with_the_longest(items)


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], Server]]:
    """Yield a function from a major version to its server, started at the first call."""
    with ExitStack() as running:
        started: dict[str, Server] = {}

        def of(version: str) -> Server:
            if version not in started:
                started[version] = running.enter_context(running_server(version))
            return started[version]

        yield of


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    """Return a PostgreSQL 18; another version with `tests.support.postgres.every_version`."""
    return servers(getattr(request, "param", CURRENT))


@pytest.fixture(scope="session")
def databases() -> Callable[..., Databases]:
    """Return a function from a server to its databases, with or without a ledger."""

    @cache
    def of(server: Server, with_ledger: bool) -> Databases:
        return Databases(server, with_ledger=with_ledger)

    return lambda server, *, with_ledger=False: of(server, with_ledger)


@pytest.fixture
def new_database(
    server: Server, databases: Callable[..., Databases]
) -> Iterator[Callable[[], str]]:
    """Yield a function that returns the address of an empty database for the test."""
    taken: list[str] = []

    def take() -> str:
        taken.append(databases(server).take())
        return server.url(taken[-1])

    yield take
    for name in taken:
        databases(server).give_back(name)


@pytest.fixture
def database(new_database: Callable[..., str]) -> str:
    """Return the address of an empty database of the test's own."""
    return new_database()


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """Yield a connection to the test's database, in autocommit."""
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened
