"""The application's role in the database, read from the catalog and checked.

    the catalog ─▶ Role, schemas, relations, memberships ─▶ faults, each with the SQL that fixes it

An administrator creates the role (`deploy/roles.sh`). init checks it after migrating, because the privileges on a
table can be seen only when a revision has created the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from compose_init.database.connection import Connection
from compose_init.database.role_comparison import (
    Fault,
    Membership,
    Relation,
    Role,
    Schema,
    compare,
)
from compose_init.errors import CredentialsRefused
from compose_seeder.postgres import statements


def check(connection: Connection, role: str) -> None:
    """Check that the role has the privileges that it needs, and no others; fix what a run can fix.

    Raises:
        CredentialsRefused: with every fault, and the SQL that fixes it.
    """
    for fault in (found := faults(connection, role)):
        if fault.fixed_by_run:
            with suppress(psycopg.errors.InsufficientPrivilege):  # then the fault is reported
                connection.execute(fault.fix.encode())
    if any(fault.fixed_by_run for fault in found):
        found = faults(connection, role)
    if found:
        head = (
            f"the application's role {role} (INIT_APPLICATION_ROLE) has missing or excessive rights in database"
            f" {connection.info.dbname}; run roles.sh or this SQL as the owner, then run again:"
        )
        raise CredentialsRefused("\n".join([head, *(f"  it {fault}" for fault in found)]))


def faults(connection: Connection, role: str) -> tuple[Fault, ...]:
    """Return all faults of a role; change nothing."""
    row = next(_read(connection, "role", role), None)
    if row is None:
        return (_missing(connection, role),)
    return tuple(
        compare(
            Role(*row),
            [Schema(*each) for each in _read(connection, "schemas", role)],
            [Relation(*each) for each in _read(connection, "relations", role)],
            [Membership(*each) for each in _read(connection, "memberships", role)],
        )
    )


def _read(connection: Connection, query: str, role: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a statement of `application_role.sql`."""
    texts = statements("application_role", "compose_init")
    schemas = sql.SQL(texts["application_schemas"])
    relations = sql.SQL(texts["application_relations"]).format(application_schemas=schemas)
    composed = sql.SQL(texts[query]).format(
        application_schemas=schemas, application_relations=relations
    )
    yield from connection.execute(composed, {"role": role})


def _missing(connection: Connection, role: str) -> Fault:
    name = sql.Identifier(role).as_string(connection)
    return Fault(
        "does not exist", f"CREATE ROLE {name} LOGIN PASSWORD '…'; and the rights it needs"
    )
