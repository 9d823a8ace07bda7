"""A table as a target: PostgreSQL does the typing, the comparison and the writing.

    desired ─▶ COPY ─▶ pg_temp.source_records (jsonb) ─▶ jsonb_to_record ─▶ pg_temp.desired
    the table ─────────────────────────────────────────────────▶ pg_temp.live
    pg_temp.plan ─▶ one INSERT a shape, one UPDATE ─▶ the table

A shape is a set of fields: only the fields that a record names are compared or written, so that
records with other fields need other statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from compose_seeder.errors import (
    SHOWN,
    CredentialsError,
    Fault,
    InterruptedTargetError,
    ManifestError,
    RecordError,
    RefusedError,
    nearest,
    quote,
)
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, Name, Text, statements
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.reconcile.plan import Plan
from compose_seeder.reconcile.staged_records import Staged
from compose_seeder.reconcile.staging import SECRET, Desired
from compose_seeder.reconcile.target import Progress, Shape
from compose_seeder.targets.table.bisect import LOOKED_FOR
from compose_seeder.targets.table.columns import columns, identifiers, same, why_no_table
from compose_seeder.targets.table.constraint_violations import Breaches
from compose_seeder.targets.table.constraints import NEEDED, denied, held_back, hidden
from compose_seeder.targets.table.expressions import Parts
from compose_seeder.targets.table.load import Loader
from compose_seeder.targets.table.modified_rows import follow_sequences
from compose_seeder.targets.table.self_references import Orphan, Tree
from compose_seeder.targets.table.type_errors import Misfits
from compose_seeder.targets.table.write_errors import Refusals, is_limit, unplaced

EQUAL = {"text", "varchar", "bpchar", "uuid", "bool", "date", "timestamp", "timestamptz"} | {
    "int2",
    "int4",
    "int8",
    "numeric",
}
"""Types of keys that a row is found by, instead of by the key's hash."""


class TableTarget:
    """One dataset's table, inside a transaction that the caller holds.

    Raises:
        ManifestError: the table or a key column is not there.
    """

    def __init__(self, connection: Connection, dataset: Dataset, salt: int) -> None:
        self._connection = connection
        self._dataset = dataset
        self.parts = Parts(dataset, columns(connection, dataset.table or ""), salt)
        self._loader = Loader(connection, self.parts)
        self._staged: Staged | None = None
        self._fields: list[str] = []
        self._check_manifest()

    def load(self, staged: Staged) -> list[Shape]:
        """Copy the desired records; the sets of fields that they have.

        Raises:
            RecordError: unknown fields, or what jsonb cannot hold; all of them.
        """
        self._staged = staged
        self._loader.load(staged)
        return list(self._loader.shapes)

    def show(self, fields: list[str], *, verify: bool) -> None:
        """Type the desired records as the table would, and show the live ones beside them.

        Raises:
            RecordError: values that a column's type does not take; all of them.
        """
        del verify  # a table shows all of itself at any time
        self._fields = fields
        try:
            with self._connection.transaction():
                self._type()
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.NotSupportedError) as error:
            # class 22, and 23 for a domain's CHECK: find which records, and say it by field
            faults, number = self._misfits.find(self._at, self._loader.shapes)
            raise RecordError(
                self._wrong, faults or [unplaced(self._dataset, error)], number
            ) from None
        self._tree.show()
        self._show_live()

    def refuse(self, plan: Plan, *, later: bool) -> None:
        """Find what the table would refuse, before anything is written.

        Args:
            plan: what `pg_temp.plan` says.
            later: whether rows that it refers to may come of earlier datasets of the same plan.

        Raises:
            RefusedError: records would break its rules; the first of them, and how many there are.
        """
        if not plan.counts.created and not plan.counts.updated:
            return
        if plan.counts.created and (
            why := hidden(self._connection, self.parts.table, self._dataset.key)
        ):
            raise RefusedError(self._refuses, [Fault(self._dataset.target, "", "", why)])
        if orphans := self._tree.orphans():
            records = self._at(one.position for one in orphans[:SHOWN])
            faults = [self._orphan(one, records[one.position]) for one in orphans[:SHOWN]]
            raise RecordError(self._wrong, faults, len(orphans))
        refs = frozenset(self._dataset.refs if later else self._tree.refs())
        breaches = Breaches(
            self._connection,
            self._dataset,
            self.parts.table,
            self.parts.identifier,
            [name for name, column in self.parts.columns.items() if not column.generated],
            self.parts.typed,
            waiting=refs,
            parents_there=not later,
        )
        breaches.find(self._at, self._loader.shapes)
        if breaches.faults:
            raise RefusedError(self._refuses, breaches.faults, breaches.count)

    def apply(self, plan: Plan, ledger: Ledger, number: int, progress: Progress) -> Plan:
        """Delete, insert, update, let sequences follow, and write the ledger.

        Raises:
            RefusedError: a constraint or trigger refused records; they are named.
            CredentialsError: the role lacks a privilege.
            InterruptedTargetError: somebody changed the same rows at the same moment.
        """
        rewritten: list[str] = []
        try:
            with self._connection.transaction():
                self._write(plan)
                rewritten = self._look_back(plan)
        except psycopg.errors.InsufficientPrivilege as error:
            self._raise_denied(error)
        except psycopg.errors.SerializationFailure:
            raise InterruptedTargetError(
                f"{self._dataset.target}: rows were changed by somebody else while they were being"
                " compared; nothing was written: run again"
            ) from None
        except psycopg.DatabaseError as error:
            # A trigger may raise any SQLSTATE; of the operational ones, only limits are the record's own.
            if isinstance(error, psycopg.OperationalError) and not is_limit(error):
                raise
            faults = self._refused() or [unplaced(self._dataset, error)]
            # PostgreSQL's details have values, and a traceback would show them.
            raise RefusedError(
                self._refuses, faults, len(faults), more=len(faults) >= LOOKED_FOR
            ) from None
        ledger.record_plan(number, unwritten_only=False)
        progress(plan.counts.written, plan.counts.written)
        return plan.with_unconfirmed(rewritten)

    @property
    def _tree(self) -> Tree:
        parts = self.parts
        return Tree(self._connection, self._dataset, parts.columns, self._fields, parts.salt)

    def _orphan(self, orphan: Orphan, record: Desired) -> Fault:
        ref = self._dataset.refs[orphan.name]
        secret = {orphan.name, ref.from_} & self._dataset.secrets
        shown = SECRET if secret else quote(orphan.value)
        there = "no row and no new record has it"
        if orphan.count:
            there = f"{orphan.count} records of the file have it"
        problem = f"refers to {ref.table}.{ref.match} {shown}, but {there}"
        return Fault(record.where, self.parts.label(record), ref.from_, problem)

    def _widened(self, field: str) -> dict[int, int]:
        """The numbers of all shapes, each with that of the shape that has a field more."""
        found = {}
        for shape, number in list(self._loader.shapes.items()):
            wider = tuple(dict.fromkeys([*shape, field]))
            found[number] = self._loader.shapes.setdefault(wider, len(self._loader.shapes))
        return found

    # what is asked of the manifest and of the fields

    def _check_manifest(self) -> None:
        if not self.parts.columns:
            why = why_no_table(self._connection, self._dataset.table or "")
            raise ManifestError(f"dataset {self._dataset.name}: {why}")
        for field in [*self._dataset.key, *self._dataset.refs]:
            if field not in self.parts.columns:
                raise ManifestError(
                    f"dataset {self._dataset.name}: table {self._dataset.table} has no column"
                    f" {field}{nearest(field, list(self.parts.columns))}"
                )

    def _raise_denied(self, error: psycopg.Error) -> None:
        """A privilege that is missing, or records that row-level security holds back."""
        why = held_back(self._connection, self.parts.table)
        if why is None:
            needed = [*NEEDED, "DELETE"] if self._dataset.prune else NEEDED
            said = denied(self._connection, self.parts.table, error, needed)
            raise CredentialsError(f"{self._dataset.target}: {said}") from None
        raise RefusedError(
            self._refuses, [replace(fault, problem=why) for fault in self._refused()]
        ) from None

    @property
    def _refuses(self) -> str:
        return f"dataset {self._dataset.name}: {self._dataset.target} refuses records"

    @property
    def _misfits(self) -> Misfits:
        return Misfits(
            self._connection,
            self._dataset,
            self.parts.table,
            {name: column.type for name, column in self.parts.columns.items()},
            {name: column.base for name, column in self.parts.columns.items()},
            {name: column.category for name, column in self.parts.columns.items()},
        )

    @property
    def _wrong(self) -> str:
        return f"dataset {self._dataset.name} has records that are wrong"

    def _at(self, positions: Iterable[int]) -> dict[int, Desired]:
        return self._staged.at(positions) if self._staged else {}

    # reading

    def _type(self) -> None:
        for shape, number in self._loader.shapes.items():
            query = sql.SQL(statements("table")["fill_desired"]).format(
                id=self.parts.id("p"),
                key=self.parts.key("p"),
                hashes=self.parts.hashes("p", self._fields, shape),
                fields=identifiers("p", shape),
                typed=self.parts.typed(shape),
            )
            self._connection.execute(query, {"field_set": number})
        self._connection.execute("ANALYZE pg_temp.desired (position, id)")

    def _show_live(self) -> None:
        if self._is_found_by_key() and (row := self._few()) and row[0]:
            self._connection.execute("ANALYZE pg_temp.source_records (position, field_set)")
            self._show_rows("rows_by_key")
            if row[1]:
                self._show_rows("rows_of_removed_records")
        else:
            self._show_rows("rows_by_id")
        self._connection.execute("ANALYZE pg_temp.live (id)")

    def _few(self) -> Any:
        values = {"table": self.parts.table}
        return self._connection.execute(statements("table")["estimate_records"], values).fetchone()

    def _is_found_by_key(self) -> bool:
        """Whether keys whose hashes are equal are equal to PostgreSQL as well."""
        return all(self.parts.columns[field].base in EQUAL for field in self._dataset.key)

    def _show_rows(self, which: str) -> None:
        every = [field for field in self._fields if field in self.parts.columns]
        condition = sql.SQL(statements("table")[which]).format(
            id=self.parts.id("t"),
            key=self.parts.key("t"),
            wanted=self.parts.key("p"),
            typed=self.parts.typed(self._dataset.key),
        )
        query = sql.SQL(statements("table")["fill_live"]).format(
            id=self.parts.id("t"),
            key=self.parts.key("t"),
            hashes=self.parts.hashes("t", self._fields, every),
            fields=identifiers("t", every),
            table=self.parts.identifier,
            condition=condition,
        )
        self._connection.execute(query, {})

    # writing

    def _write(self, plan: Plan) -> None:
        planned = plan.counts
        deleted = self._delete(None) if planned.deleted else 0
        created = self._create() if planned.created or planned.updated else 0
        updated = self._update(None) if planned.updated else 0
        if (created, updated, deleted) != (planned.created, planned.updated, planned.deleted):
            raise RefusedError(
                f"{self._dataset.target} took other rows than it was given",
                [
                    Fault(
                        self._dataset.target,
                        "",
                        "",
                        f"planned {planned.created} to create, {planned.updated} to update and {planned.deleted} to"
                        f" delete, and the table took {created}, {updated} and {deleted}: a trigger, a rule or"
                        " row-level security holds some back",
                    )
                ],
            )
        if created or updated:
            named = (field for shape in self._loader.shapes for field in shape)
            follow_sequences(self._connection, self.parts, named)
        # Deferred constraints would else fail at COMMIT, where no record can be named any more.
        self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def _create(self) -> int:
        """Insert all that is new: where records wait for others, those first."""
        self._tree.plant(self._widened)
        levels: Sequence[list[int] | None] = self._tree.levels() or [None]
        return sum(
            self._insert(shape, positions) for positions in levels for shape in self._loader.shapes
        )

    def _look_back(self, plan: Plan) -> list[str]:
        """See what triggers made of the rows just written; which fields they changed, by record.

        Raises:
            RefusedError: the table does not show records under their keys: they would be created again.
        """
        texts, table = statements("table"), {"table": self.parts.table}
        row = self._connection.execute(texts["may_rewrite_rows"], table).fetchone()
        if not (plan.counts.created or plan.counts.updated) or not row or not row[0]:
            return []
        every = [field for field in self._fields if field in self.parts.columns]
        working_tables.create_written_rows(self._connection)
        query = sql.SQL(texts["fill_written_rows"]).format(
            id=self.parts.id("t"),
            hashes=self.parts.hashes("t", self._fields, every),
            table=self.parts.identifier,
        )
        self._connection.execute(query, {})
        vanished = self._connection.execute(texts["missing_rows"]).fetchall()
        if vanished:
            why = (
                "was written, and is not there under its key: a trigger, a rule or row-level security changes or"
                " hides it"
            )
            shown = self._at(position for (position,) in vanished[:SHOWN])
            raise RefusedError(
                self._refuses,
                [Fault(one.where, self.parts.label(one), "", why) for one in shown.values()],
                len(vanished),
            )
        rules_ = [self._dataset.fields.get(name) for name in self._fields]
        values = {"fields": self._fields, "once": [bool(rule and rule.once) for rule in rules_]}
        self._connection.execute(texts["record_rewritten_values"], values)
        found = self._connection.execute(texts["rewritten_fields"], values).fetchall()
        records = self._at(position for position, _ in found)
        return [f"{self.parts.label(records[n])}: {', '.join(names)}" for n, names in found]

    def _insert(self, shape: Shape, positions: Sequence[int] | None) -> int:
        query = sql.SQL(statements("table")["insert"]).format(
            table=self.parts.identifier,
            columns=identifiers(None, shape),
            fields=identifiers("p", shape),
            typed=self.parts.typed(shape),
        )
        return self._connection.execute(
            query, {"field_set": self._loader.shapes[shape], "positions": positions}
        ).rowcount

    def _update(self, positions: Sequence[int] | None) -> int:
        written = [
            str(row[0]) for row in self._connection.execute(statements("table")["written_fields"])
        ]
        fields = list(dict.fromkeys([*self._dataset.key, *written]))
        query = sql.SQL(statements("table")["update"]).format(
            table=self.parts.identifier,
            assignments=sql.SQL(", ").join(
                sql.SQL(
                    "{column} = CASE WHEN w.fields -> {name} ? 'write' THEN p.{column} ELSE t.{column} END"
                ).format(column=Name(field), name=Text(field))
                for field in written
            ),
            typed=self.parts.typed(fields),
            match=same("t", "p", self._dataset.key),
        )
        return self._connection.execute(query, {"positions": positions}).rowcount

    def _delete(self, ids: Sequence[int] | None) -> int:
        query = sql.SQL(statements("table")["delete"]).format(
            table=self.parts.identifier, id=self.parts.id("t")
        )
        return self._connection.execute(query, {"ids": ids}).rowcount

    # finding the records at fault

    def _refused(self) -> list[Fault]:
        """The records that the table refuses; nothing of what is tried stays."""
        refusals = Refusals(self._connection, self.parts, self._at)
        self._tree.plant(self._widened)  # what was done before it failed is rolled back
        # A record that is created is there for those that refer to it.
        levels = [place for level in self._tree.levels() for place in level]
        return [
            *refusals.not_written(
                (levels or self._positions("create"), self._insert_all),
                (self._positions("update"), self._update),
            ),
            *refusals.not_deleted(self._delete),
        ]

    def _positions(self, action: str) -> list[int]:
        rows = self._connection.execute(
            statements("table")["positions_by_action"], {"action": action}
        )
        return [row[0] for row in rows]

    def _insert_all(self, positions: Sequence[int]) -> None:
        """Those at some positions, in the order of their shapes."""
        query = statements("table")["field_sets"]
        there = {n for (n,) in self._connection.execute(query, {"positions": list(positions)})}
        for shape, number in self._loader.shapes.items():
            if number in there:
                self._insert(shape, positions)
