"""Records that are owned already, under another dataset of the same target and key: ownership moves with them.

a dataset that is renamed ─▶ takes over all records of the name that is gone
a record in another file ──▶ is compared with what the other dataset applied
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compose_seeder.manifest.models import Dataset
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.identity import Targets
from compose_seeder.reconcile.ledger import Applied, Ledger
from compose_seeder.reconcile.target import DatasetRun


def find_predecessors(
    ledger: Ledger, chosen: Sequence[Dataset], targets: Targets
) -> Mapping[str, str]:
    """Return the names that are gone from the manifest, by the name of the dataset that takes over their records.

    Args:
        ledger: what was applied.
        chosen: the datasets to seed.
        targets: of all datasets of the manifest.
    """
    names = {dataset.name for dataset in targets.datasets}
    found: dict[str, str] = {}
    for dataset in chosen:
        if ledger.applied(dataset.name) is None:
            gone = [
                other.name
                for other in ledger.others(dataset, targets.oid(dataset))
                if other.name not in names and other.name not in found.values()
            ]
            if gone:
                found[dataset.name] = gone[0]
    return found


def take_over_applied(run: DatasetRun, applied: Applied | None, fields: Sequence[str]) -> None:
    """Add to `pg_temp.applied` what other datasets applied of the records that the file has.

    Args:
        run: the dataset.
        applied: what the ledger says of it.
        fields: in the order of the hashes.
    """
    if others := _others(run, applied):
        ids = [other.dataset_id for other in others]
        own = applied.dataset_id if applied else None
        working_tables.fill_applied_elsewhere(run.connection, own, ids, fields)


def forget_taken_over(run: DatasetRun, applied: Applied | None) -> None:
    """Forget records of `pg_temp.plan` under the datasets that are gone, which had them before."""
    kept = {sibling.name for sibling in run.siblings}
    gone = [other.dataset_id for other in _others(run, applied) if other.name not in kept]
    if gone:
        run.ledger.forget_taken_over(gone)


def _others(run: DatasetRun, applied: Applied | None) -> list[Applied]:
    if not run.ledger.present:
        return []
    found = run.ledger.others(run.dataset, run.oid)
    return [other for other in found if applied is None or other.dataset_id != applied.dataset_id]
