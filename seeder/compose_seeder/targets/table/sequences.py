"""Identity and serial sequences, which go on after explicit ids."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from compose_seeder.postgres import Connection, Name, as_is, statements
from compose_seeder.targets.table.expressions import Expressions

NUMBERS = {"int2", "int4", "int8", "numeric"}
"""Base types of columns whose values a sequence counts; a text may be made with a sequence's number as well."""


def advance_sequences(
    connection: Connection, expressions: Expressions, fields: Iterable[str]
) -> None:
    """Let identity and serial sequences go on after explicit ids.

    A sequence is moved in its own direction only. Ids after which it would have no next number do not move it.
    """
    for field in sorted(set(fields)):
        if expressions.columns[field].base in NUMBERS:
            _advance_sequence(connection, expressions, field)


def _advance_sequence(connection: Connection, expressions: Expressions, field: str) -> None:
    texts = statements("table")
    place = {"table": expressions.table, "column": field}
    table = connection.execute(texts["table_of_rows"], place).fetchone()
    if table is None:
        return
    found = connection.execute(texts["sequence"], place | {"table": table[0]}).fetchone()
    if found is None:
        return
    sequence, ascending, may_read, lowest, highest = found
    query = sql.SQL(texts["furthest_id"]).format(
        furthest=sql.SQL("max" if ascending else "min"),
        column=Name(field),
        table=as_is(table[0]),
    )
    furthest = connection.execute(query, {"lowest": lowest, "highest": highest}).fetchone()
    if furthest is None or furthest[0] is None:
        return
    state = texts["sequence_state" if may_read else "visible_sequence_state"]
    advance = sql.SQL(texts["advance_sequence"]).format(
        state=sql.SQL(state).format(sequence=as_is(sequence))
    )
    connection.execute(advance, {"sequence": sequence, "id": furthest[0]})
