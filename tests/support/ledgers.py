"""Ledgers as earlier versions left them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

SEEDED = (
    *("phase", "dataset", "target", "target_column", "record", "intent", "source"),
    *("before_migration", "edit_before_migration"),
)
"""The tables of the present format that seeding and migrating write to, without those of runs and revisions."""

SEEDING_ALONE = ("format", "dataset", "record", "intent", "source")
"""The tables of format 4 that seeding made."""


def restore(connection: psycopg.Connection[Any], number: int) -> None:
    """Make the schema `compose_init` what a dump holds, and the table that its dataset `places` fills."""
    connection.execute(b"CREATE TABLE IF NOT EXISTS places (slug text, name text)")
    connection.execute(b"SET check_function_bodies = off")  # as pg_dump does
    connection.execute(DUMPS[number].encode())


def forget_seeds(connection: psycopg.Connection[Any]) -> None:
    """Let a ledger be as it is before the first seed, where there is one; faster than to make a new one."""
    row = connection.execute("SELECT to_regclass('compose_init.format')").fetchone()
    if row and row[0]:
        connection.execute("".join(f"DELETE FROM compose_init.{name};" for name in SEEDED))


@contextmanager
def hashes_of_version(number: int) -> Iterator[None]:
    """Let what is seeded meanwhile get hashes of an earlier version."""
    today = Column._hash

    def made_then(self: Column, *, key: bool, version: int) -> str:
        del version
        return today(self, key=key, version=number)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Column, "_hash", made_then)
        patched.setattr(ledger, "VERSION", number)
        yield
