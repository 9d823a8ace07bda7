"""What the tests of the engine share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.seeder.seeds import Connection, Seeds


@pytest.fixture
def seeds(tmp_path: Path, connection: Connection) -> Seeds:
    """A folder for seeds, and an empty database."""
    return Seeds(tmp_path, connection)
