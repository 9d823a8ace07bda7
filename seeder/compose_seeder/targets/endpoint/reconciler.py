"""An endpoint of the application's API as a target: step by step, the ledger follows each confirmed answer.

the file, and the API's records ─▶ compare ─▶ send, some at once ─▶ read back ─▶ the ledger
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import psycopg

from compose_seeder.documents.batch import Documents
from compose_seeder.postgres import Connection
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.comparison import (
    all_records,
    begin_applying,
    compare_sides,
    remember_pending,
)
from compose_seeder.reconcile.desired_records import DesiredRecords
from compose_seeder.reconcile.plan import Plan
from compose_seeder.reconcile.target import DatasetRun
from compose_seeder.targets.endpoint.sender import PlanSender
from compose_seeder.targets.endpoint.sides import EndpointSides
from compose_seeder.targets.table.privileges import explain_denial
from compose_seeder.targets.table.references import lookup_of


class EndpointReconciler:
    """Reconciles one dataset with its endpoint.

    Args:
        run: a dataset with an endpoint.
    """

    def __init__(self, run: DatasetRun) -> None:
        self._run = run

    def lacks_schema(self) -> bool:
        """Return True: an endpoint needs the API, and the API needs the schema."""
        return True

    def explain_denial(self, error: psycopg.errors.InsufficientPrivilege) -> str:
        """Return which privilege the role lacks, and what would grant it."""
        has_secrets = bool(self._run.dataset.secrets)
        return explain_denial(self._run.connection, None, error, has_secrets=has_secrets)

    def reconcile(self, document: Documents, fingerprint: str) -> Plan:
        """Compare the file with the API's records, and send the differences; see `Reconciler`."""
        try:
            return self._compare_and_send(document, fingerprint)
        finally:
            _reset(self._run.connection)

    def _compare_and_send(self, document: Documents, fingerprint: str) -> Plan:
        run = self._run
        applied = run.applied()
        sides = EndpointSides(run, run.options.api())
        desired = DesiredRecords(run.dataset, all_records(run, document), document, lookup_of(run))
        plan, fields = compare_sides(run, sides, desired, applied)
        plan = replace(plan, unseen=tuple(sorted(sides.unseen)))
        if run.options.plan:
            remember_pending(run, desired)
            return plan
        dataset_id = begin_applying(run, applied, fields)
        plan = PlanSender(run, sides).apply(plan, run.ledger, dataset_id, run.progress)
        if run.is_complete(plan):
            run.ledger.record_dataset(run.dataset.name, dataset_id, fingerprint, desired.count)
        return plan


def _reset(connection: Connection) -> None:
    """Drop the working tables; where a signal interrupted a statement, the connection accepts no other."""
    with suppress(psycopg.Error):
        working_tables.reset(connection)
