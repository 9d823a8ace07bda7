"""What the ledger knows the application's tables and columns by: their oids and numbers, not their names.

    a backup was restored ─▶ found again by name, once ┐
    renamed, moved, replaced by a migration ───────────┼─▶ the ledger's names follow the catalog's
    dropped ───────────────────────────────────────────┴─▶ nothing was applied to what may have the name now

Everything else in the ledger speaks of columns by their names; so it is brought up to the catalog first.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from compose_seeder.postgres import Connection, statements


def is_bound(connection: Connection) -> bool:
    """Return whether the ledger's tables and columns are those of the catalog, by their present names.

    Args:
        connection: to a database that has a ledger of the present format.
    """
    texts = statements("binding")
    system = {"system": _system_identifier(connection)}
    if _value(connection, texts["is_restored"], system) is not False:
        return False
    return bool(_value(connection, texts["is_bound"]))


def bind(connection: Connection) -> None:
    """Bring the ledger's tables and columns up to the catalog; records of tables that are gone are forgotten.

    Args:
        connection: in a transaction, to a database that has a ledger of the present format.
    """
    texts = statements("binding")
    system = {"system": _system_identifier(connection)}
    if _value(connection, texts["is_restored"], system):
        _forget_targets(connection, "table_of_name")
        connection.execute(texts["find_tables_by_name"], {})
        connection.execute(texts["find_columns_by_name"], {})
    connection.execute(texts["follow_replaced_tables"], {})
    connection.execute(texts["follow_recreated_views"], {})
    connection.execute(texts["bind_datasets"], {})
    _forget_targets(connection, "table_of_oid")
    for name in (
        "rename_fields",
        "rename_columns",
        "compare_again",
        "forget_columns",
        "add_columns",
        "rename_tables",
    ):
        connection.execute(texts[name], {})
    connection.execute(texts["note_origin"], system)


def add_columns(connection: Connection) -> None:
    """Add the columns of tables that have just come into the ledger."""
    connection.execute(statements("binding")["add_columns"], {})


def _forget_targets(connection: Connection, table: str) -> None:
    texts = statements("binding")
    query = sql.SQL(texts["forget_targets"]).format(table=sql.SQL(texts[table]))
    connection.execute(query, {})


def _system_identifier(connection: Connection) -> int | None:
    """Return the cluster's identifier, which initdb makes; None where the role may not ask."""
    texts = statements("binding")
    if not _value(connection, texts["may_ask_system_identifier"]):
        return None
    return int(_value(connection, texts["system_identifier"]))


def _value(connection: Connection, query: Any, values: dict[str, Any] | None = None) -> Any:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None
