"""The records that a table refuses, found by trying them, and described by the constraint that each violates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from msgspec.json import encode
from psycopg import sql

from compose_seeder.documents.record_values import format_key
from compose_seeder.errors import SHOWN, Fault, quote
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, is_own, statements
from compose_seeder.reconcile.desired_records import RecordsAt
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import FieldSet
from compose_seeder.targets.table.bisect import find_failing
from compose_seeder.targets.table.columns import equal_columns
from compose_seeder.targets.table.constraints import (
    NOT_NULL,
    UNIQUE,
    Constraint,
    find_constraints,
    null_problem,
)
from compose_seeder.targets.table.expressions import Expressions

NOT_FREE_YET = (
    ", which the file gives another value; PostgreSQL checks a plain unique constraint row by row: make it DEFERRABLE,"
    " so that values can change places"
)

Attempt = Callable[[list[int]], object]
"""Writes some records: by position, or deletes by id."""


@dataclass(frozen=True)
class WriteErrors:
    """Finds the records of one dataset's plan that the table refuses.

    Attributes:
        records_at: the records at some positions.
        ring: the positions of records whose values change places.
    """

    connection: Connection
    expressions: Expressions
    records_at: RecordsAt
    ring: frozenset[int] = frozenset()

    def not_written(self, positions: Sequence[int], write: Attempt) -> list[Fault]:
        """Return the records that the table refuses beside those that it takes; nothing of it stays.

        Args:
            positions: in the order in which they are written.
            write: writes some of them.
        """
        found = find_failing(self.connection, list(positions), write)
        known = {
            constraint.name: constraint
            for constraint in find_constraints(self.connection, self.expressions.table)
        }
        records = self.records_at(position for position, _ in found)
        # Looked for in the table and in the file: only for what a message has room for.
        holders = self._holders(
            [
                (constraint, records[position])
                for position, error in found[:SHOWN]
                if (constraint := known.get(error.diag.constraint_name or ""))
                and constraint.kind == UNIQUE
            ]
        )
        return [
            self._fault(records[position], error, known, holders.get(position, ""))
            for position, error in found
        ]

    def not_deleted(self, delete: Attempt) -> list[Fault]:
        """Return the records that are in use, or that a trigger keeps."""
        keys = dict(self.connection.execute(statements("table")["deletes"]).fetchall())
        found = find_failing(self.connection, list(keys), delete)
        return [
            Fault(
                self.expressions.dataset.target,
                format_key(self.expressions.dataset.key, keys[id_]),
                "",
                f"has left the file and cannot be deleted: {explain_error(self.expressions.dataset, error)}",
            )
            for id_, error in found
        ]

    def _fault(
        self, record: Desired, error: psycopg.Error, known: Mapping[str, Constraint], holder: str
    ) -> Fault:
        """Return what a record was refused for: by the constraint that it breaks, or in PostgreSQL's own words."""
        constraint = known.get(error.diag.constraint_name or "")
        field = _column_of(self.expressions.dataset, error)
        if error.sqlstate == NOT_NULL and field:
            problem = null_problem(field, record.document, is_text=self.expressions.dataset.is_text)
        elif constraint:
            field = ", ".join(constraint.columns)
            problem = constraint.problem(record.document, self.expressions.dataset.secrets) + holder
        else:
            problem = explain_error(self.expressions.dataset, error)
        return Fault(record.where, self.expressions.format_key(record), field, problem)

    def _holders(self, refused: list[tuple[Constraint, Desired]]) -> dict[int, str]:
        """Return, by position, which row or earlier record has a record's unique values already."""
        found: dict[int, str] = {}
        earlier: dict[int, int] = {}
        for constraint, record in refused:
            if not constraint.columns and record.position in self.ring:
                found[record.position] = f": another row{NOT_FREE_YET}"
            if not constraint.columns or not set(constraint.columns) <= set(record.document):
                continue
            document = encode({name: record.document[name] for name in constraint.columns}).decode()
            values = {
                "document": document,
                "position": record.position,
                "columns": list(constraint.columns),
            }
            row = self._asked("conflicting_row", constraint.columns, values)
            if row:
                key = format_key(self.expressions.dataset.key, row[0])
                found[record.position] = f": the row with {key}{NOT_FREE_YET if row[1] else ''}"
                continue
            row = self._asked("conflicting_record", constraint.columns, values)
            if row and row[0] is not None:
                earlier[record.position] = row[0]
        records = self.records_at(earlier.values())
        return found | {n: f": {records[at].where} of this file" for n, at in earlier.items()}

    def _asked(self, name: str, fields: FieldSet, values: Mapping[str, object]) -> Any:
        query = sql.SQL(statements("constraints")[name]).format(
            key=self.expressions.key("t"),
            id=self.expressions.id("t"),
            table=self.expressions.identifier,
            typed=self.expressions.typed(fields),
            equal=equal_columns("t", "p", fields),
        )
        return self.connection.execute(query, values).fetchone()


def explain_error(dataset: Dataset, error: psycopg.Error) -> str:
    """Return PostgreSQL's own words; without values where the dataset has secrets."""
    if not dataset.secrets:
        return _said(error)
    if is_own(error):
        return error.diag.message_primary or ""
    return f"PostgreSQL refuses a value (SQLSTATE {error.sqlstate}), which may be secret and is not shown"


def dataset_fault(dataset: Dataset, error: psycopg.Error) -> Fault:
    """Return the fault of records that fail only together, such as two rows that exclude each other."""
    return Fault(dataset.target, "", _column_of(dataset, error), explain_error(dataset, error))


def _column_of(dataset: Dataset, error: psycopg.Error) -> str:
    """Return the column that an error names; "" where a trigger may have given a secret for its name."""
    return (error.diag.column_name or "") if is_own(error) or not dataset.secrets else ""


def _said(error: psycopg.Error) -> str:
    """Return PostgreSQL's own words without the row, which may hold a secret."""
    detail = error.diag.message_detail or ""
    if detail.startswith("Failing row contains"):
        detail = ""
    said = " ".join(str(error.diag.message_primary or error).split())
    return f"{said}: {quote(detail)}" if detail else said
