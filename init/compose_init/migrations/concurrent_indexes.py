"""`CREATE INDEX CONCURRENTLY` that can be run again: what a broken build left is cleared away first.

A build that was killed leaves an index that no query uses and every write pays for, under the name that
the next try wants. `IF NOT EXISTS` would take it for the real one.
"""

from __future__ import annotations

import re
import time
from logging import WARNING
from typing import Any

from compose_init.logs import event

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

# A partitioned index (relkind I) is not valid until all its parts are attached: that is no debris.
INVALID = """
SELECT n.nspname, c.relname,
  EXISTS (SELECT FROM pg_locks l WHERE l.relation = i.indrelid AND l.pid <> pg_backend_pid()
          AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i'
"""

BUILD_ENDS = 10.0
"""Seconds to wait for a build that still goes on: that of a killed run ends by itself within one."""


def clear(cursor: Any, statement: str) -> None:
    """Drop the INVALID index that a statement is about to create.

    Args:
        cursor: of the driver's, in autocommit.
        statement: about to be executed.
    """
    match = CREATE.match(statement)
    if match is None:
        return
    deadline = time.monotonic() + BUILD_ENDS
    while (found := _invalid(cursor, match["table"], match["index"])) is not None:
        schema, index, being_built = found
        if not being_built:
            event(
                "an earlier build of this index was broken off; what it left is dropped, and it is built anew",
                WARNING,
                index=index,
            )
            cursor.execute(f"DROP INDEX CONCURRENTLY {_quoted(schema)}.{_quoted(index)}")
            return
        if time.monotonic() > deadline:
            return  # another session's: PostgreSQL will say what is to be said
        time.sleep(0.1)


def invalid_indexes(connection: Any) -> list[str]:
    """Indexes that a broken build left, and that nobody is building now."""
    rows = connection.execute(INVALID).fetchall()
    return [
        f"{_quoted(schema)}.{_quoted(index)}" for schema, index, building in rows if not building
    ]


def _invalid(cursor: Any, table: str, index: str) -> tuple[str, str, bool] | None:
    name = index[1:-1].replace('""', '"') if index.startswith('"') else index.lower()
    cursor.execute(
        f"{INVALID} AND i.indrelid = to_regclass({_literal(table)}) AND c.relname = {_literal(name)}"
    )
    row = cursor.fetchone()
    return (row[0], row[1], row[2]) if row else None


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return (
        '"' + name.replace('"', '""') + '"' if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) else name
    )
