"""Writes a plan to a table: DELETE, UPDATE, which frees unique values, and one INSERT a field set.

    plan ─▶ DELETE, UPDATE, INSERT ─▶ what triggers made of it ─▶ the ledger

Nothing is written where a record is refused: the records at fault are then found by trying them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NoReturn

import psycopg
from psycopg import sql

from compose_seeder.errors import (
    SHOWN,
    CredentialsError,
    Fault,
    InterruptedTargetError,
    RefusedError,
)
from compose_seeder.postgres import kind_of, statements
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.reconcile.plan import Plan
from compose_seeder.reconcile.target import DatasetRun, Progress
from compose_seeder.targets.table.bisect import MAX_FOUND
from compose_seeder.targets.table.concurrent_rows import check_created_rows, concurrent_rows_error
from compose_seeder.targets.table.plan_checks import refusal
from compose_seeder.targets.table.privileges import (
    NEEDED,
    explain_denial,
    explain_row_security,
)
from compose_seeder.targets.table.row_statements import RowStatements
from compose_seeder.targets.table.sequences import advance_sequences
from compose_seeder.targets.table.sides import TableSides
from compose_seeder.targets.table.unnamed_columns import UnnamedColumns
from compose_seeder.targets.table.write_errors import WriteErrors, dataset_fault
from compose_seeder.targets.table.write_order import UpdateOrder, find_order

CONCURRENT = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.ExclusionViolation,
    psycopg.errors.ForeignKeyViolation,
)
"""Violations that rows of another session may cause, which the comparison has not seen."""


class TableWriter:
    """Writes to one dataset's table, inside a transaction that the caller holds.

    Args:
        run: the dataset.
        sides: of the comparison that made the plan.
        is_repeated: the comparison was made again, since another session may have changed what it was about.
    """

    def __init__(self, run: DatasetRun, sides: TableSides, *, is_repeated: bool = False) -> None:
        self._is_repeated = is_repeated
        self._run = run
        self._connection = run.connection
        self._dataset = run.dataset
        self._sides = sides
        self._expressions = sides.expressions
        self._field_sets = sides.loader.field_sets
        self._rows = RowStatements(
            run.connection, run.dataset, sides.expressions, sides.loader.field_sets
        )

    def apply(self, plan: Plan, ledger: Ledger, dataset_id: int, progress: Progress) -> Plan:
        """Delete, insert, update, let sequences follow, and write the ledger.

        Raises:
            RefusedError: a constraint or trigger refused records; they are named.
            CredentialsError: the role lacks a privilege.
            InterruptedTargetError: somebody changed the same rows at the same moment.
            ConcurrentRowsError: somebody may have created or deleted rows meanwhile: compare again.
        """
        rewritten: list[str] = []
        try:
            with self._connection.transaction():
                may_rewrite = self._may_rewrite_rows(plan)
                notes_shown = may_rewrite or (
                    plan.counts.created > 0 and bool(self._sides.varying_defaults)
                )
                if notes_shown:
                    working_tables.create_written_rows(self._connection)
                    self._unnamed_columns().note_edited()
                self._write(plan)
                if may_rewrite:
                    rewritten = self._check_written_rows()
                if plan.counts.created:
                    check_created_rows(self._connection, self._expressions)
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
                case "record" if isinstance(error, CONCURRENT) and not self._is_repeated:
                    raise concurrent_rows_error(self._dataset) from None
                case "record":
                    faults = self._refused() or [dataset_fault(self._dataset, error)]
                    more = len(faults) >= MAX_FOUND
                    raise RefusedError(refusal(self._run), faults, len(faults), more=more) from None
                case _:
                    raise
        ledger.record_plan(dataset_id, unwritten_only=False)
        if notes_shown:
            self._unnamed_columns().record_shown(dataset_id, updated=may_rewrite)
        progress(plan.counts.written, plan.counts.written)
        return plan.with_unconfirmed(rewritten)

    def _raise_denied(self, error: psycopg.Error) -> NoReturn:
        """Raise the error for a missing privilege, or for records that row-level security refuses."""
        why = explain_row_security(self._connection, self._expressions.table)
        if why is None:
            needed = [*NEEDED, "DELETE"] if self._dataset.prune else NEEDED
            has_secrets = bool(self._dataset.secrets)
            said = explain_denial(
                self._connection, self._expressions.table, error, needed, has_secrets=has_secrets
            )
            raise CredentialsError(f"{self._dataset.target}: {said}") from None
        raise RefusedError(
            refusal(self._run), [replace(fault, problem=why) for fault in self._refused()]
        ) from None

    def _write(self, plan: Plan) -> None:
        planned = plan.counts
        # Values may change places, and rows may refer to each other, until all of them are written.
        self._connection.execute("SET CONSTRAINTS ALL DEFERRED")
        deleted = self._rows.delete(None) if planned.deleted else 0
        created, updated = self._write_rows(plan) if planned.created or planned.updated else (0, 0)
        if (created, updated, deleted) != (planned.created, planned.updated, planned.deleted):
            raise RefusedError(
                f"{self._dataset.target} did not accept the rows as planned",
                [
                    Fault(
                        self._dataset.target,
                        "",
                        "",
                        f"planned {planned.created} to create, {planned.updated} to update and {planned.deleted} to"
                        f" delete, and the table accepted {created}, {updated} and {deleted}: a trigger, a rule or"
                        " row-level security holds some back",
                    )
                ],
            )
        if created or updated:
            named = (field for field_set in self._field_sets for field in field_set)
            advance_sequences(self._connection, self._expressions, named)
        # Deferred constraints would else fail at COMMIT, where no record can be named any more.
        self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def _write_rows(self, plan: Plan) -> tuple[int, int]:
        """Update, then insert all new records, parents before the records that refer to them.

        Returns:
            How many rows were inserted, and how many were updated.
        """
        self._sides.self_references.insert_ids(self._rows.wider_field_sets)
        written = self._rows.written_fields() if plan.counts.updated else []
        order = self._order(written) if plan.counts.updated else UpdateOrder([])
        for column, positions in order.set_to_null.items():
            self._rows.set_to_null(column, positions)
        updates = [partial(self._rows.update, written, some) for some in order.rounds]
        levels: Sequence[list[int] | None] = self._sides.self_references.levels() or [None]
        inserts = [
            insert for some in levels if plan.counts.created for insert in self._rows.inserts(some)
        ]
        counts = self._rows.execute([*updates, *inserts], together=self._refers_to_itself())
        return sum(counts[len(updates) :]), sum(counts[: len(updates)])

    def _order(self, written: Sequence[str]) -> UpdateOrder:
        updates = self._rows.positions("update")
        return find_order(self._connection, self._expressions, written, updates)

    def _refers_to_itself(self) -> bool:
        query, table = statements("write_order")["refers_to_itself"], self._expressions.table
        row = self._connection.execute(query, {"table": table}).fetchone()
        return bool(row and row[0])

    def _may_rewrite_rows(self, plan: Plan) -> bool:
        """Return whether rows that are written may differ from the plan, as by triggers."""
        if not (plan.counts.created or plan.counts.updated):
            return False
        query, table = statements("table")["may_rewrite_rows"], self._expressions.table
        row = self._connection.execute(query, {"table": table}).fetchone()
        return bool(row and row[0])

    def _unnamed_columns(self) -> UnnamedColumns:
        return UnnamedColumns.of(self._connection, self._expressions, self._sides.fields)

    def _check_written_rows(self) -> list[str]:
        """Return which fields triggers changed in the rows just written, by record.

        Raises:
            RefusedError: the table does not show records under their keys: they would be created again.
        """
        texts = statements("table")
        every = [field for field in self._sides.fields if field in self._expressions.columns]
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
                refusal(self._run),
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

    def _refused(self) -> list[Fault]:
        """Return the records that the table refuses; nothing of what is tried stays."""
        # The ids that were inserted before the write failed are rolled back.
        self._sides.self_references.insert_ids(self._rows.wider_field_sets)
        # A record that is created is there for those that refer to it.
        levels = [position for level in self._sides.self_references.levels() for position in level]
        creates = levels or self._rows.positions("create")
        order = self._order(self._rows.written_fields())
        updates = [position for some in order.rounds for position in some or ()]
        updates = updates or self._rows.positions("update")
        write_errors = WriteErrors(
            self._connection, self._expressions, self._sides.records_at, order.ring
        )
        write = partial(self._write_some, frozenset(updates))
        with self._connection.transaction(force_rollback=True):
            faults = write_errors.not_deleted(self._rows.delete)
            if not faults:
                self._rows.delete(None)  # records may take the values of rows that leave
            return [*write_errors.not_written([*updates, *creates], write), *faults]

    def _write_some(self, updates: frozenset[int], positions: Sequence[int]) -> None:
        """Write the records at some positions; those at `updates` are there already."""
        updated = [position for position in positions if position in updates]
        created = [position for position in positions if position not in updates]
        update = partial(self._rows.update, self._rows.written_fields(), updated)
        inserts = self._rows.inserts(created) if created else []
        self._rows.execute(
            [*([update] if updated else []), *inserts], together=self._refers_to_itself()
        )
