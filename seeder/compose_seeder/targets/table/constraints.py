"""The constraints of a table, from the catalog, and their violation in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import psycopg
from msgspec import Raw

from compose_seeder.errors import quote
from compose_seeder.postgres import Connection, statements

CHECK, FOREIGN, UNIQUE = "c", "f", "u"

NOT_NULL = psycopg.errors.NotNullViolation.sqlstate

DEFINITION = 300
"""How many characters of a constraint's definition a message quotes."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint of a table, or a unique index.

    Attributes:
        kind: of the catalog: c(heck), f(oreign key), u(nique), x (exclusion).
        columns: that it is about; empty where it is about expressions.
        definition: as SQL.
        expression: of a CHECK.
        table: that a foreign key refers to, quoted.
        referred: its columns there.
        is_visible: whether the role can tell beforehand that a row breaks it.
    """

    name: str
    kind: Literal["c", "f", "u", "x"]
    columns: tuple[str, ...]
    definition: str
    expression: str | None
    table: str | None
    referred: tuple[str, ...]
    is_visible: bool

    def problem(self, document: Mapping[str, Raw], secrets: Iterable[str]) -> str:
        """Return what is wrong with a record that breaks it; no values where one of them is secret."""
        secret = set(secrets) & set(self.columns)
        found = "a value that is secret" if secret else found_in(document, self.columns)
        if self.kind == FOREIGN:
            where = f"{self.table} ({', '.join(self.referred)})"
            return (
                f"refers to {where}, where no row has {found} (foreign key {self.name}): correct it, or seed that"
                " row first"
            )
        if self.kind == UNIQUE:
            if not self.columns:
                return f"must be unique, by {quote(self.definition, DEFINITION)}"
            return f"must be unique ({self.name}), and another row has {found} already"
        constraint = quote(self.definition, DEFINITION)
        if self.kind == CHECK:
            return f"breaks {constraint} (constraint {self.name}); found {found}"
        return f"conflicts with another row by {constraint} (constraint {self.name}); found {found}"


EMPTY_IN_CSV = (
    'an empty value of a CSV file is null, with quotes too (""); csv.null and csv.quoted_empty change that, and'
    " a JSON file can hold an empty text"
)


def found_in(document: Mapping[str, Raw], columns: Iterable[str]) -> str:
    """Return the values of some fields, for a message; those that a record does not name are left out."""
    named = [(name, quote(bytes(document[name]).decode())) for name in columns if name in document]
    return ", ".join(f"{name} {value}" for name, value in named) or "no value"


def null_problem(column: str, document: Mapping[str, Raw], *, is_text: bool) -> str:
    """Return what is wrong with a record that leaves a NOT NULL column without a value.

    Args:
        column: the column.
        document: the record's fields.
        is_text: the source is CSV, where null and an empty text are written alike.
    """
    if column not in document:
        hint = f"; {EMPTY_IN_CSV}" if is_text else ""
        return f"is missing: the column is NOT NULL and has no default{hint}"
    hint = f"; {EMPTY_IN_CSV}, and drop_null leaves it to the column's default" if is_text else ""
    return f"must not be null: the column is NOT NULL{hint}"


def find_constraints(connection: Connection, table: str) -> list[Constraint]:
    """Return the constraints of a table; `table` as `to_regclass` reads it."""
    rows = connection.execute(statements("constraints")["constraints"], {"table": table})
    return [
        Constraint(
            name, kind, tuple(columns), definition, expression, referred, tuple(there), visible
        )
        for name, kind, columns, definition, expression, referred, there, visible in rows
    ]


def not_null_columns(connection: Connection, table: str) -> dict[str, bool]:
    """Return the columns that are NOT NULL, and whether they have a default."""
    return dict(
        connection.execute(
            statements("constraints")["not_null_columns"], {"table": table}
        ).fetchall()
    )
