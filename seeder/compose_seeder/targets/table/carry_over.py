"""The look at the seeded tables after the last revision: what the migration changed is no edit by hand.

    before_migration ─┐
    the tables now ───┴─▶ was it as applied before? ─ yes, and differs now ─▶ the file decides
                                                    └ no ─▶ it stays an edit

A record whose row went with the migration is forgotten, so that it is created again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from compose_seeder.postgres import Connection, Name, as_is, statements
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.reconcile.source_digests import compare_again, compare_all_again, record_sources
from compose_seeder.targets.table.before_migration import find_filled
from compose_seeder.targets.table.carried_columns import (
    CarriedField,
    carry_fields,
    find_added,
    find_column,
)
from compose_seeder.targets.table.carried_defaults import carry_shown
from compose_seeder.targets.table.carried_hashes import desired, observed
from compose_seeder.targets.table.columns import Column
from compose_seeder.targets.table.modified_rows import EVERYTHING, Part, find_modified_part
from compose_seeder.targets.table.seeded_tables import (
    NumberedColumn,
    SeededTable,
    find_seeded_table,
)


@dataclass(frozen=True)
class FormerKey:
    """A column of a key that has changed: how it was, and its name now."""

    before: Column
    now: str


def is_open(connection: Connection) -> bool:
    """Return whether the seeded tables were noted, and the ledger was not carried over since."""
    row = connection.execute(statements("carry_over")["is_open"]).fetchone()
    return bool(row and row[0])


def carry_over(ledger: Ledger) -> list[str]:
    """Carry the ledger over to the tables as they are now, and forget how they were.

    Args:
        ledger: in a transaction at REPEATABLE READ.

    Returns:
        The names of the datasets in which something changed.
    """
    texts = statements("carry_over")
    changed = [
        before.name
        for before, oid in _tables_before(ledger)
        if _Carrying(ledger, before, oid).carry()
    ]
    ledger.connection.execute(texts["close"])
    return changed


def _tables_before(ledger: Ledger) -> list[tuple[SeededTable, int]]:
    """Return the tables as they were, each with the oid of its table now."""
    found = []
    rows = ledger.connection.execute(statements("carry_over")["tables_before"]).fetchall()
    for name, now, oid, table, fields, key, columns in rows:
        applied = ledger.applied(name)
        if applied is not None:
            kept = {each: NumberedColumn.from_json(column) for each, column in columns.items()}
            applied = replace(applied, fields=fields)
            found.append((SeededTable(name, applied, tuple(key), oid, table, kept), now))
    return found


@dataclass
class _Carrying:
    """One dataset, from its table as it was to its table as it is.

    Attributes:
        before: the table as it was.
        oid: of the table now.
    """

    ledger: Ledger
    before: SeededTable
    oid: int

    def carry(self) -> bool:
        """Return whether anything changed."""
        now = find_seeded_table(self.ledger, self.before.name, self.oid)
        key = self._find_key(now) if now else None
        if now is None or key is None:
            self._forget()
            return True
        columns, same_table = (self.before.columns, now.columns), now.oid == self.before.oid
        fields = carry_fields(self.before.applied.fields, *columns, same_table=same_table)
        added = find_added(fields, *columns, same_table=same_table)
        filled = find_filled(self.ledger.connection, now.table, added) if added else set()
        fields += [CarriedField(name, "added") for name in added if name in filled]
        after = replace(now, key=key)
        changed = self._carry_records(after, fields)
        carry_shown(self.ledger, self.before, after)
        return changed

    def _find_key(self, now: SeededTable) -> tuple[str, ...] | None:
        """Return the columns of the key now; None where one is not there any more."""
        same_table = now.oid == self.before.oid
        found = [
            find_column(self.before.columns[field], now.columns, same_table=same_table)
            for field in self.before.key
        ]
        return tuple(name for name in found if name) if all(found) else None

    def _forget(self) -> None:
        """Forget all records: their rows are gone, or nobody can tell which is which."""
        dataset_id = self.before.applied.dataset_id
        self.ledger.forget_records(dataset_id)
        record_sources(self.ledger.connection, dataset_id, b"", array("q"))
        self._write(self.before.applied.fields, self.before.key)

    def _carry_records(self, after: SeededTable, fields: list[CarriedField]) -> bool:
        applied, former = self.before.applied, self._former_key(after)
        names = [each.name for each in fields]
        part: Part | None = EVERYTHING
        is_alike = names == applied.fields and all(each.kind == "same" for each in fields)
        if is_alike and not former and after.oid == self.before.oid:
            expressions = after.expressions(self.ledger.salt)
            part = find_modified_part(self.ledger.connection, expressions, applied)
        if part is None:
            return False
        written = self._write_records(after, fields, part, former)
        if written is None:
            self._forget()
            return True
        count, gone = written
        if former:
            compare_all_again(self.ledger.connection, applied.dataset_id)
        elif gone:
            compare_again(self.ledger.connection, applied.dataset_id, set(gone))
        if not (count or gone or former) and is_alike:
            return False
        self._write(names, after.key)
        return True

    def _write_records(
        self, after: SeededTable, fields: list[CarriedField], part: Part, former: list[FormerKey]
    ) -> tuple[int, list[int]] | None:
        """Return how many records changed, and the ids of those whose rows are gone; None where keys cannot be read."""
        connection, texts = self.ledger.connection, statements("carry_over")
        same_table = after.oid == self.before.oid
        dataset = sql.Literal(self.before.applied.dataset_id)
        for now in self._rows(after, fields, part, former):
            is_copy = sql.SQL(texts["is_copy"]).format(dataset=dataset)
            query = sql.SQL(texts["carry_over"]).format(
                now=now,
                keeps_rows=sql.SQL("true") if same_table else is_copy,
                dataset=dataset,
                records=part.records,
                desired=desired(fields, same_table=same_table),
                observed=observed(fields, same_table=same_table),
            )
            # The values of a key may not be read as those of its former type.
            with suppress(psycopg.DataError, psycopg.ProgrammingError), connection.transaction():
                row = connection.execute(query, {}).fetchone()
                return (row[0], row[1]) if row else (0, [])
        return None

    def _rows(
        self, after: SeededTable, fields: list[CarriedField], part: Part, former: list[FormerKey]
    ) -> Iterator[sql.Composed]:
        """Yield the query of the rows now; where the key's columns have changed, in each way to read the former key."""
        texts, names = statements("carry_over"), [each.name for each in fields]
        expressions = after.expressions(self.ledger.salt)
        named = expressions.texts(names)
        parts = {
            "id": expressions.id("t"),
            "hashes": expressions.hashes("t", names, names, named),
            "rows": expressions.rows(named, part.rows),
        }
        if not former:
            yield sql.SQL(texts["rows_by_key"]).format(**parts)
            return
        hashes = (each.before.hashed("f", self.ledger.salt, key=True) for each in former)
        former_id = sql.SQL(" # ").join(hashes)
        for cast in ("CAST(t.{} AS {}) AS {}", "CAST(CAST(t.{} AS text) AS {}) AS {}"):
            key = (
                sql.SQL(cast).format(
                    Name(each.now), as_is(each.before.type), Name(each.before.name)
                )
                for each in former
            )
            yield sql.SQL(texts["rows_by_former_key"]).format(
                **parts, former_id=former_id, former_key=sql.SQL(", ").join(key)
            )

    def _former_key(self, after: SeededTable) -> list[FormerKey]:
        """Return the columns of the key before and now; none where the same values have the same hashes."""
        pairs = list(zip(self.before.key, after.key, strict=True))
        columns = [
            FormerKey(self._as_it_was(self.before.columns[old].column), new) for old, new in pairs
        ]
        is_alike = all(
            self.before.columns[old].column.is_hashed_like(after.columns[new].column, key=True)
            for old, new in pairs
        )
        return [] if is_alike else columns

    def _as_it_was(self, column: Column) -> Column:
        """Return a column of the former key; where its type is gone, as an enum may be, with its text."""
        query = statements("carry_over")["has_type"]
        row = self.ledger.connection.execute(query, {"type": column.type}).fetchone()
        return column if row and row[0] else replace(column, type="text", base="text")

    def _write(self, fields: Sequence[str], key: Sequence[str]) -> None:
        dataset_id = self.before.applied.dataset_id
        values = {"dataset": dataset_id, "fields": list(fields), "key": list(key)}
        self.ledger.connection.execute(statements("carry_over")["write_carried"], values)
