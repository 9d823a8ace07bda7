"""The two kinds of target. They differ in how live is read and how a plan is applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from seeder.diff import Plan
from seeder.ledger import Ledger
from seeder.stage import Desired

Progress = Callable[[int, int], None]
"""Told how many records of a dataset are done, and of how many."""


class Target(Protocol):
    """Where a dataset goes."""

    def show(self, desired: list[Desired], fields: list[str], *, verify: bool) -> None:
        """Make `pg_temp.desired` and `pg_temp.live` show the two sides of the comparison.

        `fields` is the order in which hashes stand.
        """

    def apply(self, plan: Plan, ledger: Ledger, number: int, progress: Progress) -> Plan:
        """Do what `pg_temp.plan` says, write the ledger, and return the plan as it came out.

        `number` is the dataset's in the ledger.
        """
