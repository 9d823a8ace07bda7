"""Values that a column's type does not accept, and their faults in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from msgspec import Raw
from psycopg import sql

from compose_seeder.documents.csv_dialect import has_comma
from compose_seeder.documents.record_values import format_key
from compose_seeder.errors import SHOWN, Fault, did_you_mean, quote
from compose_seeder.exact_json import decode
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, Name, Text, as_is, statements
from compose_seeder.reconcile.desired_records import RecordsAt
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import FieldSet
from compose_seeder.targets.table.constraints import DEFINITION, NOT_NULL

TOO_LONG = psycopg.errors.StringDataRightTruncation.sqlstate
OUT_OF_RANGE = psycopg.errors.NumericValueOutOfRange.sqlstate
NO_SUCH_VALUE = psycopg.errors.InvalidTextRepresentation.sqlstate
BROKEN_CHECK = psycopg.errors.CheckViolation.sqlstate

LABELS = 30
"""How many values of an enum a message lists."""

NUMERIC = {"int2", "int4", "int8", "numeric", "float4", "float8"}

FORMS = {
    "int2": "a whole number from -32768 to 32767",
    "int4": "a whole number from -2147483648 to 2147483647",
    "int8": "a whole number from -9223372036854775808 to 9223372036854775807",
    "numeric": "a number as in 12.5",
    "float4": "a number as in 12.5",
    "float8": "a number as in 12.5",
    "bool": "true or false",
    "date": "a date as in 2024-02-29",
    "time": "a time as in 23:59:59",
    "timestamp": "a time as in 2024-02-29T23:59:59",
    "timestamptz": "a time as in 2024-02-29T23:59:59+02:00",
    "interval": "a length of time as in 1 day 02:30:00",
    "uuid": "a UUID as in 6f9619ff-8b86-d011-b42d-00cf4fc964ff",
    "inet": "an address as in 192.0.2.1/24 or 2001:db8::1",
    "cidr": "a network as in 192.0.2.0/24",
    "bytea": "bytes as in \\x00ff",
}
"""The values that a base type accepts, where its name alone does not say it."""


@dataclass(frozen=True, slots=True)
class TypeErrors:
    """Finds the values in `pg_temp.source_records` that a column's type does not accept.

    Attributes:
        types: of the columns, with length and precision.
        bases: the columns' base types.
        categories: of the base types; `A` is an array, `C` a composite, `R` a range.
    """

    connection: Connection
    dataset: Dataset
    table: str
    types: Mapping[str, str]
    bases: Mapping[str, str]
    categories: Mapping[str, str]

    def find(
        self, records_at: RecordsAt, field_sets: Iterable[FieldSet]
    ) -> tuple[list[Fault], int]:
        """Return the first faults in the file's order, and how many there are.

        Args:
            records_at: the records at some positions.
            field_sets: the sets of fields that they have.
        """
        texts = statements("type_errors")
        names = dict.fromkeys(name for field_set in field_sets for name in field_set)
        parts = [
            sql.SQL(texts["function_field"]).format(
                name=Text(name),
                typed=sql.SQL("{} {}").format(
                    Name(name),
                    as_is(self.types[name]),
                ),
            )
            for name in names
        ]
        body = sql.SQL(texts["function_body"]).format(fields=sql.SQL("\n").join(parts))
        text = body.as_string(self.connection)
        self.connection.execute(sql.SQL(texts["function"]).format(body=sql.Literal(text)), {})
        rows = self.connection.execute(texts["type_errors"], {"limit": SHOWN}).fetchall()
        records = records_at(position for position, _, _ in rows)
        faults = [
            self._fault(records[position], *fault) for position, found, _ in rows for fault in found
        ]
        return faults, int(rows[0][2]) if rows else 0

    def _fault(
        self, record: Desired, field: str, state: str, message: str, constraint: str
    ) -> Fault:
        raw = record.document[field]
        if field in self.dataset.secrets:
            found = "found another value, which is secret"
        else:
            shown = quote(bytes(raw).decode())
            found = f"found {shown}: {self._why(field, raw, state, message, constraint)}"
        problem = f"expected {self.types[field]}, {found}"
        return Fault(record.where, format_key(self.dataset.key, record.key), field, problem)

    def _why(self, field: str, raw: Raw, state: str, message: str, constraint: str) -> str:
        value = decode(raw)
        return self._why_not(field, value, state, constraint) or self._said(
            field, value, state, message
        )

    def _why_not(self, field: str, value: object, state: str, constraint: str) -> str:
        """Return the reason in our own words, or "" where PostgreSQL's are needed."""
        if state == TOO_LONG and isinstance(value, str):
            return f"it has {len(value)} characters, shorten it"
        if state == NOT_NULL:
            return "the domain does not allow null"
        if state == BROKEN_CHECK:
            return f"it breaks {self._domain_rule(field, constraint)} (constraint {constraint})"
        if state == NO_SUCH_VALUE and (labels := self._labels(field)):
            return _not_among(value, labels)
        return self._no_array(value) if self.categories[field] == "A" else ""

    def _no_array(self, value: object) -> str:
        """Return how an array is written, or "" where it is written so."""
        if self.dataset.is_text:
            return "" if str(value).startswith("{") else "an array is written {1,2}"
        return "" if isinstance(value, list) else "an array is written [1, 2]"

    def _said(self, field: str, value: object, state: str, message: str) -> str:
        """Return PostgreSQL's own words, without the value that they repeat, and what the type accepts."""
        form = self._form(field)
        if self.dataset.is_text and self.bases[field] in NUMERIC and has_comma(str(value)):
            return "it has a comma before its decimals; name it in csv.decimal_comma"
        said = message.removesuffix(f': "{value}"') if form else message
        if state == OUT_OF_RANGE:
            said = "it is out of range"
        return f"{quote(said)}; write {form}" if form else quote(said)

    def _form(self, field: str) -> str | None:
        digits = re.fullmatch(r"numeric\((\d+),(-?\d+)\)", self.types[field])
        if digits:
            before = int(digits[1]) - int(digits[2])
            return f"a number with at most {before} digits before the point"
        return FORMS.get(self.bases[field])

    def _labels(self, field: str) -> list[str]:
        values = {"table": self.table, "column": field}
        rows = self.connection.execute(statements("type_errors")["enum_labels"], values)
        return [str(row[0]) for row in rows]

    def _domain_rule(self, field: str, name: str) -> str:
        row = self.connection.execute(
            statements("type_errors")["domain_constraint"],
            {"name": name, "type": self.types[field]},
        ).fetchone()
        return quote(row[0], DEFINITION) if row else "a rule of the domain"


def _not_among(value: object, labels: Sequence[str]) -> str:
    unknown = value if isinstance(value, list) else [value]
    wrong = next((one for one in unknown if one not in labels), value)
    more = f" and {len(labels) - LABELS} more" if len(labels) > LABELS else ""
    known = ", ".join(labels[:LABELS]) + more
    return f"{quote(wrong)} is not one of {known}{did_you_mean(str(wrong), labels)}"
