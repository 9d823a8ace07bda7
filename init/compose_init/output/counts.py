"""The counts of a dataset, as every output shows them.

report, table, log line   the counters' own names: created, updated …
plan as JSON              `PLAN_KEYS`: what a run would do
plan, live screen         the words of `LABELS` behind each number
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from compose_seeder.documents.record_values import format_key
from compose_seeder.reconcile.plan import LABELS, Counts, Plan

PLAN_KEYS: Mapping[str, str] = {
    "created": "create",
    "updated": "update",
    "deleted": "delete",
    "unchanged": "unchanged",
    "drifted": "drift",
    "conflicts": "conflict",
    "unconfirmed": "unconfirmed",
    "released": "released",
}
"""The keys of a plan as JSON, by the counter's name; the first three are the plan's actions."""

ALWAYS_SHOWN = frozenset({"created", "updated", "unchanged"})
"""The columns of a table that are there even where all their numbers are 0."""

RESULTS = ("created", "updated", "deleted", "unchanged")
"""The counters of what a run did."""

NOTICES = tuple(name for name in LABELS if name not in RESULTS)
"""The counters of what a person may want to look at."""


def plan_counts(counts: Counts) -> dict[str, int]:
    """Return the counts under the keys of a plan."""
    return {PLAN_KEYS[name]: number for name, number in counts.to_dict().items()}


def logged_counts(counts: Counts) -> dict[str, int]:
    """Return the counts for a log line: `created`, and what is not 0."""
    return {
        name: number for name, number in counts.to_dict().items() if number or name == "created"
    }


def describe(counts: Counts, names: Iterable[str] = LABELS) -> str:
    """Return the counts that are not 0, as `2 created, 1 edited by hand`; "" where all are 0."""
    numbers = counts.to_dict()
    return ", ".join(f"{numbers[name]:,} {LABELS[name]}" for name in names if numbers[name])


def describe_not_deleted(plan: Plan) -> list[str]:
    """Return the records that left the file and stay, though the dataset prunes: each with the reason."""
    return [
        f"{format_key(change.key, change.key.values())}: {change.why}"
        for change in plan.not_deleted
    ]


def table(plans: Sequence[Plan]) -> list[list[str]]:
    """Return the counts by dataset, as cells below a row of names."""
    rows = [plan.counts.to_dict() for plan in plans]
    shown = [name for name in LABELS if name in ALWAYS_SHOWN or any(row[name] for row in rows)]
    cells = [
        [plan.name, plan.target, *(f"{row[name]:,}" for name in shown)]
        for plan, row in zip(plans, rows, strict=True)
    ]
    return [["dataset", "target", *shown], *cells]
