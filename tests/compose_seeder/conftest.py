"""What the tests of the engine share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.endpoint_seeds import Through
from tests.support.seed_folder import Connection, Seeds
from tests.support.small_api import Api, serving


@pytest.fixture
def seeds(tmp_path: Path, connection: Connection) -> Seeds:
    """Return a folder for seeds, with an empty database."""
    return Seeds(tmp_path, connection)


@pytest.fixture
def api() -> Api:
    """Return a small API."""
    return Api()


@pytest.fixture
def client(api: Api) -> Iterator[httpx.Client]:
    """Yield a client of the small API."""
    with serving(api) as opened:
        yield opened


@pytest.fixture(scope="module")
def one_api() -> Iterator[tuple[Api, httpx.Client]]:
    """Yield one small API for all examples of a module, with a client of it."""
    kept = Api()
    with serving(kept) as opened:
        yield kept, opened


@pytest.fixture
def through(seeds: Seeds, client: httpx.Client) -> Through:
    """Seeds through it."""
    return Through(seeds, client)
