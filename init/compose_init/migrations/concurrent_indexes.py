"""`CREATE INDEX CONCURRENTLY` that can be run again: what a broken build left is dropped first.

A build that was killed leaves an index that no query uses and every write pays for, under the name that
the next try wants. `IF NOT EXISTS` would take it for the real one.
"""

from __future__ import annotations

import re
import time
from logging import WARNING
from typing import Any

from compose_init.logs import event
from compose_seeder.postgres import statements

NAME = r"(?:\"(?:[^\"]|\"\")+\"|[\w$]+)"
CREATE = re.compile(
    rf"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<index>{NAME})\s+"
    rf"ON\s+(?:ONLY\s+)?(?P<table>{NAME}(?:\.{NAME})?)",
    re.IGNORECASE,
)
CONCURRENTLY = re.compile(
    r"\s*(?:CREATE|DROP|REINDEX|REFRESH|ALTER)\b.*\bCONCURRENTLY\b", re.IGNORECASE | re.DOTALL
)
"""A statement that blocks nobody while it waits for its locks."""

BUILD_ENDS_SECONDS = 10.0
"""How long to wait for a build that still goes on: that of a killed run ends by itself within one second."""

POLL_SECONDS = 0.1


def drop_invalid_index(cursor: Any, statement: str) -> None:
    """Drop the INVALID index that a statement is about to create.

    Args:
        cursor: of the driver's, in autocommit.
        statement: about to be executed.
    """
    match = CREATE.match(statement)
    if match is None:
        return
    deadline = time.monotonic() + BUILD_ENDS_SECONDS
    while (found := _find_invalid(cursor, match["table"], match["index"])) is not None:
        schema, index, being_built = found
        if not being_built:
            event(
                "an earlier build of this index was interrupted; its remains are dropped, and it is built again",
                WARNING,
                index=index,
            )
            cursor.execute(f"DROP INDEX CONCURRENTLY {_quote(schema)}.{_quote(index)}")
            return
        if time.monotonic() > deadline:
            return  # another session's: PostgreSQL's own error names it
        time.sleep(POLL_SECONDS)


def invalid_indexes(connection: Any) -> list[str]:
    """Return the indexes that a broken build left, and that nobody is building now."""
    rows = connection.execute(_query("true")).fetchall()
    return [f"{_quote(schema)}.{_quote(index)}" for schema, index, building in rows if not building]


def _find_invalid(cursor: Any, table: str, index: str) -> tuple[str, str, bool] | None:
    name = index[1:-1].replace('""', '"') if index.startswith('"') else index.lower()
    cursor.execute(
        _query(f"i.indrelid = to_regclass({_literal(table)}) AND c.relname = {_literal(name)}")
    )
    row = cursor.fetchone()
    return (row[0], row[1], row[2]) if row else None


def _query(condition: str) -> str:
    return statements("migrations", "compose_init")["invalid_indexes"].format(condition=condition)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quote(name: str) -> str:
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return name
    return '"' + name.replace('"', '""') + '"'
