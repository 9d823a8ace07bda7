"""The report of a run: as a value, as JSON, and as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose_init.output.counts import NOTICES, describe, describe_not_deleted, table
from compose_init.output.text import pluralize, to_json
from compose_seeder.reconcile.plan import Counts

if TYPE_CHECKING:
    from compose_init.migrations.revision_graph import AppliedRevision, Revision
    from compose_seeder.reconcile.plan import Plan

DONE = "done"
FAILED = "failed"

TEXT_COLUMNS = 2
"""The first columns of the table hold names, the others numbers."""


@dataclass
class Report:
    """What a run did, until it ended."""

    outcome: str = DONE
    exit_code: int = 0
    seconds: float = 0.0
    error: str | None = None
    phases: list[tuple[str, float]] = field(default_factory=list)
    migrations: list[Revision] = field(default_factory=list)
    datasets: list[Plan] = field(default_factory=list)
    ahead: tuple[AppliedRevision, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the document of `--output json` and of INIT_REPORT."""
        return {
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 3),
            **({"error": self.error} if self.error else {}),
            "phases": [
                {"name": name, "seconds": round(seconds, 3)} for name, seconds in self.phases
            ],
            "migrations": [revision_to_json(revision) for revision in self.migrations],
            **ahead_to_json(self.ahead),
            "datasets": [_dataset_to_json(plan) for plan in self.datasets],
        }

    def to_text(self) -> str:
        """Return the headline, and a table of the datasets below it."""
        lines = ["", *_table_lines(self.datasets)] if self.datasets else []
        return "\n".join([self.headline(), *lines])

    def headline(self) -> str:
        """Return one line: `done in 5.7 s: 15 revisions applied, now at 0015; 315 records created`."""
        took = f"{self.seconds:.2f}" if self.seconds < 1 else f"{self.seconds:.1f}"
        said = []
        if self.ahead:
            said.append("the database is ahead of this image")
        if self.migrations:
            what = pluralize(len(self.migrations), "revision")
            said.append(f"{what} applied, now at {self.migrations[-1].revision}")
        total = sum((plan.counts for plan in self.datasets), Counts())
        written = (
            ("created", total.created),
            ("updated", total.updated),
            ("deleted", total.deleted),
        )
        said += [f"{pluralize(number, 'record')} {verb}" for verb, number in written if number]
        unseen = sum(len(plan.unseen) for plan in self.datasets)
        hidden = f"{pluralize(unseen, 'field')} that no answer shows" if unseen else ""
        if noticed := ", ".join(filter(None, [describe(total, NOTICES), hidden])):
            said.append(noticed if said else f"nothing was written; {noticed}")
        elif self.outcome == DONE and self.datasets and not said:
            said.append("everything is as the seeds say")
        return f"{self.outcome} in {took} s" + (f": {'; '.join(said)}" if said else "")


def remove_report(path: Path) -> None:
    """Remove the report of an earlier run, if it is there and can be removed."""
    with suppress(OSError):
        path.unlink()


def write_report(path: Path, document: Mapping[str, Any]) -> None:
    """Write a report file; a reader never sees half of a document.

    What is there and is no regular file, such as a pipe or /dev/stderr, is written to and not replaced.
    """
    if path.exists() and not path.is_file():
        path.write_text(to_json(document, indent=2) + "\n", encoding="utf-8")
        return
    part = path.with_name(f".{path.name}.part")
    part.write_text(to_json(document, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def revision_to_json(revision: Revision) -> dict[str, Any]:
    """Return a revision as reports and plans have it."""
    known = {"revision": revision.revision, "message": revision.message, "file": revision.file}
    if revision.version_table:
        known["version_table"] = revision.version_table
    return known if revision.seconds is None else {**known, "seconds": revision.seconds}


def ahead_to_json(unknown: tuple[AppliedRevision, ...]) -> dict[str, Any]:
    """Return `ahead`: the revisions that the image does not have; nothing where there are none."""
    said = [
        {"revision": e.revision, "message": e.message, "image": e.image, "applied_at": e.applied_at}
        for e in unknown
    ]
    return {"ahead": said} if said else {}


def unseen_to_json(plan: Plan) -> dict[str, list[str]]:
    """Return `unseen`: the fields that no answer of an API shows; nothing where there are none."""
    return {"unseen": list(plan.unseen)} if plan.unseen else {}


def _dataset_to_json(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "target": plan.target,
        **plan.counts.to_dict(),
        **({"not_kept": list(plan.not_kept)} if plan.not_kept else {}),
        **({"not_deleted": describe_not_deleted(plan)} if plan.not_deleted else {}),
        **unseen_to_json(plan),
    }


def _table_lines(plans: list[Plan]) -> list[str]:
    cells = table(plans)
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column < TEXT_COLUMNS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
