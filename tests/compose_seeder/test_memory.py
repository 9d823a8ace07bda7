"""Memory does not grow with what a file says that is new; the figures are in `make bench`."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.postgres import Server
from tests.bench import memory, million
from tests.bench.measure import fresh_database, prepared

RECORDS = 100_000
HALF = 100.0
"""Megabytes: half of what as many records took when they were lists of Python's."""


@pytest.mark.slow
def test_lines_that_are_added_are_not_kept_in_memory(server: Server, tmp_path: Path) -> None:
    """A hundred are there, and a hundred thousand come: 24 MB of text."""
    prepared(server, "items", million.DDL)
    small = memory.folder_of(tmp_path / "small", "ndjson", 100)
    large = memory.folder_of(tmp_path / "large", "ndjson", RECORDS)
    with fresh_database(server, "items") as address:
        assert memory.taken((address, small), (address, large)) < HALF
