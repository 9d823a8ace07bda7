"""The named statements of `sql/*.sql`.

    -- name: record_applied
    INSERT INTO …;

The files hold SQL alone, with psycopg's `%(name)s` for values; what differs by dataset (columns,
types) is put in with `psycopg.sql` where it is used.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.abc import AdaptContext

Connection = psycopg.Connection[Any]


class Name(sql.Identifier):
    """A name from the catalog, in a statement that takes values: psycopg reads a single `%` as a placeholder."""

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """Quoted, with each `%` twice."""
        return super().as_bytes(context).replace(b"%", b"%%")


class Text(sql.Literal):
    """The same for a text."""

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """Quoted, with each `%` twice."""
        return super().as_bytes(context).replace(b"%", b"%%")


def as_is(text: str) -> sql.SQL:
    """SQL as the catalog writes it: a quoted name, a type, an expression."""
    return sql.SQL(text.replace("%", "%%"))


@cache
def statements(name: str) -> dict[str, LiteralString]:
    """All statements of `sql/NAME.sql`, by their names."""
    text = files("compose_seeder").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], cast("list[LiteralString]", parts[1::2]), strict=True))
