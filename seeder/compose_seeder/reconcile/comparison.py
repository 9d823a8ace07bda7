"""The steps that every reconciler takes: fill the working tables, compare, and begin to apply.

create the working tables ─▶ applied ─▶ the target's two sides ─▶ diff ─▶ checks ─▶ plan
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Protocol

from compose_seeder.documents.batch import Documents
from compose_seeder.documents.record_values import text_of, to_exact
from compose_seeder.postgres import statements
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.desired_records import Batches, DesiredRecords
from compose_seeder.reconcile.diff import check_prune, check_unchanged_keys, compare
from compose_seeder.reconcile.ledger import Applied
from compose_seeder.reconcile.moved_records import Finds, find_moved, hand_over
from compose_seeder.reconcile.plan import Counts, Plan
from compose_seeder.reconcile.takeover import forget_taken_over, take_over_applied
from compose_seeder.reconcile.target import DatasetRun, FieldSet
from compose_seeder.reconcile.unchanged_records import ChangedRecords
from compose_seeder.reconcile.working_tables import Kind, Selection


class Sides(Finds, Protocol):
    """Fills the working tables with the two sides of the comparison: the file's and the target's."""

    def load(self, desired: DesiredRecords) -> list[FieldSet]:
        """Take the desired records, and return the sets of fields that they have."""

    def show(self, fields: list[str], take_over: Callable[[], None]) -> None:
        """Fill `desired` and `live`.

        Args:
            fields: the order of the hashes.
            take_over: completes `applied`, once `desired` is filled.
        """

    def defaults(self, fields: list[str]) -> list[int | None]:
        """Return the hash of what each field holds where nobody filled it; None where nobody can tell."""

    def check_deletes(self) -> None:
        """Change the action of records in `plan` that the target cannot delete, or not yet."""


def all_records(run: DatasetRun, document: Documents) -> Batches:
    """Return the iterator over all records of the dataset."""
    return partial(document.batches, run.dataset.records)


def compare_sides(
    run: DatasetRun,
    sides: Sides,
    desired: DesiredRecords,
    applied: Applied | None,
    changed: ChangedRecords | None = None,
) -> tuple[Plan, list[str]]:
    """Compare a dataset's file with its target.

    Args:
        run: the dataset.
        sides: of its target.
        desired: the desired records.
        applied: what the ledger says; None where nothing of it counts.
        changed: the records that are compared, where they are not all of the file.

    Returns:
        The plan, and the order of the hashes.

    Raises:
        SeedError: see `reconcile.diff`.
    """
    kind: Kind = "table" if run.dataset.table else "endpoint"
    working_tables.create(run.connection, kind, run.ledger.salt)
    fields = order_of_hashes(applied, sides.load(desired))
    _fill_applied(run, applied, changed)
    sides.show(fields, partial(take_over_applied, run, applied, fields))
    if changed is not None and applied is not None:
        check_unchanged_keys(run.connection, run.dataset, desired.records_at, applied.dataset_id)
    spares = applied and run.dataset.prune
    siblings = [sibling.name for sibling in run.siblings] if spares else []
    plan = compare(
        run.connection,
        run.dataset,
        desired.records_at,
        fields,
        sides.defaults(fields),
        run.options.limit,
        siblings,
        partial(_check_deletes, run, sides),
    )
    if applied and plan.counts.deleted + plan.postponed:
        owned = max(applied.records, run.ledger.owned(applied.dataset_id))
        check_prune(run.dataset, plan, owned)
    unchanged = changed.count - len(changed.positions) if changed else 0
    counts = plan.counts + Counts(created=desired.waiting, unchanged=unchanged)
    return replace(plan, counts=counts, differing=plan.differing + desired.waiting), fields


def _check_deletes(run: DatasetRun, sides: Sides) -> None:
    find_moved(run, sides)
    if run.deletes == "later":
        run.connection.execute(statements("diff")["postpone_deletes"])
    elif run.dataset.prune:
        sides.check_deletes()


def _fill_applied(run: DatasetRun, applied: Applied | None, changed: ChangedRecords | None) -> None:
    if changed is not None:
        working_tables.fill_ids_to_compare(run.connection, changed.ids_to_compare)
    if applied is not None:
        which: Selection = "all" if changed is None else "ids to compare"
        working_tables.fill_applied(run.connection, applied.dataset_id, which)


def begin_applying(run: DatasetRun, applied: Applied | None, fields: list[str]) -> int:
    """Write to the ledger that the dataset is about to change, and return its id there.

    From here on, the target is not what the ledger's fingerprint says, should the run fail.
    """
    before = applied.name if applied else ""
    dataset_id = run.ledger.begin_dataset(run.dataset, fields, before)
    if applied is None:
        run.ledger.forget_records(dataset_id)
    forget_taken_over(run, applied)
    hand_over(run, applied, dataset_id)
    return dataset_id


def remember_pending(run: DatasetRun, desired: DesiredRecords) -> None:
    """Remember the keys that a plan creates: later datasets of the plan may refer to them."""
    rows = run.connection.execute(statements("diff")["created_positions"]).fetchall()
    records = desired.records_at(position for (position,) in rows)
    values = (record.document[field] for record in records.values() for field in run.dataset.key)
    run.pending.update(text_of(value) for raw in values if (value := to_exact(raw)) is not None)


def order_of_hashes(applied: Applied | None, field_sets: Iterable[FieldSet]) -> list[str]:
    """Return the fields in the order of their hashes: the ledger's, and new fields after them."""
    old = applied.fields if applied else []
    return list(dict.fromkeys([*old, *(name for names in sorted(field_sets) for name in names)]))
