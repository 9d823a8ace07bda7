"""Desired records into `pg_temp.source_records`: with fields that the table has, and values that jsonb can hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import psycopg
from msgspec import DecodeError, Raw
from msgspec.json import decode, encode

from compose_seeder.documents import strict_json
from compose_seeder.documents.shape_hint import hint_for_column
from compose_seeder.errors import Fault, RecordError, did_you_mean, quote
from compose_seeder.postgres import Connection, jsonb_text, statements
from compose_seeder.reconcile.desired_records import DesiredRecords
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import FieldSet
from compose_seeder.targets.table.bisect import error_of, find_failing
from compose_seeder.targets.table.expressions import Expressions
from compose_seeder.targets.table.whole_numbers import integer_columns, with_whole_numbers
from compose_seeder.targets.table.write_errors import dataset_fault, explain_error


@dataclass(frozen=True)
class Loader:
    """Copies one dataset's records into `source_records`.

    Attributes:
        field_sets: the sets of fields that records have, numbered as they are met.
    """

    connection: Connection
    expressions: Expressions
    field_sets: dict[FieldSet, int] = field(default_factory=dict)

    def load(self, desired: DesiredRecords) -> None:
        """Copy the desired records.

        Raises:
            RecordError: unknown fields, or what jsonb cannot hold; all of them.
        """
        unknown: dict[str, tuple[Desired, int]] = {}
        unstorable: list[Fault] = []
        for some in desired:
            self._find_unknown(some, unknown)
            read, wrong = self._with_json(self._with_integers(some))
            unstorable += wrong
            if not unknown and not wrong:
                unstorable += self._copy(read)
        if faults := [self._unknown(*one) for one in unknown.items()] or unstorable:
            raise RecordError(
                f"dataset {self.expressions.dataset.name} has records that are wrong", faults
            )

    def _find_unknown(
        self, records: list[Desired], unknown: dict[str, tuple[Desired, int]]
    ) -> None:
        """Find the fields that the table cannot accept: of each, the first record that has it, and how many have it."""
        by_field_set = {tuple(record.document) for record in records}
        wrong = {
            field_set: [
                name
                for name in field_set
                if name not in self.expressions.columns or self.expressions.columns[name].generated
            ]
            for field_set in by_field_set
        }
        if not any(wrong.values()):
            return
        for record in records:
            for name in wrong[tuple(record.document)]:
                first, number = unknown.get(name, (record, 0))
                unknown[name] = (first, number + 1)

    def _unknown(self, field: str, found: tuple[Desired, int]) -> Fault:
        record, number = found
        problem = self._why_not(field, record) + _also(number)
        return Fault(record.where, self.expressions.format_key(record), field, problem)

    def _with_integers(self, records: list[Desired]) -> list[Desired]:
        if not (names := integer_columns(self.expressions.columns)):
            return records
        return [
            record
            if (document := with_whole_numbers(record.document, names)) is record.document
            else replace(record, document=document)
            for record in records
        ]

    def _with_json(self, records: list[Desired]) -> tuple[list[Desired], list[Fault]]:
        """Return the records with JSON in place of its text, as COPY reads it, and the faults of invalid JSON."""
        if not (names := read_as_json(self.expressions)):
            return records, []
        found, faults = [], []
        for record in records:
            texts = {name: decode(record.document[name]) for name in names & record.document.keys()}
            for name, text in texts.items():
                try:
                    strict_json.loosely((text or "null").encode())
                except (DecodeError, RecursionError):
                    faults.append(self._no_json(record, name, text))
                else:
                    faults += self._names_twice(record, name, (text or "null").encode())
            raw = {name: Raw((text or "null").encode()) for name, text in texts.items()}
            found.append(replace(record, document={**record.document, **raw}))
        return found, faults

    def _names_twice(self, record: Desired, name: str, text: bytes) -> list[Fault]:
        paths = [f"{name}/{path}" for path in strict_json.twice_in(text)]
        if paths and name in self.expressions.dataset.secrets:
            paths = [name]  # the names within a value are a part of it
        return [
            Fault(record.where, self.expressions.format_key(record), path, strict_json.TWICE)
            for path in paths
        ]

    def _no_json(self, record: Desired, name: str, text: str) -> Fault:
        shown = (
            "another value, which is secret"
            if name in self.expressions.dataset.secrets
            else quote(text)
        )
        type_ = self.expressions.columns[name].type
        problem = f"expected {type_}, found {shown}: is not valid JSON, in which a text has quotes"
        return Fault(record.where, self.expressions.format_key(record), name, problem)

    def _why_not(self, field: str, record: Desired) -> str:
        if field in self.expressions.columns:
            return f"table {self.expressions.dataset.table} computes this column itself: remove it, or put it in ignore"
        near = did_you_mean(field, list(self.expressions.columns))
        told = f"table {self.expressions.dataset.table} has no such column{near}"
        if not self.expressions.dataset.map_:
            hint = hint_for_column(field, record.document, self.expressions.columns)
            if hint:
                return f"{told}: {hint}"
        return f"{told}: correct it, or put it in ignore"

    def _copy(self, records: list[Desired]) -> list[Fault]:
        """Copy some of the desired records; return their faults, and copy none of them where there are any."""
        cursor = self.connection.cursor()
        try:
            with (
                self.connection.transaction(),
                cursor.copy(statements("table")["copy_source_records"]) as copy,
            ):
                for record in records:
                    field_set = self.field_sets.setdefault(
                        tuple(record.document), len(self.field_sets)
                    )
                    copy.write_row(
                        (
                            record.position,
                            field_set,
                            jsonb_text(self.connection, encode(record.document)),
                        )
                    )
            deferred = [
                (record.position, name, jsonb_text(self.connection, bytes(value)), in_this_file)
                for record in records
                for name, (value, in_this_file) in (record.deferred or {}).items()
            ]
            if deferred:
                with cursor.copy(statements("table")["copy_deferred_references"]) as copy:
                    for row in deferred:
                        copy.write_row(row)
        except psycopg.DataError as error:
            return self._unstorable(records) or [dataset_fault(self.expressions.dataset, error)]
        return []

    def _unstorable(self, desired: list[Desired]) -> list[Fault]:
        """Return what is JSON and yet nothing that jsonb can hold, such as 1e200000; by field."""
        texts = [jsonb_text(self.connection, encode(record.document)) for record in desired]
        return [
            Fault(
                desired[n].where,
                self.expressions.format_key(desired[n]),
                field,
                explain_error(self.expressions.dataset, error),
            )
            for n, _ in find_failing(
                self.connection,
                list(range(len(texts))),
                lambda some: self._read_as_jsonb([texts[n] for n in some]),
            )
            for field, raw in desired[n].document.items()
            if (
                error := error_of(
                    self.connection, partial(self._read_as_jsonb, [bytes(raw).decode()])
                )
            )
        ]

    def _read_as_jsonb(self, texts: list[str]) -> None:
        self.connection.execute(statements("table")["read_as_jsonb"], {"texts": texts})


def read_as_json(expressions: Expressions) -> set[str]:
    """Return the JSON columns whose values are text in the source."""
    json = {
        name for name, column in expressions.columns.items() if column.base in {"json", "jsonb"}
    }
    return json if expressions.dataset.is_text else set()


def _also(count: int) -> str:
    return f"; {count} records have it" if count > 1 else ""
