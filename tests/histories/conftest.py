"""What the tests of histories share: the environments that they run in."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.support.environments import Environment, folder_of


@pytest.fixture(scope="session")
def folders() -> Callable[[str], Path]:
    """Return a function from an environment's name to its folder, installed at the first call."""
    return cache(folder_of)


@pytest.fixture
def environment(folders: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Environment]:
    """Return a function from a name to an environment with a home of the test's own."""
    return lambda name: Environment(folders(name), tmp_path)
