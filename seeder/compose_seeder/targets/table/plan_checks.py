"""What a table would refuse, found before anything is written.

plan ─▶ rows that the role may not see ─▶ references that lead nowhere ─▶ constraints ─▶ RefusedError, RecordError
"""

from __future__ import annotations

from compose_seeder.documents.record_values import SECRET
from compose_seeder.errors import SHOWN, Fault, RecordError, RefusedError, quote
from compose_seeder.reconcile.plan import Plan
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import DatasetRun
from compose_seeder.targets.table.constraint_violations import ConstraintViolations
from compose_seeder.targets.table.privileges import explain_hidden_rows
from compose_seeder.targets.table.self_references import UnresolvedReference
from compose_seeder.targets.table.sides import TableSides


def check_plan(run: DatasetRun, sides: TableSides, plan: Plan, *, later: bool) -> None:
    """Check that the table would take what a plan writes.

    Args:
        run: the dataset.
        sides: of the comparison that made the plan.
        plan: what `pg_temp.plan` says.
        later: rows that the plan refers to may come of earlier datasets of the same plan.

    Raises:
        RefusedError: records would violate constraints: the first of them, and how many there are.
        RecordError: records refer to records that are nowhere.
    """
    if not plan.counts.created and not plan.counts.updated:
        return
    if plan.counts.created:
        _check_hidden_rows(run, sides)
    _check_references(run, sides)
    _check_constraints(run, sides, later=later)


def refusal(run: DatasetRun) -> str:
    """Return the first line of a message about records that the table refuses."""
    return f"dataset {run.dataset.name}: {run.dataset.target} refuses records"


def _check_hidden_rows(run: DatasetRun, sides: TableSides) -> None:
    why = explain_hidden_rows(run.connection, sides.expressions.table, run.dataset.key)
    if why:
        raise RefusedError(refusal(run), [Fault(run.dataset.target, "", "", why)])


def _check_references(run: DatasetRun, sides: TableSides) -> None:
    unresolved = sides.self_references.unresolved()
    if not unresolved:
        return
    shown = unresolved[:SHOWN]
    records = sides.records_at(reference.position for reference in shown)
    faults = [
        _unresolved_fault(run, sides, reference, records[reference.position]) for reference in shown
    ]
    message = f"dataset {run.dataset.name} has records that are wrong"
    raise RecordError(message, faults, len(unresolved))


def _check_constraints(run: DatasetRun, sides: TableSides, *, later: bool) -> None:
    columns = sides.expressions.columns.items()
    violations = ConstraintViolations(
        run.connection,
        run.dataset,
        sides.expressions.table,
        sides.expressions.identifier,
        [name for name, column in columns if not column.generated],
        sides.expressions.typed,
        deferred=frozenset(run.dataset.refs if later else sides.self_references.refs()),
        parents_there=not later,
    )
    violations.find(sides.records_at, sides.loader.field_sets)
    if violations.faults:
        raise RefusedError(refusal(run), violations.faults, violations.count)


def _unresolved_fault(
    run: DatasetRun, sides: TableSides, reference: UnresolvedReference, record: Desired
) -> Fault:
    ref = run.dataset.refs[reference.name]
    secret = {reference.name, ref.from_} & run.dataset.secrets
    shown = SECRET if secret else quote(reference.value)
    there = "no row and no new record has it"
    if reference.count:
        there = f"{reference.count} records of the file have it"
    problem = f"refers to {ref.table}.{ref.match} {shown}, but {there}"
    return Fault(record.where, sides.expressions.format_key(record), ref.from_, problem)
