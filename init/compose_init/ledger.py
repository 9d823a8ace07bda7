"""What runs leave in the ledger, so that the next run knows what is complete.

compose_init.phase   the inputs of the last complete migrate, roles and seed, by fingerprint; and the digest of the
                     variables (`up_to_date`)
compose_init.run     runs that did something, with their reports

`migrations.revision_ledger` reads the revisions, `compose_seeder.reconcile.ledger` what was seeded.
`compose_seeder/sql/ledger/schema.sql` creates and describes the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from compose_init.database.connection import Connection
from compose_init.errors import CredentialsRefused
from compose_init.last_run import State, ask
from compose_seeder.postgres import jsonb, statements, storable
from compose_seeder.reconcile.ledger_schema import describe_owner


def read(connection: Connection) -> list[State] | None:
    """Return the state of each history, by one query; None if there is no ledger that can be read."""
    try:
        return ask(connection)
    except (
        psycopg.errors.UndefinedTable,
        psycopg.errors.UndefinedFunction,
        psycopg.errors.InvalidSchemaName,
        psycopg.errors.UndefinedColumn,
    ):
        return None
    except psycopg.errors.InsufficientPrivilege:
        return None  # the run itself reports the missing privilege


def forget_seed(connection: Connection, dataset: str) -> None:
    """Forget each complete seeding that includes a dataset, because the dataset is about to change."""
    _execute(connection, "forget_seed", dataset=dataset)


def forget_phase(connection: Connection, name: str) -> None:
    """Forget that a phase was complete, because what it read is about to change."""
    _execute(connection, "forget_phase", name=name)


def record_phase(
    connection: Connection, name: str, inputs: Mapping[str, Any], version_table: str = ""
) -> None:
    """Record that a phase is complete for these inputs.

    Args:
        connection: in autocommit.
        name: of the phase.
        inputs: the fingerprint of each input.
        version_table: of the history that the run migrates; "" where there is not exactly one.
    """
    values = {"name": name, "inputs": jsonb(dict(inputs)), "version_table": version_table}
    _execute(connection, "record_phase", **values)


def current_revisions(connection: Connection, version_table: str) -> list[str] | None:
    """Return the revisions in a version table, as an unchanged run will see them; None where it will see none."""
    query = statements("ledger", "compose_init")["current_revisions"]
    try:
        row = connection.execute(query, {"version_table": version_table}).fetchone()
    except psycopg.errors.UndefinedFunction:  # dropped by hand
        return None
    return row[0] if row else None


def record_run(
    connection: Connection, started_at: float, version: str, report: Mapping[str, Any]
) -> None:
    """Record a run with its report; `started_at` in seconds since the epoch."""
    _execute(
        connection,
        "record_run",
        started_at=datetime.fromtimestamp(started_at, UTC),
        version=version,
        outcome=report["outcome"],
        exit_code=report["exit_code"],
        report=jsonb(_storable(connection, dict(report))),
    )


def _storable(connection: Connection, value: Any) -> Any:
    """Return a document whose texts the database's encoding has."""
    if isinstance(value, str):
        return storable(connection, value)
    if isinstance(value, dict):
        return {key: _storable(connection, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(connection, item) for item in value]
    return value


def datasets(connection: Connection) -> list[dict[str, Any]]:
    """Return name, target, number of records and time of each dataset that was applied."""
    return _rows(connection, "datasets")


def installation(connection: Connection) -> str | None:
    """Return the id of the database's installation; None where no run has been in this database.

    A dump that is restored, into whatever database or cluster, is the same installation.
    """
    rows = _rows(connection, "installation")
    return rows[0]["id"] if rows else None


def runs(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return the last runs, newest first."""
    return _rows(connection, "runs", limit=limit)


def _execute(connection: Connection, statement: str, **values: Any) -> None:
    connection.execute(statements("ledger", "compose_init")[statement], values)


def _rows(connection: Connection, statement: str, **values: Any) -> list[dict[str, Any]]:
    """Return the rows of a query by their columns; none if there is no ledger.

    Raises:
        CredentialsRefused: the role may not read the ledger.
    """
    query = statements("ledger", "compose_init")[statement]
    with connection.cursor(row_factory=dict_row) as cursor:
        try:
            return cursor.execute(query, values).fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return []
        except psycopg.errors.InsufficientPrivilege as error:
            remedy = describe_owner(connection) or "connect as the role that created it"
            raise CredentialsRefused(
                f"the ledger cannot be read: {error.diag.message_primary}; {remedy}"
            ) from None
