"""Summary, plan and status: as values, as JSON, and as text for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compose_seeder.reconcile.plan import Change, Plan

    from compose_init.database.application_role import Fault
    from compose_init.migrations.revision_graph import Recorded, Revision

SHOWN = 20
"""How many records of a dataset a plan shows on a terminal; `--output json` has more."""

LAST = 5
"""How many applied revisions `status` shows."""

DONE = "done"
NOTHING = "nothing to do"
FAILED = "failed"


@dataclass
class Report:
    """What a run did, as far as it came."""

    outcome: str = DONE
    exit_code: int = 0
    seconds: float = 0.0
    error: str | None = None
    phases: list[tuple[str, float]] = field(default_factory=list)
    migrations: list[Revision] = field(default_factory=list)
    datasets: list[Plan] = field(default_factory=list)
    ahead: tuple[Recorded, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the design names it."""
        return {
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 3),
            **({"error": self.error} if self.error else {}),
            "phases": [
                {"name": name, "seconds": round(seconds, 3)} for name, seconds in self.phases
            ],
            "migrations": [_revision(revision) for revision in self.migrations],
            **_ahead(self.ahead),
            "datasets": [_applied(plan) for plan in self.datasets],
        }

    def to_text(self) -> str:
        """A table for people, with one line above it that says it all."""
        table = ["", *_table(self.datasets)] if self.datasets else []
        return "\n".join([self.headline(), *table])

    def headline(self) -> str:
        """All of it in one line: `done in 5.7 s: 15 revisions applied, now at 0015; 315 records created`."""
        took = f"{self.seconds:.2f}" if self.seconds < 1 else f"{self.seconds:.1f}"
        said = []
        if self.ahead:
            said.append("the database is ahead of this image")
        if self.migrations:
            what = number(len(self.migrations), "revision")
            said.append(f"{what} applied, now at {self.migrations[-1].revision}")
        counts = {
            "created": sum(plan.counts.created for plan in self.datasets),
            "updated": sum(plan.counts.updated for plan in self.datasets),
        }
        said += [f"{number(count, 'record')} {verb}" for verb, count in counts.items() if count]
        if self.outcome == DONE and self.datasets and not said:
            said.append("everything is as the seeds say")
        return f"{self.outcome} in {took} s" + (f": {'; '.join(said)}" if said else "")


@dataclass(frozen=True)
class Planned:
    """What a run would change."""

    migrations: tuple[Revision, ...]
    datasets: tuple[Plan, ...]
    sql: Mapping[str, str] = field(default_factory=dict)
    no_sql: str = ""
    ahead: tuple[Recorded, ...] = ()
    faults: tuple[Fault, ...] = ()
    """Of the application's role, as things stand: pending revisions may grant or make more."""

    @property
    def changes(self) -> bool:
        """Whether a run would change anything."""
        return bool(self.migrations) or any(plan.changes for plan in self.datasets)

    def to_json(self) -> dict[str, Any]:
        """As the design names it."""
        return {
            "changes": self.changes,
            "migrations": [
                {
                    **_revision(entry),
                    **({"sql": self.sql[entry.revision]} if entry.revision in self.sql else {}),
                }
                for entry in self.migrations
            ],
            **({"no_sql": self.no_sql} if self.no_sql else {}),
            **_ahead(self.ahead),
            **({"faults": [_fault(fault) for fault in self.faults]} if self.faults else {}),
            "datasets": [_planned(plan) for plan in self.datasets],
        }

    def to_text(self, limit: int | None = SHOWN) -> str:
        """For people: pending revisions, then each dataset with its changes, field by field.

        Args:
            limit: of records of a dataset and of lines of SQL; None for all.
        """
        faults = [f"  it {fault}" for fault in self.faults]
        if faults:
            faults.insert(0, "the application's role is not as it should be:")
        if not self.changes and not any(plan.records for plan in self.datasets):
            return "\n".join(["nothing would change", *faults])
        lines = ["would change:" if self.changes else "nothing would change; edited by hand:"]
        for entry in self.migrations:
            lines.append(f"  migrate  {entry.revision}  {entry.message}  ({entry.file})")
            lines += _sql_lines(self.sql.get(entry.revision, ""), limit)
        if self.no_sql:
            lines.append(f"  some SQL cannot be shown: {self.no_sql}")
        for plan in self.datasets:
            if plan.changes or plan.records:
                lines += _plan_lines(plan, limit)
        return "\n".join(lines + faults)


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a report; a reader never sees half of one."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(to_line(document, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def to_line(document: Any, indent: int | None = None) -> str:
    """JSON text."""
    return json.dumps(document, ensure_ascii=False, default=str, indent=indent)


def status_text(status: Mapping[str, Any]) -> str:
    """The status for people."""
    database = status["database"]
    at = ", ".join(database["revisions"]) or "no revision"
    heads = ", ".join(database["heads"]) or "none"
    lines = [f"schema    {database['state']}: at {at}; this image's head is {heads}"]
    if not database["heads"]:
        lines = [
            "schema    there is nothing to migrate: no ALEMBIC_CONFIG, and no alembic.ini here"
        ]
    if "problem" in database:
        lines.append(f"          {database['problem']}")
    lines += _lineage_lines(database["lineage"])
    lines += [
        f"dataset   {dataset['name']}: {number(dataset['records'], 'record')} in {dataset['target']},"
        f" applied {dataset['applied_at']}"
        for dataset in status["datasets"]
    ]
    lines += [
        f"run       {run['started_at']}: {run['outcome']} (exit code {run['exit_code']}) in"
        f" {run['seconds']} s, version {run['version']}"
        for run in status["runs"]
    ]
    return "\n".join(lines)


def _lineage_lines(lineage: Sequence[Mapping[str, Any]]) -> list[str]:
    """The last revisions that were applied, and all that are pending."""
    done = [entry for entry in lineage if entry["state"] != "pending"]
    lines = []
    if len(done) > LAST:
        lines.append(f"revision  {number(len(done) - LAST, 'earlier one')}; --output json has them")
    for entry in lineage[max(0, len(done) - LAST) :]:
        by = " ".join(filter(None, (entry.get("image_version"), entry.get("git_revision"))))
        said = {
            "applied": f"applied {entry.get('applied_at')}" + (f" by image {by}" if by else ""),
            "adopted": "was there before compose-init came",
            "pending": "pending",
        }[entry["state"]]
        lines.append(f"revision  {entry['revision']}  {entry['message']}  {said}")
    return lines


def _revision(revision: Revision) -> dict[str, Any]:
    known = {"revision": revision.revision, "message": revision.message, "file": revision.file}
    return known if revision.seconds is None else {**known, "seconds": revision.seconds}


def _ahead(unknown: tuple[Recorded, ...]) -> dict[str, Any]:
    said = [
        {"revision": e.revision, "message": e.message, "image": e.image, "applied_at": e.applied_at}
        for e in unknown
    ]
    return {"ahead": said} if said else {}


def _sql_lines(sql: str, limit: int | None) -> list[str]:
    lines = [line for line in sql.splitlines() if line.strip()]
    omitted = 0 if limit is None else len(lines) - limit
    more = [f"… and {omitted} more lines; --limit all shows them"] if omitted > 0 else []
    return [f"             {line}" for line in (*lines[:limit], *more)]


def _applied(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "target": plan.target,
        "created": plan.counts.created,
        "updated": plan.counts.updated,
        "deleted": plan.counts.deleted,
        "unchanged": plan.counts.unchanged,
        "drifted": plan.counts.drifted,
        "conflicts": plan.counts.conflicts,
        "unconfirmed": plan.counts.unconfirmed,
        "left": plan.counts.released,
        **({"not_kept": list(plan.not_kept)} if plan.not_kept else {}),
    }


def _fault(fault: Fault) -> dict[str, str]:
    return {"problem": fault.problem, "mend": fault.mend}


def _planned(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "target": plan.target,
        "create": plan.counts.created,
        "update": plan.counts.updated,
        "delete": plan.counts.deleted,
        "unchanged": plan.counts.unchanged,
        "drift": plan.counts.drifted,
        "conflict": plan.counts.conflicts,
        "unconfirmed": plan.counts.unconfirmed,
        "left": plan.counts.released,
        "after_migration": plan.after_migration,
        "records": [
            {"action": change.action, "key": change.key, "fields": change.fields}
            for change in plan.records
        ],
    }


COLUMNS = (
    "created",
    "updated",
    "unchanged",
    "deleted",
    "drifted",
    "conflicts",
    "unconfirmed",
    "left",
)


def columns(plans: list[Plan]) -> list[list[str]]:
    """Counts by dataset below a row of names; what is zero for all is left out, but for the first three."""
    rows = [_applied(plan) for plan in plans]
    shown = [name for name in COLUMNS if name in COLUMNS[:3] or any(row[name] for row in rows)]
    head = ["dataset", "target", *shown]
    return [head, *([row["name"], row["target"], *(f"{row[n]:,}" for n in shown)] for row in rows)]


def _table(plans: list[Plan]) -> list[str]:
    cells = columns(plans)
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)  # noqa: PLR2004 - names left, numbers right
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def number(count: int, thing: str) -> str:
    """`1 record`, `2,000 records`."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def _plan_lines(plan: Plan, limit: int | None) -> list[str]:
    counts = {
        "create": plan.counts.created,
        "update": plan.counts.updated,
        "delete": plan.counts.deleted,
        "edited by hand": plan.counts.drifted,
        "in conflict": plan.counts.conflicts,
        "unconfirmed": plan.counts.unconfirmed,
        "left": plan.counts.released,
    }
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    after = " (once the migrations are applied)" if plan.after_migration else ""
    lines = [f"  {plan.name} → {plan.target}: {said or 'nothing'}{after}"]
    for change in plan.records[:limit]:
        lines += _change_lines(change)
    if limit is not None and len(plan.records) > limit:
        noticed = plan.counts.written + plan.counts.drifted + plan.counts.conflicts
        omitted = noticed - limit
        lines.append(f"    … and {omitted:,} more; --limit all shows them")
    return lines


MARKS = {"create": "+", "update": "~", "delete": "-", "deleted": "!", "kept": "!", "none": "!"}
TAILS = {
    "delete": "  no longer in the file",
    "deleted": "  deleted by hand, left so",
    "kept": "  no longer in the file, edited by hand and so not deleted",
}
REASONS = {
    "update": "",
    "drift": "edited by hand",
    "conflict": "edited by hand, and changed in the file",
    "unconfirmed": "the target shows something else than was written",
}


def _change_lines(change: Change) -> list[str]:
    key = ", ".join(str(value) for value in change.key.values())
    tail = TAILS.get(change.action, "")
    lines = [f"    {MARKS[change.action]} {key}{tail}"]
    for name, detail in sorted(change.fields.items()):
        reason = REASONS[detail["outcome"]]
        left = "" if "write" in detail else ", left" if reason else ""
        note = f"  ({reason}{left or ', overwritten'})" if reason else ""
        lines.append(
            f"        {name}: {_short(detail['live'])} → {_short(detail['desired'])}{note}"
        )
    return lines


def _short(value: Any) -> str:
    text = to_line(value)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - a terminal's line
