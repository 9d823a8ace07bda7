"""What the tests of histories share: the environments that they run in."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.support.environments import Environment, folder_of


@pytest.fixture(scope="session")
def folders() -> Callable[[str], Path]:
    """An environment's folder by name, installed when it is first asked for."""
    return cache(folder_of)


@pytest.fixture
def environment(folders: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Environment]:
    """An environment by name, with a home that is the test's own."""
    return lambda name: Environment(folders(name), tmp_path)
