"""What the last complete run left, in the ledger: so that the next one knows that it may go home.

compose_init.phase   for migrate, roles and seed: the inputs of the last complete one, by fingerprint; and the
                     digest of the variables (`up_to_date`)
compose_init.run     runs that did something, with their reports
(`migrations.revision_ledger` reads the revisions, `compose_seeder.reconcile.ledger` what was seeded; the tables are
made and described in `compose_seeder/sql/ledger/schema.sql`)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from compose_init.database.connection import Connection
from compose_init.errors import CredentialsRefused
from compose_init.last_run import State, ask

RECORD_PHASE = """
INSERT INTO compose_init.phase (name, inputs) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET inputs = excluded.inputs, finished_at = clock_timestamp()
"""

# A phase is `seed` for all datasets, or `seed:NAME:NAME` for some.
FORGET_SEED = """
DELETE FROM compose_init.phase
WHERE name = 'seed' OR name LIKE 'seed:%%' AND %s = ANY ((string_to_array(name, ':'))[2:])
"""

FORGET_PHASE = "DELETE FROM compose_init.phase WHERE name = %s"

RECORD_RUN = """
INSERT INTO compose_init.run (started_at, version, outcome, exit_code, report) VALUES (%s, %s, %s, %s, %s)
"""


def read(connection: Connection) -> State | None:
    """Return the state, by one query; None where no complete run has recorded one."""
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
        return None  # the run itself will say what is missing


def forget_seed(connection: Connection, dataset: str) -> None:
    """Forget that seeding was complete where it held this dataset: it is about to change."""
    connection.execute(FORGET_SEED, [dataset])


def forget_phase(connection: Connection, name: str) -> None:
    """Forget that a phase was complete: what it looked at is about to change."""
    connection.execute(FORGET_PHASE, [name])


def record_phase(connection: Connection, name: str, inputs: Mapping[str, Any]) -> None:
    """Write that a phase is complete for these inputs."""
    connection.execute(RECORD_PHASE, [name, Jsonb(dict(inputs))])


def record_run(
    connection: Connection, started_at: float, version: str, report: Mapping[str, Any]
) -> None:
    """Write a run with its report; `started_at` in seconds since the epoch."""
    started = datetime.fromtimestamp(started_at, UTC)
    values = [started, version, report["outcome"], report["exit_code"], Jsonb(dict(report))]
    connection.execute(RECORD_RUN, values)


def datasets(connection: Connection) -> list[dict[str, Any]]:
    """When and how much of each dataset was last applied."""
    return _rows(
        connection,
        "SELECT name, target, records, applied_at::text FROM compose_init.dataset ORDER BY applied_at, name",
    )


def runs(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return the last runs, newest first."""
    return _rows(
        connection,
        "SELECT id, started_at::text, round(extract(epoch FROM finished_at - started_at), 2)::float AS seconds,"
        " version, outcome, exit_code FROM compose_init.run ORDER BY id DESC LIMIT %s",
        [limit],
    )


def _rows(
    connection: Connection, query: str, values: list[Any] | None = None
) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        try:
            return cursor.execute(query, values).fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return []
        except psycopg.errors.InsufficientPrivilege as error:
            raise CredentialsRefused(
                f"the ledger cannot be read: {error.diag.message_primary}; connect as the role that made it"
            ) from None
