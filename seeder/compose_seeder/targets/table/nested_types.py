"""Nested types: the text of a value as SQL, where its own text is not the same in every session.

    composite ─▶ ROW(field, …)      array ─▶ its bounds and elements      range ─▶ its ends

A `timestamptz` within a composite is written in the session's TimeZone. The bytes that PostgreSQL sends for the whole
would hold oids of types, which a restored backup has not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from psycopg import sql

from compose_seeder.postgres import Connection, statements

Kind = Literal["", "array", "composite", "domain", "multirange", "range"]

VALUE = "{0}"
"""Stands for the value in SQL."""

EACH = (
    "CASE WHEN {value} IS NOT NULL THEN (SELECT concat({bounds}, array_agg({text} ORDER BY {name}.place))"
    " FROM ({parts}) {name}) END"
)
"""The text of a value with several elements, by the `text` of one."""

PARTS = {
    "array": "SELECT unnest({0}) AS value, generate_series(1, cardinality({0})) AS place",
    "multirange": "SELECT value, value AS place FROM unnest({0}) AS value",
}
"""The elements of a value, in their order."""


@dataclass(frozen=True)
class NestedType:
    """A type, with the types within it.

    Attributes:
        name: of the type.
        kind: "" for a type that has no types within it.
        parts: the types within it, in their order; those of a composite with the names of its fields.
    """

    name: str
    kind: Kind = ""
    parts: Sequence[tuple[str, NestedType]] = ()

    def contains_any(self, texts: Mapping[str, str]) -> bool:
        """Return whether any of the types within it has one of `texts`."""
        if not self.kind:
            return self.name in texts
        return any(part.contains_any(texts) for _, part in self.parts)


def text_of(type_: NestedType, texts: Mapping[str, str]) -> str:
    """Return the SQL of the text of a nested value `{0}`; "" where its own text will do.

    Args:
        type_: of the value.
        texts: the SQL of texts by the names of types, for those whose own text will not do.
    """
    if type_.kind == "domain":
        return text_of(type_.parts[0][1], texts)
    return _text(type_, VALUE, texts) if type_.kind and type_.contains_any(texts) else ""


def _text(type_: NestedType, value: str, texts: Mapping[str, str], depth: int = 1) -> str:
    if not type_.contains_any(texts):
        return f"{value}::text"
    if not type_.kind:
        return texts[type_.name].replace(VALUE, value)
    if type_.kind == "composite":
        fields = [
            _text(part, f"({value}).{_quote(name)}", texts, depth) for name, part in type_.parts
        ]
        # IS NOT NULL would be false where one of the fields is null.
        return f"CASE WHEN {value} IS DISTINCT FROM NULL THEN ROW({', '.join(fields)})::text END"
    _, part = type_.parts[0]
    if type_.kind == "domain":
        return _text(part, value, texts, depth)
    if type_.kind == "range":
        flags = [f"{flag}({value})" for flag in ("isempty", "lower_inc", "upper_inc")]
        ends = [_text(part, f"{end}({value})", texts, depth) for end in ("lower", "upper")]
        return f"CASE WHEN {value} IS NOT NULL THEN ROW({', '.join(flags + ends)})::text END"
    name = f"nested_{depth}"
    return EACH.format(
        value=value,
        bounds=f"array_dims({value})" if type_.kind == "array" else "''",
        text=_text(part, f"{name}.value", texts, depth + 1),
        name=name,
        parts=PARTS[type_.kind].format(value),
    )


def column_types(connection: Connection, table: str) -> dict[str, NestedType]:
    """Return the types of a table's columns, by the columns' names.

    Args:
        connection: to the application's database.
        table: as `to_regclass` reads it.
    """
    texts = statements("nested_types")
    query = sql.SQL(texts["parts"]).format(parts_of_type=sql.SQL(texts["parts_of_type"]))
    rows = connection.execute(query, {"table": table}).fetchall()
    described = {oid: list(parts) for oid, parts in groupby(rows, key=lambda row: row[0])}
    return dict(_type(rows[0][0], described).parts) if rows else {}


def _type(oid: int, described: Mapping[int, Sequence[Any]]) -> NestedType:
    rows = described[oid]
    _, name, kind, *_ = rows[0]
    return NestedType(
        name, kind, tuple((field, _type(part, described)) for *_, field, part in rows if part)
    )


def _quote(name: str) -> str:
    """Return a name in SQL that is formatted once, and then takes values."""
    quoted = '"' + name.replace('"', '""') + '"'
    return quoted.replace("{", "{{").replace("}", "}}").replace("%", "%%")
