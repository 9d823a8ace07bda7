"""The application's tables and columns, as the catalog describes them, and how values are hashed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from hashlib import blake2b

from psycopg import sql

from compose_seeder.documents.cell_variables import CellSyntax
from compose_seeder.errors import did_you_mean
from compose_seeder.hashing import (
    COLLATED,
    COLLATED_ARRAY,
    FIELD_HASHES,
    KEY_HASHES,
    KEY_TEXTS,
    TEXT,
    TEXTS,
    VERSION,
    VERSION_1,
)
from compose_seeder.manifest.table_name import regclass
from compose_seeder.postgres import Connection, Name, as_is, statements
from compose_seeder.targets.table.nested_types import column_types, text_of

INTEGERS = {"int2", "int4", "int8"}

PLAIN_ARRAYS = {"_text", "_varchar", "_int2", "_int4", "_int8", "_bool", "_uuid", "_jsonb", "_date"}
"""The arrays of most tables: their text is the same in every session, and equal where they are."""

NOT_RENAMED: Mapping[str, str] = {}

VIEW = "v"
"""A view, as `pg_class.relkind` has it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the application's table, as the catalog describes it.

    Attributes:
        type: with its length or precision.
        base: the name of the type, or of the type that a domain is made of.
        category: of that type; `A` is an array, `C` a composite, `R` a range.
        collation: ` COLLATE …` where it calls texts equal that are not the same; else "".
        hashed_as: a name in the salt of its hashes, which stays when the column is renamed.
        nested: the SQL of the text of a nested value `{0}`, where its own text depends on the session; else "".
        nested_key: the same for a part of a key, where that is not its own text.
    """

    name: str
    type: str
    generated: bool
    base: str
    category: str
    collation: str = ""
    _: KW_ONLY
    hashed_as: str
    nested: str = ""
    nested_key: str = ""

    @property
    def definition(self) -> sql.SQL:
        """The type with the collation, for a value that is compared as those of the column are."""
        return as_is(self.type + self.collation)

    def hashed(
        self,
        alias: str,
        salt: int,
        text: str | None = None,
        *,
        key: bool = False,
        version: int = VERSION,
    ) -> sql.Composed:
        """Return the hash of its value, the same in every run, version and machine; 1 for null.

        Args:
            alias: of the row.
            salt: the ledger's. Each column makes its own of it, so that hashes of several may be put together by XOR.
            text: names a column with the value's text, where a statement has made it once.
            key: whether it is a part of a record's key.
            version: of the hashes, as `hashing.VERSION`.
        """
        value = Name(alias, self.name)
        made = Name(alias, text) if text else sql.SQL("{}::text").format(value)
        own = blake2b(self.hashed_as.encode(), digest_size=8).digest()
        salted = sql.Literal(salt ^ int.from_bytes(own, "big", signed=True))
        expression = sql.SQL("coalesce(" + self._hash(key=key, version=version) + ", 1)")
        return expression.format(value, salted, made, as_is(self.collation))

    def _hash(self, *, key: bool, version: int) -> str:
        if version == 1 and self.base in VERSION_1:
            return VERSION_1[self.base]
        own = (KEY_HASHES if key else FIELD_HASHES).get(self.base)
        if own:
            return own
        nested = self.nested_key if key else self.nested
        if nested and version == VERSION:
            return TEXT.replace("{0}", f"({nested})")
        if key and version > 1 and self.collation:
            return COLLATED_ARRAY if self.category == "A" else COLLATED
        return TEXT

    def is_hashed_like(self, other: Column, *, key: bool) -> bool:
        """Return whether a value that both columns can have has the same hash in both."""
        if self.hashed_as != other.hashed_as or (key and self.collation != other.collation):
            return False
        if {self.base, other.base} <= INTEGERS:
            return True
        return self._hash(key=key, version=VERSION) == other._hash(key=key, version=VERSION)

    def is_hashed_as_before(self, version: int, *, key: bool) -> bool:
        """Return whether the hashes of a version are those of today."""
        return self._hash(key=key, version=version) == self._hash(key=key, version=VERSION)


def columns(
    connection: Connection, table: str, hashed_as: Mapping[str, str] = NOT_RENAMED
) -> dict[str, Column]:
    """Return the columns of a table, by name; empty where there is no such table.

    Args:
        connection: to the application's database.
        table: as a manifest names it.
        hashed_as: by column, the name that its hashes have where it is another one (`Ledger.hashed_as`).
    """
    name = regclass(table)
    rows = connection.execute(statements("table")["columns"], {"table": name})
    found = {row[0]: Column(*row, hashed_as=hashed_as.get(row[0], row[0])) for row in rows}
    if all(_has_known_text(column) for column in found.values()):
        return found
    types = column_types(connection, name)
    return {
        each: replace(
            column, nested=text_of(types[each], TEXTS), nested_key=text_of(types[each], KEY_TEXTS)
        )
        for each, column in found.items()
    }


def _has_known_text(column: Column) -> bool:
    """Return whether it is certain that the text of a column's values is that of no nested type."""
    return column.category not in "ACR" or column.base in PLAIN_ARRAYS


def cell_syntaxes(columns: Mapping[str, Column]) -> dict[str, CellSyntax]:
    """Return the columns whose values have a structure in their text, such as JSON and arrays."""
    found: dict[str, CellSyntax] = {}
    for name, column in columns.items():
        if column.base in {"json", "jsonb"}:
            found[name] = "json"
        elif column.category in "AC" or column.base == "hstore":
            found[name] = "literal"
    return found


def table_name(name: str) -> sql.SQL:
    """Return a table's name in a statement."""
    return as_is(regclass(name))  # quoted by regclass


def identifiers(alias: str | None, names: Sequence[str]) -> sql.Composed:
    """Return names of columns, each after the alias where there is one."""
    parts = ((alias, name) if alias else (name,) for name in names)
    return sql.SQL(", ").join(Name(*part) for part in parts)


def equal_columns(left: str, right: str, names: Sequence[str]) -> sql.Composed:
    """Return the condition that two rows have the same values in some columns."""
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(Name(left, name), Name(right, name)) for name in names
    )


def _in_manifest(table: str) -> str:
    """Return a table's name as a manifest has it."""
    return '"' + table.replace('"', '""') + '"' if {".", '"'} & set(table) else table


def is_view(connection: Connection, name: str) -> bool:
    """Return whether a name is a view's."""
    row = connection.execute(statements("table")["kind"], {"table": regclass(name)}).fetchone()
    return bool(row and row[0] == VIEW)


def why_no_table(connection: Connection, name: str) -> str:
    """Return why nothing is a table of this name."""
    row = connection.execute(statements("table")["kind"], {"table": regclass(name)}).fetchone()
    if row and row[0] == VIEW:
        return (
            f"{name} is a view that PostgreSQL cannot write to; name the table whose rows it shows, let the view show"
            " rows of one table alone, or give it INSTEAD OF triggers for INSERT and UPDATE"
        )
    if row and row[0]:
        return f"{name} is not a table; name the table whose rows it shows"
    rows = connection.execute(statements("table")["tables"]).fetchall()
    near = did_you_mean(name, [_in_manifest(str(row[0])) for row in rows])
    return f"there is no table {name}{near}; does a migration create it?"
