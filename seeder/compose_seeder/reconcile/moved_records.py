"""Records that left a dataset's file for the file of another dataset of the same target: whichever datasets are chosen.

plan: left the file ─▶ is it in another dataset's file? ─▶ released ─▶ the ledger has it under that dataset
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from compose_seeder.hashing import NESTED_AS_TEXT
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import statements
from compose_seeder.reconcile.ledger import Applied
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import DatasetRun


class Finds(Protocol):
    """Finds records of a target in another dataset's file."""

    def find_moved(self, sibling: Dataset, records: Iterable[list[Desired]]) -> None:
        """Write the sibling's name to `plan.moved_to` of each record that left the file and that its file has.

        Args:
            sibling: another dataset of the target.
            records: of its file.
        """


def find_moved(run: DatasetRun, sides: Finds) -> None:
    """Release the records of `pg_temp.plan` that left the file, and that another dataset's file has.

    Raises:
        SeedError: that dataset's file cannot be read, so that nobody can tell.
    """
    texts = statements("moved_records")
    row = run.connection.execute(texts["has_left"]).fetchone()
    if not row or not row[0]:
        return
    for sibling in run.siblings:
        sides.find_moved(sibling, run.records_of(sibling))
    run.connection.execute(texts["release_moved"])


def hand_over(run: DatasetRun, applied: Applied | None, dataset_id: int) -> None:
    """Write the records that moved to the ledger under the datasets that have them now.

    Args:
        run: the dataset that they left.
        applied: what the ledger said of it.
        dataset_id: of it.
    """
    if applied is None:
        return
    texts = statements("moved_records")
    for sibling in run.siblings:
        if set(sibling.key) != set(run.dataset.key):
            continue  # the same row has another id there
        values = {
            "own": dataset_id,
            "sibling": sibling.name,
            "key": list(sibling.key),
            "comparable": NESTED_AS_TEXT,
        }
        if run.connection.execute(texts["has_moved"], values).fetchone() is not None:
            for name in ("add_sibling", "add_fields", "hand_over"):
                run.connection.execute(texts[name], values)
