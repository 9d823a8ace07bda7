"""A table as a target: its rows and the ledger change in one transaction, or not at all.

owns nothing yet ─▶ empty table, plain records ─▶ bulk load ─▶ done
applied before ───▶ records of the file, and rows of the table, that are not as they were applied
└─▶ compare them ─▶ check what the table would refuse ─▶ write ─▶ the ledger
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg

from compose_seeder.documents.batch import Documents
from compose_seeder.errors import RecordError
from compose_seeder.manifest.table_name import regclass
from compose_seeder.postgres import statements
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.comparison import (
    all_records,
    begin_applying,
    compare_sides,
    remember_pending,
)
from compose_seeder.reconcile.desired_records import DesiredRecords
from compose_seeder.reconcile.digest_matcher import DigestMatcher
from compose_seeder.reconcile.ledger import Applied
from compose_seeder.reconcile.plan import Counts, Plan
from compose_seeder.reconcile.source_digests import read_sources, record_sources, unpack_ids
from compose_seeder.reconcile.target import DatasetRun
from compose_seeder.reconcile.unchanged_records import (
    ChangedRecords,
    all_changed,
    find_changed_records,
)
from compose_seeder.targets.table.bulk_load import bulk_load
from compose_seeder.targets.table.columns import columns
from compose_seeder.targets.table.concurrent_rows import ConcurrentRowsError, check_created_rows
from compose_seeder.targets.table.deletes import remember_rows
from compose_seeder.targets.table.modified_rows import find_modified_rows
from compose_seeder.targets.table.plan_checks import check_plan
from compose_seeder.targets.table.privileges import explain_denial
from compose_seeder.targets.table.references import (
    FileReferences,
    find_file_references,
    lookup_of,
    remember_key_hashes,
)
from compose_seeder.targets.table.sides import TableSides
from compose_seeder.targets.table.writer import TableWriter


class TableReconciler:
    """Reconciles one dataset with its table.

    Args:
        run: a dataset with a table.
    """

    def __init__(self, run: DatasetRun) -> None:
        self._run = run
        self._connection = run.connection
        self._table = run.dataset.table or ""
        self._is_repeated = False

    def lacks_schema(self) -> bool:
        """Return whether the table is not there."""
        return not columns(self._connection, self._table)

    def explain_denial(self, error: psycopg.errors.InsufficientPrivilege) -> str:
        """Return which privilege the role lacks on the table, and what would grant it."""
        has_secrets = bool(self._run.dataset.secrets)
        return explain_denial(
            self._connection, regclass(self._table), error, has_secrets=has_secrets
        )

    def reconcile(self, document: Documents, fingerprint: str) -> Plan:
        """Compare the file with the table, and write the differences; see `Reconciler`."""
        try:
            return self._reconcile(document, fingerprint)
        except ConcurrentRowsError:
            # Another transaction sees the rows that this one did not see. Whatever fails again is no coincidence.
            self._is_repeated = True
            return self._reconcile(document, fingerprint)

    def _reconcile(self, document: Documents, fingerprint: str) -> Plan:
        with self._connection.transaction() as transaction:
            # A row that somebody edits between our reading and our writing fails the transaction.
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            if not self._run.options.plan:
                self._run.ledger.wait_for_others()
            applied = self._run.applied()
            sides = TableSides(self._run, applied)
            references = find_file_references(self._run, document)
            plan = None
            if references and applied is None and not self._run.options.plan:
                plan = bulk_load(self._run, sides, document, references, fingerprint)
                if plan:
                    check_created_rows(self._connection, sides.expressions, was_empty=True)
            if plan is None:
                plan = self._compare(sides, document, references, fingerprint, applied)
            if self._run.options.plan:
                raise psycopg.Rollback(transaction)
        return plan

    def _compare(
        self,
        sides: TableSides,
        document: Documents,
        references: FileReferences | None,
        fingerprint: str,
        applied: Applied | None,
    ) -> Plan:
        """Compare all records, or those that are not known to be unchanged; then write."""
        changed, batches = None, all_records(self._run, document)
        if applied and references and not sides.is_rehashed:
            changed = self._find_changed(sides, document, references, applied)
            if changed.is_empty and _is_recorded(applied, fingerprint, changed):
                return self._run.plan(Counts(unchanged=changed.count))
            batches = partial(changed.batches, document, self._run.dataset.records)
        lookup = lookup_of(self._run, references)
        desired = DesiredRecords(self._run.dataset, batches, document, lookup)
        plan, fields = compare_sides(self._run, sides, desired, applied, changed)
        check_plan(self._run, sides, plan, later=self._may_change_before_the_run())
        if self._run.options.plan:
            remember_pending(self._run, desired)
            remember_key_hashes(self._run)
            remember_rows(self._run, sides.expressions)
            return plan
        count = changed.count if changed else desired.count
        dataset_id = begin_applying(self._run, applied, fields)
        writer = TableWriter(self._run, sides, is_repeated=self._is_repeated)
        plan = writer.apply(plan, self._run.ledger, dataset_id, self._run.progress)
        if references:
            changed = changed or all_changed(document, self._run.dataset.records, references.salt)
            self._record_sources(dataset_id, changed)
        if self._run.is_complete(plan):
            name = self._run.dataset.name
            self._run.ledger.record_dataset(name, dataset_id, fingerprint, count)
        working_tables.reset(self._connection)
        return plan

    def _may_change_before_the_run(self) -> bool:
        """Return whether rows that a plan refers to may come of earlier datasets or of migrations."""
        options = self._run.options
        return options.plan and bool(self._run.pending or options.schema_behind)

    def _find_changed(
        self, sides: TableSides, document: Documents, references: FileReferences, applied: Applied
    ) -> ChangedRecords:
        """Find the records that changed in the file or in the table: both are read at the same time."""
        matcher = DigestMatcher(read_sources(self._connection, applied.dataset_id), references.salt)
        with ThreadPoolExecutor(1, "modified-rows") as thread:
            asked = thread.submit(find_modified_rows, self._connection, sides.expressions, applied)
            try:
                return find_changed_records(
                    document, self._run.dataset.records, matcher, asked.result
                )
            except BaseException as error:
                self._connection.cancel_safe()
                if isinstance(
                    error, RecordError
                ):  # of the text alone: stage all records, to name every fault
                    lookup = lookup_of(self._run, references)
                    batches = all_records(self._run, document)
                    list(DesiredRecords(self._run.dataset, batches, document, lookup))
                raise

    def _record_sources(self, dataset_id: int, changed: ChangedRecords) -> None:
        """Write the digests of the file's records, but of those that are not fully applied: they are compared again."""
        row = self._connection.execute(statements("diff")["fully_applied"]).fetchone()
        ids, applied = row or (b"", b"")
        changed.record_applied(unpack_ids(ids), applied)
        again = self._connection.execute(statements("diff")["ids_to_compare_again"])
        changed.append([id_ for (id_,) in again])
        record_sources(self._connection, dataset_id, changed.digests, changed.ids)


def _is_recorded(applied: Applied, fingerprint: str, changed: ChangedRecords) -> bool:
    return applied.fingerprint == fingerprint and applied.records == changed.count
