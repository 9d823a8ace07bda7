"""What the tests of targets share: a ledger that knows of no seeds, as the migrations of a run have left it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from examples.postgres import Server
from tests.support.databases import Databases


@pytest.fixture
def database(server: Server, databases: Callable[..., Databases]) -> Iterator[str]:
    """Yield the address of a database of the test's own, with a ledger."""
    name = databases(server, with_ledger=True).take()
    yield server.url(name)
    databases(server, with_ledger=True).give_back(name)
