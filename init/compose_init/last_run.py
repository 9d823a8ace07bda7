"""The one query of an unchanged run: what the last complete run left, and where the schema is.

Light: `up_to_date` asks it before anything else is imported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

NOTHING = "nothing to do"
"""The outcome of an unchanged run."""

QUERY = """
SELECT (SELECT jsonb_object_agg(name, inputs) FROM compose_init.phase), compose_init.current_revisions(),
  (SELECT array_agg(d.name) FROM compose_init.dataset d LEFT JOIN compose_init.target t ON t.id = d.target_id
   WHERE d.written_as IS NOT NULL AND t.oid IS DISTINCT FROM to_regclass(d.written_as)::oid)
"""


@dataclass(frozen=True)
class State:
    """The answer to the query.

    Attributes:
        inputs: of the last complete run, by phase.
        revisions: the revisions that the database is at.
        replaced: the datasets whose table is not the one that was seeded: it is gone, or another one has its name.
    """

    inputs: Mapping[str, Any]
    revisions: tuple[str, ...]
    replaced: frozenset[str] = frozenset()

    def has_tables_of(self, datasets: Collection[str]) -> bool:
        """Tell if the tables of some datasets are those that were seeded; of all datasets without names."""
        return not (self.replaced.intersection(datasets) if datasets else self.replaced)


def ask(connection: psycopg.Connection[Any]) -> State:
    """Ask the query.

    Raises:
        psycopg.Error: there is no ledger, or the role may not read it.
    """
    row = connection.execute(QUERY).fetchone()
    if row is None:
        return State({}, ())
    inputs, revisions, replaced = row
    return State(inputs or {}, tuple(revisions or ()), frozenset(replaced or ()))
