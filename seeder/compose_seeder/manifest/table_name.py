"""Names of tables, as a manifest writes them."""

from __future__ import annotations

import re

NAME_PART = re.compile(r'"(?:[^"]|"")+"|[^".]+')

TABLE_NAME = re.compile(rf"(?:{NAME_PART.pattern})(?:\.(?:{NAME_PART.pattern}))?")
"""`table` or `schema.table`; double quotes around a name that has a dot or a quote in it."""


def regclass(table: str) -> str:
    """Return a table's name, `schema.table` or `table`, as `to_regclass` reads it to the letter."""
    return ".".join(
        part if part.startswith('"') else f'"{part}"' for part in NAME_PART.findall(table)
    )
