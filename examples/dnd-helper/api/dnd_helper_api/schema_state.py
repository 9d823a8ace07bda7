"""The state of the database's schema, compared with the schema that this code needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.script import ScriptDirectory
from psycopg.errors import UndefinedTable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

if TYPE_CHECKING:
    from sqlalchemy import Engine

MIGRATIONS = Path(__file__).parents[1] / "migrations"


@dataclass(frozen=True)
class Revisions:
    """The revisions that this code's migrations hold."""

    heads: frozenset[str]
    known: frozenset[str]


@dataclass(frozen=True)
class SchemaState:
    """A verdict: `status` is ok, behind, missing or unreachable; `reason` says why, or is empty."""

    status: str
    found: frozenset[str] = frozenset()
    reason: str = ""

    @property
    def serves(self) -> bool:
        """Return whether the API can answer requests."""
        return self.status == "ok"


def own_revisions(migrations: Path = MIGRATIONS) -> Revisions:
    """Read the files of the revisions; called once, at the start."""
    script = ScriptDirectory(str(migrations))
    known = frozenset(revision.revision for revision in script.walk_revisions())
    return Revisions(frozenset(script.get_heads()), known)


def judge(found: frozenset[str], own: Revisions) -> SchemaState:
    """Return the state that follows from the revisions found in the database."""
    if not found:
        return SchemaState("missing", reason="alembic_version is empty: run the migrations")
    if unknown := found - own.known:
        # Newer migrations have run before this older image was deployed again: a rollback must serve.
        return SchemaState("ok", found, f"schema is ahead: {_names(unknown)} is not known here")
    if found != own.heads:
        reason = f"schema is behind: found {_names(found)}, expected {_names(own.heads)}"
        return SchemaState("behind", found, reason)
    return SchemaState("ok", found)


def schema_state(engine: Engine, own: Revisions) -> SchemaState:
    """Read the revisions from the database and return the state of the schema."""
    try:
        with engine.connect() as connection:
            rows = connection.scalars(text("SELECT version_num FROM alembic_version"))
            return judge(frozenset(rows), own)
    except OperationalError as error:  # the message has a line for each address
        reason = str(error.orig).strip().splitlines()
        return SchemaState("unreachable", reason=f"database does not answer: {reason[0]}")
    except ProgrammingError as error:
        if not isinstance(error.orig, UndefinedTable):
            raise
        return SchemaState("missing", reason="there is no alembic_version: run the migrations")


def _names(revisions: frozenset[str]) -> str:
    return ", ".join(sorted(revisions))
