"""Identity and serial sequences, which go on after explicit ids."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from compose_seeder.postgres import Connection, Name, statements
from compose_seeder.targets.table.expressions import Expressions


def advance_sequences(
    connection: Connection, expressions: Expressions, fields: Iterable[str]
) -> None:
    """Let identity and serial sequences go on after explicit ids."""
    for field in sorted(set(fields)):
        query = sql.SQL(statements("table")["advance_sequence"]).format(
            column=Name(field), table=expressions.identifier
        )
        found = connection.execute(
            statements("table")["sequence"], {"table": expressions.table, "column": field}
        ).fetchone()
        if found and found[0]:
            connection.execute(query, {"sequence": found[0]})
