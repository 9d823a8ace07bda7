"""Records that would violate a table's constraints, found before anything is written.

pg_temp.plan ─▶ rows as they would be ─▶ NOT NULL, CHECK, foreign keys ─▶ faults, and how many there are

The rest (unique, exclusion, references to itself, whatever a trigger says) is seen when it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from compose_seeder.documents.record_values import format_key
from compose_seeder.errors import SHOWN, Fault
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, Name, Text, as_is, statements
from compose_seeder.reconcile.desired_records import RecordsAt
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import FieldSet
from compose_seeder.targets.table.columns import equal_columns
from compose_seeder.targets.table.constraints import (
    CHECK,
    FOREIGN,
    Constraint,
    find_constraints,
    not_null_columns,
    null_problem,
)
from compose_seeder.targets.table.expressions import as_updated

Typed = Callable[[Sequence[str]], sql.Composed]
"""`AS p(…)` of jsonb_to_record, for some fields."""

Condition = tuple[sql.Composable, tuple[str, ...], Constraint | None]
"""When a row breaks a constraint, the columns at fault, and the constraint; None for NOT NULL."""


@dataclass
class ConstraintViolations:
    """Finds the records of one dataset's plan that would violate a constraint.

    Attributes:
        columns: of the table, but for those that it computes.
        deferred: fields that a plan cannot know yet; constraints on them are left out.
        parents_there: the rows that foreign keys refer to are all there already.
    """

    connection: Connection
    dataset: Dataset
    table: str
    identifier: sql.SQL
    columns: Sequence[str]
    typed: Typed
    deferred: frozenset[str]
    parents_there: bool
    faults: list[Fault] = field(default_factory=list)
    count: int = 0
    _found: list[tuple[int, list[Condition]]] = field(default_factory=list)

    def find(self, records_at: RecordsAt, field_sets: Iterable[FieldSet]) -> None:
        """Return the first faults, and how many there are.

        Args:
            records_at: the records at some positions.
            field_sets: the sets of fields that they have.
        """
        values = {"table": self.table}
        row = self.connection.execute(
            statements("constraints")["triggers_before"], values
        ).fetchone()
        new, updated = row or (False, False)
        known = [
            constraint
            for constraint in find_constraints(self.connection, self.table)
            if constraint.is_visible and (constraint.kind == CHECK or self.parents_there)
        ]
        needed = not_null_columns(self.connection, self.table)
        if not new:
            for number, field_set in enumerate(field_sets):
                self._find_new(number, field_set, known, needed)
        if not updated:
            self._find_updated(known, needed)
        self._found.sort(key=lambda found: found[0])
        records = records_at(position for position, _ in self._found)
        self.faults = [
            self._fault(records[position], columns, constraint)
            for position, violated in self._found
            for _, columns, constraint in violated
        ]

    def _find_new(
        self,
        number: int,
        field_set: tuple[str, ...],
        known: Sequence[Constraint],
        needed: Mapping[str, bool],
    ) -> None:
        missing = [name for name, given in needed.items() if name not in field_set and not given]
        conditions = [
            *((sql.SQL("true"), (name,), None) for name in missing if name not in self.deferred),
            *self._conditions(field_set, set(field_set), known, needed),
        ]
        query = sql.SQL(statements("constraints")["violations_of_new_rows"])
        parts = {
            "typed": self.typed(field_set),
            "fields": sql.SQL(", ").join(Name("p", name) for name in field_set),
        }
        self._ask(query, parts, {"field_set": number}, conditions)

    def _find_updated(self, known: Sequence[Constraint], needed: Mapping[str, bool]) -> None:
        rows = self.connection.execute(statements("table")["written_fields"])
        written = [str(row[0]) for row in rows]
        if not written:
            return
        both = list(dict.fromkeys([*self.dataset.key, *written]))
        parts = {
            "typed": self.typed(both),
            "table": self.identifier,
            "match": equal_columns("t", "p", self.dataset.key),
            "fields": sql.SQL(", ").join(as_updated(name, written) for name in self.columns),
        }
        conditions = [
            # An update is checked against a foreign key where it changes the columns; an earlier value may stay.
            (
                _and_written(condition, columns)
                if constraint and constraint.kind == FOREIGN
                else condition,
                columns,
                constraint,
            )
            for condition, columns, constraint in self._conditions(
                self.columns, set(written), known, needed
            )
        ]
        self._ask(
            sql.SQL(statements("constraints")["violations_of_updated_rows"]), parts, {}, conditions
        )

    def _conditions(
        self,
        there: Sequence[str],
        written: set[str],
        known: Sequence[Constraint],
        needed: Mapping[str, bool],
    ) -> list[Condition]:
        """Return the conditions of constraints on columns that are all there, and of which some are written."""
        found: list[Condition] = [
            (sql.SQL("new.{} IS NULL").format(Name(name)), (name,), None)
            for name in needed
            if name in written and name not in self.deferred
        ]
        for constraint in known:
            about = set(constraint.columns)
            if about <= set(there) and about & written and not about & self.deferred:
                found.append((_violation(constraint), constraint.columns, constraint))
        return found

    def _ask(
        self,
        query: sql.SQL,
        parts: Mapping[str, sql.Composable],
        values: Mapping[str, object],
        conditions: Sequence[Condition],
    ) -> None:
        if not conditions:
            return
        violated = sql.SQL(", ").join(
            sql.SQL("CASE WHEN {} THEN {} END").format(condition, sql.Literal(n))
            for n, (condition, _, _) in enumerate(conditions)
        )
        try:
            with self.connection.transaction():
                rows = self.connection.execute(
                    query.format(**parts, violated=violated), {**values, "limit": SHOWN}
                ).fetchall()
        except psycopg.OperationalError:
            raise
        except psycopg.DatabaseError:
            return  # a constraint that raises, or reads what the role may not: the write reports it
        self.count += rows[0][2] if rows else 0
        self._found += [
            (position, [conditions[n] for n in numbers]) for position, numbers, _ in rows
        ]

    def _fault(
        self, record: Desired, columns: tuple[str, ...], constraint: Constraint | None
    ) -> Fault:
        document = record.document
        problem = (
            constraint.problem(document, self.dataset.secrets)
            if constraint
            else null_problem(columns[0], document, is_text=self.dataset.is_text)
        )
        key = format_key(self.dataset.key, record.key)
        return Fault(record.where, key, ", ".join(columns), problem)


def _and_written(condition: sql.Composable, columns: Sequence[str]) -> sql.Composed:
    written = sql.SQL(" OR ").join(
        sql.SQL("w.fields -> {} ? 'write'").format(Text(name)) for name in columns
    )
    return sql.SQL("({}) AND {}").format(written, condition)


def _violation(constraint: Constraint) -> sql.Composable:
    if constraint.kind == CHECK:
        # Columns without a table's name in it are those of the innermost row.
        return sql.SQL("NOT ({})").format(as_is(constraint.expression or "true"))
    given = sql.SQL(" AND ").join(
        sql.SQL("new.{} IS NOT NULL").format(Name(name)) for name in constraint.columns
    )
    same = sql.SQL(" AND ").join(
        sql.SQL("referred.{} = new.{}").format(Name(there), Name(name))
        for there, name in zip(constraint.referred, constraint.columns, strict=True)
    )
    return sql.SQL("{} AND NOT EXISTS (SELECT FROM {} referred WHERE {})").format(
        given, as_is(constraint.table or ""), same
    )
