"""The one query of an unchanged run: what the last complete run left, and where the schema is.

Light: `up_to_date` asks it before anything else is imported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

NOTHING = "nothing to do"
"""The outcome of an unchanged run."""

QUERY = """
SELECT p.version_table, jsonb_object_agg(p.name, p.inputs), compose_init.current_revisions(p.version_table),
  (SELECT array_agg(d.name) FROM compose_init.dataset d LEFT JOIN compose_init.target t ON t.id = d.target_id
   WHERE d.written_as IS NOT NULL AND t.oid IS DISTINCT FROM to_regclass(d.written_as)::oid)
FROM compose_init.phase p GROUP BY p.version_table
"""


@dataclass(frozen=True)
class State:
    """What the last complete run of one history left, and where that history is now.

    Attributes:
        version_table: of the history; "" where a run has none, or several.
        inputs: of the last complete run, by phase.
        revisions: the revisions that the database is at.
        replaced: the datasets whose table is not the one that was seeded: it is gone, or another one has its name.
    """

    version_table: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    revisions: tuple[str, ...] = ()
    replaced: frozenset[str] = frozenset()

    def has_tables_of(self, datasets: Collection[str]) -> bool:
        """Tell if the tables of some datasets are those that were seeded; of all datasets without names."""
        return not (self.replaced.intersection(datasets) if datasets else self.replaced)


BRIEFLY = "SET LOCAL lock_timeout = 2000;"
"""Milliseconds. Both statements are one query, and so one transaction."""


def ask(connection: psycopg.Connection[Any], *, briefly: bool = False) -> list[State]:
    """Ask the query; a database may have several histories.

    Args:
        connection: in autocommit.
        briefly: wait only for a moment where somebody has locked the ledger.

    Raises:
        psycopg.Error: there is no ledger, or it is locked, or the role may not read it.
    """
    rows = connection.execute(f"{BRIEFLY if briefly else ''}{QUERY}".encode())
    if briefly:
        rows.nextset()
    return [
        State(table, inputs, tuple(revisions or ()), frozenset(replaced or ()))
        for table, inputs, revisions, replaced in rows
    ]
