"""What the two kinds of target have in common: a reconciler owns the whole flow of one dataset.

table      one transaction: bulk load of an empty table, or changed records ─▶ diff ─▶ apply
endpoint   step by step: read the API ─▶ diff ─▶ send; the ledger follows each confirmed answer
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import psycopg

from compose_seeder.documents.batch import Documents
from compose_seeder.manifest.models import Dataset
from compose_seeder.options import Options
from compose_seeder.postgres import Connection
from compose_seeder.reconcile.ledger import Applied, Ledger
from compose_seeder.reconcile.plan import Counts, Plan
from compose_seeder.reconcile.staging import Desired

Progress = Callable[[int, int], None]
"""Told how many records of a dataset are done, and of how many."""

PlannedRow = tuple[int, str, list[str] | None]
"""A row that a plan would change: oid of its table, ctid, and the columns that are updated; None for a delete."""

FieldSet = tuple[str, ...]
"""The names of the fields of a record: only those that it names are compared or written."""


Deletes = Literal["now", "if free", "later"]
"""When records that left the file are deleted.

later: all of them after later datasets. if free: rows that other rows refer to after later datasets, which may change
that. now: all of them, and those that are still in use stay.
"""


@dataclass(frozen=True)
class DatasetRun:
    """One dataset in one run: everything that its reconciler works with.

    Attributes:
        connection: to the application's database, in autocommit.
        ledger: of that database.
        dataset: the manifest's entry.
        options: of the run.
        pending: the keys that earlier datasets of the same plan create: their texts, and for tables hashes too, which
            are equal where the columns' types say so; a plan adds its own.
        oid: of its table; None where that is not there, and for an endpoint.
        siblings: the manifest's other datasets that have the same target.
        records_of: returns the records of a sibling's file, some at a time.
        predecessor: the name of a dataset that is gone, whose records this one takes over.
        deletes: when records that left the file are deleted.
        tables: oids of the tables whose rows the run may change; None where an endpoint may change any table.
        planned: the rows that the comparisons of a plan would delete or update; a plan adds its own. None where no
            dataset prunes.
    """

    connection: Connection
    ledger: Ledger
    dataset: Dataset
    options: Options
    pending: set[str | int]
    oid: int | None = None
    siblings: tuple[Dataset, ...] = ()
    records_of: Callable[[Dataset], Iterable[list[Desired]]] = lambda _: ()
    predecessor: str | None = None
    deletes: Deletes = "now"
    tables: tuple[int, ...] | None = ()
    planned: list[PlannedRow] | None = None

    def plan(self, counts: Counts, *, after_migration: bool = False) -> Plan:
        """Return a plan with these counts, and without records."""
        name, target = self.dataset.name, self.dataset.target
        return Plan(name, target, counts, after_migration=after_migration)

    def applied(self) -> Applied | None:
        """Return what the ledger says of the dataset; None where another target had it."""
        applied = self.ledger.applied(self.dataset.name)
        if applied is None and self.predecessor:
            applied = self.ledger.applied(self.predecessor)
        if applied is None:
            return None
        if self.dataset.relation is None:
            return applied if applied.target == self.dataset.target else None
        return applied if applied.oid is not None and applied.oid == self.oid else None

    def is_complete(self, plan: Plan) -> bool:
        """Return whether nothing of a plan is left for later."""
        return not plan.postponed

    def progress(self, done: int, total: int) -> None:
        """Tell how many records are done, and of how many."""
        self.options.progress(self.dataset.name, done, total)


class Reconciler(Protocol):
    """Brings one target to what the dataset's file says, or plans it."""

    def lacks_schema(self) -> bool:
        """Return whether the target cannot be compared before the pending migrations are applied."""

    def reconcile(self, document: Documents, fingerprint: str) -> Plan:
        """Compare the file with the target, apply the differences, and write the ledger.

        With `options.plan`, nothing is changed.

        Args:
            document: the file's arrays, each record with its children in it.
            fingerprint: of the dataset's inputs; the ledger gets it when everything is applied.

        Raises:
            SeedError: see `compose_seeder.errors`.
            psycopg.Error: as PostgreSQL answers; `dataset.py` translates it.
        """

    def explain_denial(self, error: psycopg.errors.InsufficientPrivilege) -> str:
        """Return which privilege the role lacks, and what would grant it."""
