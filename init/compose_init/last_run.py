"""The one query of an unchanged run: what the last complete run left, and where the schema is.

Light: `up_to_date` asks it before anything else is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

NOTHING = "nothing to do"
"""The outcome of an unchanged run."""

QUERY = """
SELECT (SELECT jsonb_object_agg(name, inputs) FROM compose_init.phase), compose_init.current_revisions()
"""


@dataclass(frozen=True)
class State:
    """The answer to the query.

    Attributes:
        inputs: of the last complete run, by phase.
        revisions: the revisions that the database is at.
    """

    inputs: Mapping[str, Any]
    revisions: tuple[str, ...]


def ask(connection: psycopg.Connection[Any]) -> State:
    """Ask the query.

    Raises:
        psycopg.Error: there is no ledger, or the role may not read it.
    """
    row = connection.execute(QUERY).fetchone()
    return State(row[0] or {}, tuple(row[1] or ())) if row else State({}, ())
