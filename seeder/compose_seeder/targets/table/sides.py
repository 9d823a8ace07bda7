"""The two sides of a table's comparison: PostgreSQL does the typing.

    records ─▶ COPY ─▶ source_records (jsonb) ─▶ jsonb_to_record ─▶ desired
    the table ────────────────────────────────────────────────────▶ live

Only the fields that a record names are compared or written, so that records with another field set need another
statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from psycopg import sql

from compose_seeder.errors import ManifestError, RecordError, did_you_mean
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Name, as_is, kind_of, statements
from compose_seeder.reconcile.desired_records import DesiredRecords
from compose_seeder.reconcile.ledger import Applied
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import DatasetRun, FieldSet
from compose_seeder.targets.table.columns import (
    Column,
    columns,
    identifiers,
    is_view,
    why_no_table,
)
from compose_seeder.targets.table.deletes import check_deletes
from compose_seeder.targets.table.expressions import Expressions
from compose_seeder.targets.table.hash_versions import (
    is_outdated,
    rehash_by_records,
    rehash_by_rows,
)
from compose_seeder.targets.table.load import Loader
from compose_seeder.targets.table.moved_rows import find_moved_rows
from compose_seeder.targets.table.self_references import SelfReferences
from compose_seeder.targets.table.type_errors import TypeErrors
from compose_seeder.targets.table.unnamed_columns import NULL as NO_DEFAULT
from compose_seeder.targets.table.unnamed_columns import UnnamedColumns
from compose_seeder.targets.table.write_errors import dataset_fault

TYPES_FOUND_BY_KEY = {
    "text",
    "varchar",
    "bpchar",
    "uuid",
    "bool",
    "date",
    "timestamp",
    "timestamptz",
} | {
    "int2",
    "int4",
    "int8",
    "numeric",
}
"""Types of keys that a row is found by, instead of by the key's hash."""


class TableSides:
    """One dataset's file and table, inside a transaction that the caller holds.

    Args:
        run: the dataset.
        applied: what the ledger says of it; hashes of an earlier version are computed again.

    Attributes:
        expressions: of the table.
        loader: of the desired records; knows their field sets.
        fields: of the dataset, in the order of the hashes.
        is_rehashed: whether hashes of an earlier version are computed again, so that nothing is known to be unchanged.

    Raises:
        ManifestError: the table or a key column is not there.
    """

    def __init__(self, run: DatasetRun, applied: Applied | None) -> None:
        self._run = run
        self._connection = run.connection
        self._dataset = run.dataset
        self._has_siblings = bool(run.siblings)
        renamed = run.ledger.hashed_as(run.dataset)
        table = columns(run.connection, run.dataset.table or "", renamed)
        self.expressions = Expressions(run.dataset, table, run.ledger.salt)
        self.loader = Loader(run.connection, self.expressions)
        self.fields: list[str] = []
        self._desired: DesiredRecords | None = None
        self._check_manifest()
        self._outdated = applied if applied and is_outdated(self.expressions, applied) else None
        self.is_rehashed = self._outdated is not None
        if self._outdated:
            rehash_by_rows(run.connection, self.expressions, self._outdated)

    def load(self, desired: DesiredRecords) -> list[FieldSet]:
        """Copy the desired records, and return the field sets that they have.

        Raises:
            RecordError: unknown fields, or what jsonb cannot hold; all of them.
        """
        self._desired = desired
        self.loader.load(desired)
        if self._outdated:
            rehash_by_records(
                self._connection, self.expressions, self._outdated, self.loader.field_sets
            )
        return list(self.loader.field_sets)

    def show(self, fields: list[str], take_over: Callable[[], None]) -> None:
        """Fill `desired`, typed as the table would, and `live`; see `Sides`.

        Raises:
            RecordError: values that a column's type does not take; all of them.
        """
        self.fields = fields
        try:
            with self._connection.transaction():
                self._fill_desired()
        except psycopg.DatabaseError as error:
            if kind_of(error) != "record":
                raise
            # A value that its type refuses, or a function in a domain's CHECK: find which records, and say it by field.
            faults, number = self._type_errors.find(self.records_at, self.loader.field_sets)
            raise RecordError(
                f"dataset {self._dataset.name} has records that are wrong",
                faults or [dataset_fault(self._dataset, error)],
                number,
            ) from None
        self.self_references.show_in_desired()
        take_over()
        self._fill_live()

    def check_deletes(self) -> None:
        """Keep the rows that somebody filled or refers to."""
        check_deletes(self._run, self.expressions, self.fields)

    def find_moved(self, sibling: Dataset, records: Iterable[list[Desired]]) -> None:
        """Mark the records in `plan` that another dataset's file has; see `Finds`."""
        find_moved_rows(self._connection, self.expressions, sibling, records)

    @property
    def varying_defaults(self) -> list[str]:
        """The columns whose default differs from row to row; an id only where another dataset may name it."""
        return self._unnamed.varying(with_ids=self._has_siblings)

    def defaults(self, fields: list[str]) -> list[int | None]:
        """Return the hash of what each field holds where nobody filled it; None where nobody can tell."""
        plain = {
            name: sql.SQL("CAST({} AS {}) AS {}").format(
                as_is(default), as_is(self.expressions.columns[name].type), Name(name)
            )
            for name, default in self._unnamed.defaults.items()
            if name in fields and default not in {None, NO_DEFAULT}
        }
        if not plain:
            return [None] * len(fields)
        query = sql.SQL(statements("table")["hash_defaults"]).format(
            hashes=self.expressions.hashes("p", fields, list(plain)),
            defaults=sql.SQL(", ").join(plain.values()),
        )
        try:
            with self._connection.transaction():
                row = self._connection.execute(query, {}).fetchone()
        except psycopg.DatabaseError as error:
            if kind_of(error) != "record":
                raise
            return [None] * len(fields)  # one that its own type does not take
        return list(row[0]) if row else []

    @property
    def _unnamed(self) -> UnnamedColumns:
        return UnnamedColumns.of(self._connection, self.expressions, self.fields)

    @property
    def self_references(self) -> SelfReferences:
        """The references of the dataset to its own table."""
        columns_, salt = self.expressions.columns, self.expressions.salt
        return SelfReferences(self._connection, self._dataset, columns_, self.fields, salt)

    def records_at(self, positions: Iterable[int]) -> dict[int, Desired]:
        """Return the desired records at some positions."""
        return self._desired.records_at(positions) if self._desired else {}

    def _check_manifest(self) -> None:
        if not self.expressions.columns:
            why = why_no_table(self._connection, self._dataset.table or "")
            raise ManifestError(f"dataset {self._dataset.name}: {why}")
        if self._dataset.prune and is_view(self._connection, self._dataset.table or ""):
            raise ManifestError(
                f"dataset {self._dataset.name}: {self._dataset.table} is a view, and prune cannot tell what else"
                " a delete through a view takes with it; remove prune, or name the table whose rows the view shows"
            )
        for field in [*self._dataset.key, *self._dataset.refs]:
            if field not in self.expressions.columns:
                raise ManifestError(
                    f"dataset {self._dataset.name}: table {self._dataset.table} has no column"
                    f" {field}{did_you_mean(field, list(self.expressions.columns))}"
                )
        for field in self._dataset.key:
            self._check_key_type(field, self.expressions.columns[field])

    def _check_key_type(self, field: str, column: Column) -> None:
        """Raise `ManifestError` where PostgreSQL cannot tell whether two values of the type are the same."""
        if column.base in TYPES_FOUND_BY_KEY:
            return
        query = sql.SQL(statements("table")["check_key_type"]).format(type=as_is(column.type))
        try:
            with self._connection.transaction():
                self._connection.execute(query, {})
        except psycopg.errors.UndefinedFunction:
            raise ManifestError(
                f"dataset {self._dataset.name}: column {field} of table {self._dataset.table} has type {column.type},"
                " whose values cannot be compared: it cannot be part of a key"
            ) from None

    @property
    def _type_errors(self) -> TypeErrors:
        return TypeErrors(
            self._connection,
            self._dataset,
            self.expressions.table,
            {name: column.type for name, column in self.expressions.columns.items()},
            {name: column.base for name, column in self.expressions.columns.items()},
            {name: column.category for name, column in self.expressions.columns.items()},
        )

    def _fill_desired(self) -> None:
        for field_set, number in self.loader.field_sets.items():
            query = sql.SQL(statements("table")["fill_desired"]).format(
                id=self.expressions.id("p"),
                key=self.expressions.key("p"),
                hashes=self.expressions.hashes("p", self.fields, field_set),
                fields=identifiers("p", field_set),
                typed=self.expressions.typed(field_set),
            )
            self._connection.execute(query, {"field_set": number})
        self._connection.execute("ANALYZE pg_temp.desired (position, id)")

    def _fill_live(self) -> None:
        if self._is_found_by_key() and (row := self._estimate_records()) and row[0]:
            self._connection.execute("ANALYZE pg_temp.source_records (position, field_set)")
            self._fill_live_rows("rows_by_key")
            if row[1]:
                self._fill_live_rows("rows_of_removed_records")
        else:
            self._fill_live_rows("rows_by_id")
        self._connection.execute("ANALYZE pg_temp.live (id)")

    def _estimate_records(self) -> Any:
        values = {"table": self.expressions.table}
        return self._connection.execute(statements("table")["estimate_records"], values).fetchone()

    def _is_found_by_key(self) -> bool:
        """Return whether keys whose hashes are equal are equal to PostgreSQL as well."""
        return all(
            self.expressions.columns[field].base in TYPES_FOUND_BY_KEY
            for field in self._dataset.key
        )

    def _fill_live_rows(self, which: str) -> None:
        every = [field for field in self.fields if field in self.expressions.columns]
        condition = sql.SQL(statements("table")[which]).format(
            id=self.expressions.id("t"),
            key=self.expressions.key("t"),
            wanted=self.expressions.key("p"),
            typed=self.expressions.typed(self._dataset.key),
        )
        query = sql.SQL(statements("table")["fill_live"]).format(
            id=self.expressions.id("t"),
            key=self.expressions.key("t"),
            hashes=self.expressions.hashes("t", self.fields, every),
            fields=identifiers("t", every),
            table=self.expressions.identifier,
            condition=condition,
        )
        self._connection.execute(query, {})
