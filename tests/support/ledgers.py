"""Ledgers as earlier versions left them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from compose_seeder.reconcile import ledger
from compose_seeder.targets.table.columns import Column

FOLDER = Path(__file__).parents[1] / "compose_seeder" / "reconcile" / "ledgers"

DUMPS = {
    int(path.stem.removeprefix("format_")): path.read_text(encoding="utf-8")
    for path in sorted(FOLDER.glob("format_*.sql"))
}
"""The SQL of a dump by its format."""

SEEDING_ALONE = ("format", "dataset", "record", "intent", "source")
"""The tables of format 4 that seeding made."""


def restore(connection: psycopg.Connection[Any], number: int) -> None:
    """Make the schema `compose_init` what a dump holds, and the table that its dataset `places` fills."""
    connection.execute(b"CREATE TABLE IF NOT EXISTS places (slug text, name text)")
    connection.execute(b"SET check_function_bodies = off")  # as pg_dump does
    connection.execute(DUMPS[number].encode())


@contextmanager
def hashes_of_version_1() -> Iterator[None]:
    """Let what is seeded meanwhile get hashes of version 1."""
    today = Column._hash

    def made_then(self: Column, *, key: bool, version: int) -> LiteralString:
        del version
        return today(self, key=key, version=1)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Column, "_hash", made_then)
        patched.setattr(ledger, "VERSION", 1)
        yield
