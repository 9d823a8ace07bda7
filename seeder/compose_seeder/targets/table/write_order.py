"""The order of updates in which each value of a unique index is free when a row takes it.

a ─▶ b ─▶ c ─▶ (free)    c, then b, then a
a ─▶ b ─▶ a              null, where the column allows it, then both; else PostgreSQL refuses one of them

PostgreSQL checks a unique index row by row; a DEFERRABLE constraint is checked at the end, and needs no order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from compose_seeder.postgres import Connection, Name, as_is, statements
from compose_seeder.targets.table.columns import equal_columns
from compose_seeder.targets.table.expressions import Expressions, as_updated

Positions = Sequence[int] | None
"""Records of a plan; None for all of them."""


@dataclass(frozen=True, slots=True)
class UniqueIndex:
    """A unique index that is checked row by row.

    Attributes:
        values: SQL of its columns and expressions.
        predicate: SQL of the rows that it is about.
        columns: where it is about columns alone, and about all rows.
        nullable: the columns that may be null for a while.
    """

    values: list[str]
    predicate: str
    columns: list[str] | None
    nullable: list[str]


@dataclass(frozen=True)
class UpdateOrder:
    """The order of a plan's updates.

    Attributes:
        rounds: the positions of the records, some at a time.
        set_to_null: columns, each with the records that it is null in before the last round.
        ring: the records of the last round whose values change places, or that wait for them.
    """

    rounds: list[Positions] = field(default_factory=lambda: [None])
    set_to_null: dict[str, list[int]] = field(default_factory=dict)
    ring: frozenset[int] = frozenset()


def find_order(
    connection: Connection, expressions: Expressions, written: Sequence[str], updates: Sequence[int]
) -> UpdateOrder:
    """Return the order of the updates in `pg_temp.plan`.

    Args:
        connection: in the transaction that writes.
        expressions: of the table.
        written: the fields that some record writes.
        updates: the positions of all updated records.
    """
    edges: list[tuple[int, int]] = []
    nullable: dict[str, list[tuple[int, int]]] = {}
    rows = connection.execute(
        statements("write_order")["unique_indexes"], {"table": expressions.table}
    ).fetchall()
    for index in (UniqueIndex(*row) for row in rows):
        if index.columns is None or set(index.columns) & set(written):
            found = _takers(connection, expressions, written, index)
            edges += found
            for column in set(index.nullable) & set(written) if found else ():
                nullable.setdefault(column, []).extend(found)
    if not edges:
        return UpdateOrder()
    rounds, ring = _sort(updates, edges)
    set_to_null = {
        column: sorted({holder for taker, holder in found if {taker, holder} <= ring})
        for column, found in nullable.items()
        if ring
    }
    last = [sorted(ring)] if ring else []
    return UpdateOrder([*rounds, *last], set_to_null, frozenset(ring))


def _takers(
    connection: Connection, expressions: Expressions, written: Sequence[str], index: UniqueIndex
) -> list[tuple[int, int]]:
    columns = [name for name, column in expressions.columns.items() if not column.generated]
    fields = list(dict.fromkeys([*expressions.dataset.key, *written]))
    query = sql.SQL(statements("write_order")["takers"]).format(
        typed=expressions.typed(fields),
        table=expressions.identifier,
        match=equal_columns("t", "p", expressions.dataset.key),
        values=sql.SQL(", ").join(as_is(value) for value in index.values),
        predicate=as_is(index.predicate),
        before=sql.SQL(", ").join(Name("t", name) for name in columns),
        afterwards=sql.SQL(", ").join(as_updated(name, written) for name in columns),
    )
    try:
        with connection.transaction():
            return list(connection.execute(query, {}).fetchall())
    except psycopg.OperationalError:
        raise
    except psycopg.DatabaseError:
        return []  # an expression that raises: the write itself reports it


def _sort(
    positions: Iterable[int], edges: Iterable[tuple[int, int]]
) -> tuple[list[list[int]], set[int]]:
    """Return the positions, those before others first; and those that are in a ring or wait for one.

    Args:
        positions: all of them.
        edges: each from a position to another that comes before it.
    """
    waits: dict[int, set[int]] = {}
    following: dict[int, list[int]] = {}
    for taker, holder in edges:
        if holder not in waits.setdefault(taker, set()):
            waits[taker].add(holder)
            following.setdefault(holder, []).append(taker)
    level = [position for position in positions if position not in waits]
    rounds = []
    while level:
        rounds.append(level)
        coming = []
        for holder in level:
            for taker in following.get(holder, ()):
                waits[taker].discard(holder)
                if not waits[taker]:
                    del waits[taker]
                    coming.append(taker)
        level = sorted(coming)
    return rounds, set(waits)
