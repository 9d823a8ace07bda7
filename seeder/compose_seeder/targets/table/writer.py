"""Writes a plan to a table: one INSERT a field set, one UPDATE, one DELETE.

    plan ─▶ constraints that records would violate ─▶ DELETE, INSERT, UPDATE ─▶ what triggers made of it ─▶ the ledger

Nothing is written where a record is refused: the records at fault are then found by trying them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psycopg
from psycopg import sql

from compose_seeder.documents.record_values import SECRET
from compose_seeder.errors import (
    SHOWN,
    CredentialsError,
    Fault,
    InterruptedTargetError,
    RecordError,
    RefusedError,
    quote,
)
from compose_seeder.postgres import Name, Text, kind_of, statements
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.reconcile.plan import Plan
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import DatasetRun, FieldSet, Progress
from compose_seeder.targets.table.bisect import MAX_FOUND
from compose_seeder.targets.table.columns import equal_columns, identifiers
from compose_seeder.targets.table.constraint_violations import ConstraintViolations
from compose_seeder.targets.table.privileges import (
    NEEDED,
    explain_denial,
    explain_hidden_rows,
    explain_row_security,
)
from compose_seeder.targets.table.self_references import UnresolvedReference
from compose_seeder.targets.table.sequences import advance_sequences
from compose_seeder.targets.table.sides import TableSides
from compose_seeder.targets.table.write_errors import WriteErrors, dataset_fault


class TableWriter:
    """Writes to one dataset's table, inside a transaction that the caller holds.

    Args:
        run: the dataset.
        sides: of the comparison that made the plan.
    """

    def __init__(self, run: DatasetRun, sides: TableSides) -> None:
        self._connection = run.connection
        self._dataset = run.dataset
        self._sides = sides
        self._expressions = sides.expressions
        self._field_sets = sides.loader.field_sets

    def check(self, plan: Plan, *, later: bool) -> None:
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
            why := explain_hidden_rows(self._connection, self._expressions.table, self._dataset.key)
        ):
            raise RefusedError(self._refuses, [Fault(self._dataset.target, "", "", why)])
        if unresolved := self._sides.self_references.unresolved():
            records = self._sides.records_at(reference.position for reference in unresolved[:SHOWN])
            faults = [
                self._unresolved_fault(reference, records[reference.position])
                for reference in unresolved[:SHOWN]
            ]
            raise RecordError(
                f"dataset {self._dataset.name} has records that are wrong", faults, len(unresolved)
            )
        refs = frozenset(self._dataset.refs if later else self._sides.self_references.refs())
        violations = ConstraintViolations(
            self._connection,
            self._dataset,
            self._expressions.table,
            self._expressions.identifier,
            [name for name, column in self._expressions.columns.items() if not column.generated],
            self._expressions.typed,
            deferred=refs,
            parents_there=not later,
        )
        violations.find(self._sides.records_at, self._field_sets)
        if violations.faults:
            raise RefusedError(self._refuses, violations.faults, violations.count)

    def apply(self, plan: Plan, ledger: Ledger, dataset_id: int, progress: Progress) -> Plan:
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
                rewritten = self._check_written_rows(plan)
        except psycopg.DatabaseError as error:
            # PostgreSQL's details have values, and a traceback would show them: hence `from None`.
            match kind_of(error):
                case "denied":
                    self._raise_denied(error)
                case "conflict":
                    raise InterruptedTargetError(
                        f"{self._dataset.target}: rows were changed by somebody else while they were being"
                        " compared; nothing was written: run again"
                    ) from None
                case "record":
                    faults = self._refused() or [dataset_fault(self._dataset, error)]
                    more = len(faults) >= MAX_FOUND
                    raise RefusedError(self._refuses, faults, len(faults), more=more) from None
                case _:
                    raise
        ledger.record_plan(dataset_id, unwritten_only=False)
        progress(plan.counts.written, plan.counts.written)
        return plan.with_unconfirmed(rewritten)

    def _unresolved_fault(self, reference: UnresolvedReference, record: Desired) -> Fault:
        ref = self._dataset.refs[reference.name]
        secret = {reference.name, ref.from_} & self._dataset.secrets
        shown = SECRET if secret else quote(reference.value)
        there = "no row and no new record has it"
        if reference.count:
            there = f"{reference.count} records of the file have it"
        problem = f"refers to {ref.table}.{ref.match} {shown}, but {there}"
        return Fault(record.where, self._expressions.format_key(record), ref.from_, problem)

    def _wider_field_sets(self, field: str) -> dict[int, int]:
        """Return the numbers of all field sets, each with the number of the field set that has this field as well."""
        found = {}
        for field_set, number in list(self._field_sets.items()):
            wider = tuple(dict.fromkeys([*field_set, field]))
            found[number] = self._field_sets.setdefault(wider, len(self._field_sets))
        return found

    def _raise_denied(self, error: psycopg.Error) -> None:
        """Raise the error for a missing privilege, or for records that row-level security refuses."""
        why = explain_row_security(self._connection, self._expressions.table)
        if why is None:
            needed = [*NEEDED, "DELETE"] if self._dataset.prune else NEEDED
            said = explain_denial(self._connection, self._expressions.table, error, needed)
            raise CredentialsError(f"{self._dataset.target}: {said}") from None
        raise RefusedError(
            self._refuses, [replace(fault, problem=why) for fault in self._refused()]
        ) from None

    @property
    def _refuses(self) -> str:
        return f"dataset {self._dataset.name}: {self._dataset.target} refuses records"

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
            named = (field for field_set in self._field_sets for field in field_set)
            advance_sequences(self._connection, self._expressions, named)
        # Deferred constraints would else fail at COMMIT, where no record can be named any more.
        self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def _create(self) -> int:
        """Insert all that is new: where records wait for others, those first."""
        self._sides.self_references.insert_ids(self._wider_field_sets)
        levels: Sequence[list[int] | None] = self._sides.self_references.levels() or [None]
        return sum(
            self._insert(field_set, positions)
            for positions in levels
            for field_set in self._field_sets
        )

    def _check_written_rows(self, plan: Plan) -> list[str]:
        """See what triggers made of the rows just written; which fields they changed, by record.

        Raises:
            RefusedError: the table does not show records under their keys: they would be created again.
        """
        texts, table = statements("table"), {"table": self._expressions.table}
        row = self._connection.execute(texts["may_rewrite_rows"], table).fetchone()
        if not (plan.counts.created or plan.counts.updated) or not row or not row[0]:
            return []
        every = [field for field in self._sides.fields if field in self._expressions.columns]
        working_tables.create_written_rows(self._connection)
        query = sql.SQL(texts["fill_written_rows"]).format(
            id=self._expressions.id("t"),
            hashes=self._expressions.hashes("t", self._sides.fields, every),
            table=self._expressions.identifier,
        )
        self._connection.execute(query, {})
        vanished = self._connection.execute(texts["missing_rows"]).fetchall()
        if vanished:
            why = (
                "was written, and is not there under its key: a trigger, a rule or row-level security changes or"
                " hides it"
            )
            shown = self._sides.records_at(position for (position,) in vanished[:SHOWN])
            raise RefusedError(
                self._refuses,
                [
                    Fault(record.where, self._expressions.format_key(record), "", why)
                    for record in shown.values()
                ],
                len(vanished),
            )
        rules = [self._dataset.fields.get(name) for name in self._sides.fields]
        values = {
            "fields": self._sides.fields,
            "once": [bool(rule and rule.once) for rule in rules],
        }
        self._connection.execute(texts["record_rewritten_values"], values)
        found = self._connection.execute(texts["rewritten_fields"], values).fetchall()
        records = self._sides.records_at(position for position, _ in found)
        return [
            f"{self._expressions.format_key(records[n])}: {', '.join(names)}" for n, names in found
        ]

    def _insert(self, field_set: FieldSet, positions: Sequence[int] | None) -> int:
        query = sql.SQL(statements("table")["insert"]).format(
            table=self._expressions.identifier,
            columns=identifiers(None, field_set),
            fields=identifiers("p", field_set),
            typed=self._expressions.typed(field_set),
        )
        return self._connection.execute(
            query, {"field_set": self._field_sets[field_set], "positions": positions}
        ).rowcount

    def _update(self, positions: Sequence[int] | None) -> int:
        written = [
            str(row[0]) for row in self._connection.execute(statements("table")["written_fields"])
        ]
        fields = list(dict.fromkeys([*self._dataset.key, *written]))
        query = sql.SQL(statements("table")["update"]).format(
            table=self._expressions.identifier,
            assignments=sql.SQL(", ").join(
                sql.SQL(
                    "{column} = CASE WHEN w.fields -> {name} ? 'write' THEN p.{column} ELSE t.{column} END"
                ).format(column=Name(field), name=Text(field))
                for field in written
            ),
            typed=self._expressions.typed(fields),
            match=equal_columns("t", "p", self._dataset.key),
        )
        return self._connection.execute(query, {"positions": positions}).rowcount

    def _delete(self, ids: Sequence[int] | None) -> int:
        query = sql.SQL(statements("table")["delete"]).format(
            table=self._expressions.identifier, id=self._expressions.id("t")
        )
        return self._connection.execute(query, {"ids": ids}).rowcount

    def _refused(self) -> list[Fault]:
        """Return the records that the table refuses; nothing of what is tried stays."""
        write_errors = WriteErrors(self._connection, self._expressions, self._sides.records_at)
        self._sides.self_references.insert_ids(
            self._wider_field_sets
        )  # what was done before it failed is rolled back
        # A record that is created is there for those that refer to it.
        levels = [position for level in self._sides.self_references.levels() for position in level]
        return [
            *write_errors.not_written(
                (levels or self._positions("create"), self._insert_some),
                (self._positions("update"), self._update),
            ),
            *write_errors.not_deleted(self._delete),
        ]

    def _positions(self, action: str) -> list[int]:
        rows = self._connection.execute(
            statements("table")["positions_by_action"], {"action": action}
        )
        return [row[0] for row in rows]

    def _insert_some(self, positions: Sequence[int]) -> None:
        """Insert the records at some positions, in the order of their field sets."""
        query = statements("table")["field_sets"]
        there = {n for (n,) in self._connection.execute(query, {"positions": list(positions)})}
        for field_set, number in self._field_sets.items():
            if number in there:
                self._insert(field_set, positions)
