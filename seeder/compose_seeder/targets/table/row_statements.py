"""The statements that write to one dataset's table: INSERT by field set, UPDATE, DELETE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, Name, Text, statements
from compose_seeder.reconcile.target import FieldSet
from compose_seeder.targets.table.columns import equal_columns, identifiers
from compose_seeder.targets.table.expressions import Expressions


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

    def insert(self, field_set: FieldSet, positions: Sequence[int] | None) -> int:
        """Insert the new records of a field set, and return how many rows there are."""
        query = sql.SQL(statements("table")["insert"]).format(
            table=self.expressions.identifier,
            columns=identifiers(None, field_set),
            fields=identifiers("p", field_set),
            typed=self.expressions.typed(field_set),
        )
        return self.connection.execute(
            query, {"field_set": self.field_sets[field_set], "positions": positions}
        ).rowcount

    def insert_some(self, positions: Sequence[int]) -> None:
        """Insert the records at some positions, in the order of their field sets."""
        query = statements("table")["field_sets"]
        there = {n for (n,) in self.connection.execute(query, {"positions": list(positions)})}
        for field_set, number in self.field_sets.items():
            if number in there:
                self.insert(field_set, positions)

    def update(self, positions: Sequence[int] | None) -> int:
        """Update the changed records, and return how many rows there are."""
        written = [
            str(row[0]) for row in self.connection.execute(statements("table")["written_fields"])
        ]
        fields = list(dict.fromkeys([*self.dataset.key, *written]))
        query = sql.SQL(statements("table")["update"]).format(
            table=self.expressions.identifier,
            assignments=sql.SQL(", ").join(
                sql.SQL(
                    "{column} = CASE WHEN w.fields -> {name} ? 'write' THEN p.{column} ELSE t.{column} END"
                ).format(column=Name(field), name=Text(field))
                for field in written
            ),
            typed=self.expressions.typed(fields),
            match=equal_columns("t", "p", self.dataset.key),
        )
        return self.connection.execute(query, {"positions": positions}).rowcount

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
