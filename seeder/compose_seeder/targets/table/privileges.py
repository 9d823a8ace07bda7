"""What the role may do with a table: which privilege it lacks, and what row-level security keeps from it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg

from compose_seeder.postgres import Connection, statements, words_of

NEEDED = ("SELECT", "INSERT", "UPDATE")
"""The privileges that seeding a table needs."""

SEQUENCE = re.compile(r"permission denied for sequence (\S+)")


def explain_denial(
    connection: Connection,
    table: str | None,
    error: psycopg.Error,
    needed: Sequence[str] = NEEDED,
    *,
    has_secrets: bool,
) -> str:
    """Return the privileges that a role lacks, and the GRANT that gives them, after PostgreSQL's own words.

    Args:
        connection: to the application's database.
        table: the table's name, as `to_regclass` reads it; None for an endpoint.
        error: what PostgreSQL answered.
        needed: the privileges.
        has_secrets: as in `postgres.words_of`.
    """
    said = str(error.diag.message_primary or error)
    if has_secrets:
        said = words_of(error, has_secrets=True)
    if found := SEQUENCE.fullmatch(said):
        return f"{said}: GRANT USAGE, UPDATE ON SEQUENCE {found[1]} to the role"
    values = {"table": table, "needed": list(needed)}
    try:
        with connection.transaction():
            row = connection.execute(
                statements("privileges")["missing_privileges"], values
            ).fetchone()
    except psycopg.Error:
        row = None
    if row is None or not row[1]:
        return f"{said}; GRANT the role what is missing"
    role, rights = row[0], ", ".join(row[1])
    return f"{said}; the role {role} lacks {rights}: GRANT {rights} ON {table} TO {role}"


def explain_hidden_rows(connection: Connection, table: str, key: Sequence[str]) -> str | None:
    """Return why a record may be there without being seen; None where nothing hides rows, or its write would fail."""
    values = {"table": table, "key": list(key)}
    row = connection.execute(statements("privileges")["hiding_policies"], values).fetchone()
    if row is None:
        return None
    role, policies = row
    return (
        f"row-level security may hide rows from the role {role} (policies: {policies}), and no unique index"
        f" on the key would tell, so that a record could come to be there twice: seed as the table's owner, ALTER ROLE"
        f" {role} BYPASSRLS, or give the key a unique index"
    )


def explain_row_security(connection: Connection, table: str) -> str | None:
    """Return why row-level security refuses a row; None where it is not that, but a privilege that is missing."""
    values = {"table": table, "needed": list(NEEDED)}
    row = connection.execute(statements("privileges")["missing_privileges"], values).fetchone()
    if row is None or row[1] or not row[2]:
        return None
    role, policies = row[0], row[3]
    return (
        f"row-level security does not let the role {role} write this row (policies: {policies}); seed as the"
        f" table's owner, ALTER ROLE {role} BYPASSRLS, or add a policy"
    )
