"""Ledgers as earlier versions left them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

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
