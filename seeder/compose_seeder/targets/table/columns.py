"""The application's tables and columns, as the catalog describes them, and how values are hashed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from hashlib import blake2b

from psycopg import sql

from compose_seeder.documents.cell_variables import CellSyntax
from compose_seeder.errors import did_you_mean
from compose_seeder.hashing import FIELD_HASHES, KEY_HASHES, TEXT
from compose_seeder.manifest.table_name import regclass
from compose_seeder.postgres import Connection, Name, as_is, statements

NOT_RENAMED: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the application's table, as the catalog describes it.

    Attributes:
        hashed_as: a name in the salt of its hashes, which stays when the column is renamed.
    """

    name: str
    type: str
    generated: bool
    base: str
    category: str
    _: KW_ONLY
    hashed_as: str

    def hashed(
        self, alias: str, salt: int, text: str | None = None, *, key: bool = False
    ) -> sql.Composed:
        """Return the hash of its value, the same in every run, version and machine; 1 for null.

        Args:
            alias: of the row.
            salt: the ledger's. Each column makes its own of it, so that hashes of several may be put together by XOR.
            text: names a column with the value's text, where a statement has made it once.
            key: whether it is a part of a record's key.
        """
        expression = (KEY_HASHES if key else FIELD_HASHES).get(self.base, TEXT)
        value = Name(alias, self.name)
        made = Name(alias, text) if text else sql.SQL("{}::text").format(value)
        own = blake2b(self.hashed_as.encode(), digest_size=8).digest()
        salted = sql.Literal(salt ^ int.from_bytes(own, "big", signed=True))
        return sql.SQL("coalesce(" + expression + ", 1)").format(value, salted, made)


def columns(
    connection: Connection, table: str, hashed_as: Mapping[str, str] = NOT_RENAMED
) -> dict[str, Column]:
    """Return the columns of a table, by name; empty where there is no such table.

    Args:
        connection: to the application's database.
        table: as a manifest names it.
        hashed_as: by column, the name that its hashes have where it is another one (`Ledger.hashed_as`).
    """
    rows = connection.execute(statements("table")["columns"], {"table": regclass(table)})
    return {row[0]: Column(*row, hashed_as=hashed_as.get(row[0], row[0])) for row in rows}


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


def why_no_table(connection: Connection, name: str) -> str:
    """Return why nothing is a table of this name."""
    row = connection.execute(statements("table")["kind"], {"table": regclass(name)}).fetchone()
    if row and row[0]:
        return f"{name} is not a table; name the table whose rows it shows"
    rows = connection.execute(statements("table")["tables"]).fetchall()
    near = did_you_mean(name, [_in_manifest(str(row[0])) for row in rows])
    return f"there is no table {name}{near}; does a migration create it?"
