"""The plan of a run: as a value, as JSON, and as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from compose_init.output.counts import NOTICES, describe, plan_counts
from compose_init.output.report import ahead_to_json, revision_to_json, unseen_to_json
from compose_init.output.text import shorten
from compose_seeder.reconcile.plan import LABELS, Counts

if TYPE_CHECKING:
    from compose_init.database.role_comparison import Fault
    from compose_init.migrations.revision_graph import AppliedRevision, Revision
    from compose_seeder.reconcile.plan import Change, Plan

SHOWN_RECORDS = 20
"""How many records of a dataset a plan shows as text; `--output json` has more."""

MARKS = {"create": "+", "update": "~", "delete": "-"}
"""Before a record that is written; `!` before all others."""
TAILS = {
    "delete": "  no longer in the file",
    "deleted": "  deleted by hand, not created again",
    "kept": "  no longer in the file, not deleted",
    "in_use": "  no longer in the file, not deleted",
    "unconfirmed": "  sent before, and not seen since; not sent again",
}
REASONS = {
    "update": "",
    "drift": "edited by hand",
    "conflict": "edited by hand, and changed in the file",
    "unconfirmed": "the target shows another value than was written",
    "unseen": "no answer of the API shows it",
}

UNSEEN = (
    "no answer of the API shows it, so that nobody can tell whether it was edited; it is not written to records that"
    ' exist: read it with confirm, or set once = true or unseen = "overwrite" for it in fields'
)
"""What there is to say of a field that no answer shows, and the ways out."""


@dataclass(frozen=True)
class Planned:
    """What a run would change.

    Attributes:
        migrations: the pending revisions, in order.
        datasets: one plan per dataset.
        sql: of pending revisions, by revision; only what could be produced.
        no_sql: why some SQL is missing, or "".
        ahead: the revisions that the database has and the image does not.
        faults: of the application's role, as it is; pending revisions may fix them.
    """

    migrations: tuple[Revision, ...]
    datasets: tuple[Plan, ...]
    sql: Mapping[str, str] = field(default_factory=dict)
    no_sql: str = ""
    ahead: tuple[AppliedRevision, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def changes(self) -> bool:
        """True where a run would change anything."""
        return bool(self.migrations) or any(plan.changes for plan in self.datasets)

    def to_json(self) -> dict[str, Any]:
        """Return the document of `--plan --output json`."""
        return {
            "changes": self.changes,
            "migrations": [
                {
                    **revision_to_json(entry),
                    **({"sql": self.sql[entry.revision]} if entry.revision in self.sql else {}),
                }
                for entry in self.migrations
            ],
            **({"no_sql": self.no_sql} if self.no_sql else {}),
            **ahead_to_json(self.ahead),
            **({"faults": [_fault_to_json(fault) for fault in self.faults]} if self.faults else {}),
            "datasets": [_dataset_to_json(plan) for plan in self.datasets],
        }

    def to_text(self, limit: int | None = SHOWN_RECORDS) -> str:
        """Return the text for people: pending revisions, then each dataset with its changes, field by field.

        Args:
            limit: of records of a dataset and of lines of SQL; None for all.
        """
        faults = [f"  it {fault}" for fault in self.faults]
        if faults:
            faults.insert(0, "the application's role has wrong privileges:")
        if not self.changes and not any(plan.records or plan.unseen for plan in self.datasets):
            return "\n".join(["nothing would change", *faults])
        shown: set[str] = set()
        lines = ["would change:" if self.changes else f"nothing would change; {self._noticed()}:"]
        for entry in self.migrations:
            where = f"  in {entry.version_table}" if entry.version_table else ""
            lines.append(f"  migrate  {entry.revision}  {entry.message}  ({entry.file}){where}")
            if entry.revision not in shown:  # of several version tables, for the first
                lines += _sql_lines(self.sql.get(entry.revision, ""), limit)
            shown.add(entry.revision)
        if self.no_sql:
            lines.append(f"  some SQL cannot be shown: {self.no_sql}")
        for plan in self.datasets:
            if plan.changes or plan.records or plan.unseen:
                lines += _plan_lines(plan, limit)
        return "\n".join(lines + faults)

    def _noticed(self) -> str:
        total = sum((plan.counts for plan in self.datasets), Counts())
        return describe(total, NOTICES) or "fields that no answer shows"


def _fault_to_json(fault: Fault) -> dict[str, str]:
    return {"problem": fault.problem, "fix": fault.fix}


def _dataset_to_json(plan: Plan) -> dict[str, Any]:
    hidden = plan.differing - len(plan.records)
    return {
        "name": plan.name,
        "target": plan.target,
        **plan_counts(plan.counts),
        "after_migration": plan.after_migration,
        **unseen_to_json(plan),
        "records": [
            {
                "action": change.action,
                "key": change.key,
                "fields": change.fields,
                **({"why": change.why} if change.why else {}),
            }
            for change in plan.records
        ],
        **({"not_shown": hidden} if hidden > 0 else {}),
    }


def _sql_lines(sql: str, limit: int | None) -> list[str]:
    lines = [line for line in sql.splitlines() if line.strip()]
    omitted = 0 if limit is None else len(lines) - limit
    more = [f"… and {omitted} more lines; --limit all shows them"] if omitted > 0 else []
    return [f"             {line}" for line in (*lines[:limit], *more)]


def _plan_lines(plan: Plan, limit: int | None) -> list[str]:
    shown = [name for name in LABELS if name != "unchanged"]
    after = " (once the migrations are applied)" if plan.after_migration else ""
    lines = [f"  {plan.name} → {plan.target}: {describe(plan.counts, shown) or 'nothing'}{after}"]
    lines += [f"    {name}: {UNSEEN}" for name in plan.unseen]
    for change in plan.records[:limit]:
        lines += _change_lines(change)
    hidden = plan.differing - len(plan.records[:limit])
    if limit is not None and hidden > 0:
        lines.append(f"    … and {hidden:,} more; --limit all shows them")
    return lines


def _change_lines(change: Change) -> list[str]:
    key = ", ".join(str(value) for value in change.key.values())
    tail = TAILS.get(change.action, "")
    why = f": {change.why}" if change.why else ""
    lines = [f"    {MARKS.get(change.action, '!')} {key}{tail}{why}"]
    for name, detail in sorted(change.fields.items()):
        parts = detail.get("members") or {name: detail}
        lines += [_field_line(path, part) for path, part in parts.items()]
    return lines


def _field_line(name: str, detail: Mapping[str, Any]) -> str:
    reason = REASONS[detail["outcome"]]
    note = f"  ({reason}, {'overwritten' if 'write' in detail else 'kept'})" if reason else ""
    return f"        {name}: {shorten(detail['live'])} → {shorten(detail['desired'])}{note}"
