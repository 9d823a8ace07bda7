"""One dataset: is it unchanged? If not, read and validate its file, and reconcile its target with it.

fingerprints ─▶ unchanged ─▶ done
└─▶ the file ─▶ JSON Schema, children ─▶ reconciler of the table or the endpoint ─▶ plan
"""

from __future__ import annotations

from dataclasses import dataclass

from compose_seeder.documents.batch import Documents
from compose_seeder.documents.cell_variables import CellSyntax
from compose_seeder.documents.children import with_children
from compose_seeder.documents.json_schema import RecordSchema
from compose_seeder.errors import RecordError
from compose_seeder.inputs import Inputs
from compose_seeder.postgres import translated
from compose_seeder.reconcile.comparison import all_records
from compose_seeder.reconcile.desired_records import DesiredRecords
from compose_seeder.reconcile.plan import Counts, Plan
from compose_seeder.reconcile.staging import everything_pending, stage_all
from compose_seeder.reconcile.target import DatasetRun, Reconciler
from compose_seeder.targets.endpoint.reconciler import EndpointReconciler
from compose_seeder.targets.table.columns import cell_syntaxes, columns
from compose_seeder.targets.table.reconciler import TableReconciler
from compose_seeder.targets.table.references import lookup_of


@dataclass(frozen=True)
class Seeding:
    """One dataset, from its source to the ledger.

    Attributes:
        run: the dataset in this run.
        schema: the user's JSON Schema of its records.
    """

    run: DatasetRun
    schema: RecordSchema | None = None

    def seed(self, inputs: Inputs) -> tuple[Plan, str]:
        """Bring the target to what the source says, or plan it.

        Args:
            inputs: the dataset's source, JSON Schema and variables.

        Returns:
            The plan as it came out, and the source's fingerprint.

        Raises:
            SeedError: see `compose_seeder.errors`.
        """
        applied = self.run.applied()
        if applied and not self.run.options.verify:
            source = inputs.source.fingerprint()
            if applied.fingerprint == self._fingerprint(inputs, source):
                return self.run.plan(Counts(unchanged=applied.records)), source
        document, source = inputs.read(self._structured_cells())
        fingerprint = self._fingerprint(inputs, source)
        if not self.run.options.plan:
            self.run.options.changing(self.run.dataset.name)
        return self._reconcile(document, fingerprint), source

    def records(self, inputs: Inputs) -> DesiredRecords:
        """Return the records of the dataset's file, as they are to be."""
        document, _ = inputs.read(self._structured_cells())
        document = with_children(self.run.dataset, document)
        batches = all_records(self.run, document)
        return DesiredRecords(self.run.dataset, batches, document, lookup_of(self.run))

    def _fingerprint(self, inputs: Inputs, source: str) -> str:
        return inputs.fingerprint(source, self.schema.fingerprint if self.schema else "")

    def _structured_cells(self) -> dict[str, CellSyntax]:
        """Return the fields of a CSV file in which a variable must not change the structure."""
        dataset = self.run.dataset
        if not (dataset.table and dataset.env and dataset.is_text):
            return {}
        return cell_syntaxes(columns(self.run.connection, dataset.table))

    def _reconcile(self, document: Documents, fingerprint: str) -> Plan:
        run = self.run
        reconciler: Reconciler = (
            TableReconciler(run) if run.dataset.table else EndpointReconciler(run)
        )
        with translated(
            run.connection,
            f"dataset {run.dataset.name}",
            reconciler.explain_denial,
            has_secrets=bool(run.dataset.secrets),
        ):
            if self.schema:
                self._check(self.schema, document)
            document = with_children(run.dataset, document)
            if run.options.schema_behind and reconciler.lacks_schema():
                return self._plan_creation(document)
            return reconciler.reconcile(document, fingerprint)

    def _check(self, schema: RecordSchema, document: Documents) -> None:
        """Check the records against the JSON Schema; where they break it, name their other faults too."""
        try:
            schema.check(document)
        except RecordError as error:
            dataset = self.run.dataset
            document.array(dataset.records)  # where records cannot be read, nothing else counts
            try:
                stage_all(dataset, with_children(dataset, document), lookup_of(self.run))
            except RecordError as other:
                raise RecordError(error.what, [*other.faults, *error.faults]) from None
            raise

    def _plan_creation(self, document: Documents) -> Plan:
        """Return the plan for a target that the pending migrations make: every record is created."""
        batches = all_records(self.run, document)
        new = DesiredRecords(self.run.dataset, batches, document, everything_pending)
        created = sum(map(len, new)) + new.waiting
        return self.run.plan(Counts(created=created), after_migration=True)
