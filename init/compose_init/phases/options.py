"""What the command line asks of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PhaseName = Literal["wait", "migrate", "roles", "seed"]

PLAN_RECORDS = 1000
"""How many records of a dataset a plan carries, unless `--limit` says otherwise."""


@dataclass(frozen=True)
class RunOptions:
    """What the command line asks of a run.

    Attributes:
        migrate: bring the schema to head.
        seed: bring the seeds to what their files say.
        verify: compare with live data even where no file has changed.
        datasets: names of the datasets to seed; all where it is empty.
        limit: how many records of a dataset a plan carries; None for all.
    """

    migrate: bool = True
    seed: bool = True
    verify: bool = False
    datasets: tuple[str, ...] = ()
    limit: int | None = PLAN_RECORDS

    @property
    def seed_name(self) -> str:
        """The seed phase's name in the ledger: two containers may each seed some datasets."""
        return ":".join(["seed", *sorted(set(self.datasets))])

    @property
    def flags(self) -> tuple[str, ...]:
        """The command line that chooses these phases and datasets, in one spelling."""
        datasets = [word for name in sorted(set(self.datasets)) for word in ("--dataset", name)]
        if self.migrate and self.seed:
            return tuple(datasets)
        return ("--migrate-only" if self.migrate else "--seed-only", *datasets)
