"""The statements that write to one dataset's table: INSERT by field set, UPDATE, DELETE.

PostgreSQL checks references at the end of a statement. So statements on rows that may refer to each other, whatever
fields they have, are parts of one WITH.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from psycopg import sql

from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, Name, Text, statements
from compose_seeder.reconcile.target import FieldSet
from compose_seeder.targets.table.columns import equal_columns, identifiers
from compose_seeder.targets.table.expressions import Expressions

ALWAYS: sql.Composable = sql.SQL("true")

MAX_TOGETHER = 100
"""The number of statements that are parts of one; more are executed one after another."""

Statement = Callable[[sql.Composable], sql.Composed]
"""Returns a statement that is executed once a condition is known."""


@dataclass(frozen=True)
class RowStatements:
    """Writes what `pg_temp.plan` says, all of it or the records at some positions.

    Attributes:
        field_sets: of the records in `pg_temp.source_records`, with their numbers.
    """

    connection: Connection
    dataset: Dataset
    expressions: Expressions
    field_sets: dict[FieldSet, int]

    def execute(self, built: Sequence[Statement], *, together: bool = False) -> list[int]:
        """Execute statements in their order, and return how many rows each has written.

        Args:
            built: the statements.
            together: as parts of one, where they are not too many.
        """
        if not together or not 1 < len(built) <= MAX_TOGETHER:
            return [self.connection.execute(build(ALWAYS), {}).rowcount for build in built]
        names = [Name(f"written {n}") for n in range(len(built))]
        counts = [sql.SQL("(SELECT count(*) FROM {})").format(name) for name in names]
        # A part that asks for the rows of another is executed after it.
        after = [ALWAYS, *(sql.SQL("{} >= 0").format(count) for count in counts)]
        parts = [
            sql.SQL("{} AS ({} RETURNING 1)").format(name, build(condition))
            for name, build, condition in zip(names, built, after, strict=False)
        ]
        query = sql.SQL("WITH {} SELECT {}").format(
            sql.SQL(", ").join(parts), sql.SQL(", ").join(counts)
        )
        return list(self.connection.execute(query, {}).fetchone() or ())

    def insert(
        self, field_set: FieldSet, positions: Sequence[int] | None, after: sql.Composable
    ) -> sql.Composed:
        """Return the INSERT of the new records of a field set."""
        return sql.SQL(statements("table")["insert"]).format(
            table=self.expressions.identifier,
            columns=identifiers(None, field_set),
            fields=identifiers("p", field_set),
            typed=self.expressions.typed(field_set),
            field_set=sql.Literal(self.field_sets[field_set]),
            some=_some(positions),
            after=after,
        )

    def inserts(self, positions: Sequence[int] | None) -> list[Statement]:
        """Return the INSERT of each field set that the records at some positions have."""
        there = set(self.field_sets.values())
        if positions is not None:
            query = statements("table")["field_sets"]
            there = {n for (n,) in self.connection.execute(query, {"positions": list(positions)})}
        return [
            partial(self.insert, field_set, positions)
            for field_set, number in self.field_sets.items()
            if number in there
        ]

    def written_fields(self) -> list[str]:
        """Return the fields that the updates of the plan write."""
        rows = self.connection.execute(statements("table")["written_fields"])
        return [str(row[0]) for row in rows]

    def update(
        self, written: Sequence[str], positions: Sequence[int] | None, after: sql.Composable
    ) -> sql.Composed:
        """Return the UPDATE of changed records.

        Args:
            written: as `written_fields`.
            positions: of the records; all of them without.
            after: a condition.
        """
        fields = list(dict.fromkeys([*self.dataset.key, *written]))
        return sql.SQL(statements("table")["update"]).format(
            table=self.expressions.identifier,
            assignments=sql.SQL(", ").join(
                sql.SQL(
                    "{column} = CASE WHEN w.fields -> {name} ? 'write' THEN p.{column} ELSE t.{column} END"
                ).format(column=Name(field), name=Text(field))
                for field in written
            ),
            typed=self.expressions.typed(fields),
            match=equal_columns("t", "p", self.dataset.key),
            some=_some(positions),
            after=after,
        )

    def set_to_null(self, column: str, positions: Sequence[int]) -> None:
        """Set a column of some rows to null, before they are updated."""
        query = sql.SQL(statements("write_order")["set_to_null"]).format(
            table=self.expressions.identifier,
            column=Name(column),
            field=Text(column),
            typed=self.expressions.typed(self.dataset.key),
            match=equal_columns("t", "p", self.dataset.key),
            some=_some(positions),
        )
        self.connection.execute(query, {})

    def delete(self, ids: Sequence[int] | None) -> int:
        """Delete the removed records, and return how many rows there are."""
        query = sql.SQL(statements("table")["delete"]).format(
            table=self.expressions.identifier, id=self.expressions.id("t")
        )
        return self.connection.execute(query, {"ids": ids}).rowcount

    def positions(self, action: str) -> list[int]:
        """Return the positions of the records with an action."""
        rows = self.connection.execute(
            statements("table")["positions_by_action"], {"action": action}
        )
        return [row[0] for row in rows]

    def wider_field_sets(self, field: str) -> dict[int, int]:
        """Return the numbers of all field sets, each with the number of the field set that has this field as well."""
        found = {}
        for field_set, number in list(self.field_sets.items()):
            wider = tuple(dict.fromkeys([*field_set, field]))
            found[number] = self.field_sets.setdefault(wider, len(self.field_sets))
        return found


def _some(positions: Sequence[int] | None) -> sql.Composable:
    """Return the condition that a record `w` of the plan is at some positions."""
    if positions is None:
        return ALWAYS
    text = "{" + ",".join(map(str, positions)) + "}"
    return sql.SQL(statements("table")["some_positions"]).format(positions=sql.Literal(text))
