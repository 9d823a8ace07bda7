"""The two kinds of target. They differ in how live is read and how a plan is applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.reconcile.plan import Plan
from compose_seeder.reconcile.staged_records import Staged

Progress = Callable[[int, int], None]
"""Told how many records of a dataset are done, and of how many."""

Shape = tuple[str, ...]
"""A set of fields: only those that a record names are compared or written."""


class Target(Protocol):
    """Where a dataset goes."""

    def load(self, staged: Staged) -> list[Shape]:
        """Take the desired records; the sets of fields that they have."""

    def show(self, fields: list[str], *, verify: bool) -> None:
        """Make `pg_temp.desired` and `pg_temp.live` show the two sides of the comparison.

        `fields` is the order in which hashes stand.
        """

    def apply(self, plan: Plan, ledger: Ledger, number: int, progress: Progress) -> Plan:
        """Do what `pg_temp.plan` says, write the ledger, and return the plan as it came out.

        `number` is the dataset's in the ledger.
        """
