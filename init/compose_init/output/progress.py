"""What a person sees while a run goes on: logs in a container, a live view on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from logging import DEBUG, INFO, WARNING
from typing import TYPE_CHECKING, Protocol

from compose_init.logs import event
from compose_init.output.report import SHOWN

if TYPE_CHECKING:
    from compose_seeder.reconcile.plan import Plan

    from compose_init.migrations.revision_graph import Revision
    from compose_init.output.live_screen import Screen
    from compose_init.output.report import Report


class View(Protocol):
    """Told what happens, as it happens."""

    def phase(self, name: str) -> None:
        """A phase begins."""

    def migrating(self, revision: Revision) -> None:
        """A revision is about to run."""

    def migrated(self, revision: Revision) -> None:
        """A revision has run."""

    def seeding(self, dataset: str, done: int, total: int) -> None:
        """So many records of a dataset are written."""

    def seeded(self, plan: Plan) -> None:
        """A dataset is done."""

    def close(self) -> None:
        """The run is over, well or not."""

    def summary(self, report: Report) -> None:
        """The run is over, and well."""


def say_not_kept(plan: Plan) -> None:
    """An API's word is not proof: what it took and does not show, by record and field."""
    if plan.not_kept:
        event(
            "the API does not show what was written to it",
            WARNING,
            dataset=plan.name,
            count=len(plan.not_kept),
            records=list(plan.not_kept[:SHOWN]),
        )


class Lines:
    """One event a line; the endless ones are left out."""

    def phase(self, name: str) -> None:
        """A phase begins."""
        event("phase", INFO if name != "wait" else DEBUG, phase=name)

    def migrating(self, revision: Revision) -> None:
        """A revision is about to run."""
        event("applying revision", DEBUG, revision=revision.revision, title=revision.message)

    def migrated(self, revision: Revision) -> None:
        """A revision has run."""
        event(
            "revision applied",
            revision=revision.revision,
            title=revision.message,
            seconds=revision.seconds,
        )

    def seeding(self, dataset: str, done: int, total: int) -> None:
        """So many records of a dataset are written."""
        if done < total:
            event("seeding", DEBUG, dataset=dataset, done=done, total=total)

    def seeded(self, plan: Plan) -> None:
        """A dataset is done."""
        counts = {
            "created": plan.counts.created,
            "updated": plan.counts.updated,
            "deleted": plan.counts.deleted,
            "unchanged": plan.counts.unchanged,
            "drifted": plan.counts.drifted,
            "conflicts": plan.counts.conflicts,
            "unconfirmed": plan.counts.unconfirmed,
            "left": plan.counts.released,
        }
        shown = {name: count for name, count in counts.items() if count or name == "created"}
        event("dataset seeded", dataset=plan.name, target=plan.target, **shown)
        say_not_kept(plan)

    def close(self) -> None:
        """The run is over, well or not."""

    def summary(self, report: Report) -> None:
        """The run is over, and well."""
        revisions = {"revisions": len(report.migrations)} if report.migrations else {}
        event(report.outcome, seconds=round(report.seconds, 3), **revisions)


class Live:
    """For a person: one line that moves for what is under way, one that stays for what is done.

    The screen (and rich with it) comes up with the first real work: a run that finds nothing to do
    says one line, and is not to pay for more.

    Args:
        attach: called when the screen comes up, so that logs go above the line that moves.
    """

    def __init__(self, attach: Callable[[], object]) -> None:
        self._attach = attach
        self._shown: Screen | None = None

    @property
    def _screen(self) -> Screen:
        if self._shown is None:
            from compose_init.output.live_screen import Screen

            self._shown = Screen()
            self._attach()
        return self._shown

    def phase(self, name: str) -> None:
        """A phase begins."""
        if name != "wait":  # it is over at once, or says itself what it waits for
            self._screen.under_way(name, "")

    def migrating(self, revision: Revision) -> None:
        """A revision is about to run."""
        self._screen.under_way("migrate", f"{revision.revision}  {revision.message}")

    def migrated(self, revision: Revision) -> None:
        """A revision has run."""
        seconds = f"{revision.seconds or 0:.2f} s"
        self._screen.done("migrate", f"{revision.revision}  {revision.message}", seconds)

    def seeding(self, dataset: str, done: int, total: int) -> None:
        """So many records of a dataset are written."""
        self._screen.under_way("seed", dataset, done, total)

    def seeded(self, plan: Plan) -> None:
        """A dataset is done."""
        calm = {
            "created": plan.counts.created,
            "updated": plan.counts.updated,
            "deleted": plan.counts.deleted,
            "unchanged": plan.counts.unchanged,
        }
        odd = {
            "edited by hand": plan.counts.drifted,
            "in conflict": plan.counts.conflicts,
            "not kept by the API": plan.counts.unconfirmed,
            "no longer in the file": plan.counts.released,
        }
        said = ", ".join(f"{count:,} {name}" for name, count in calm.items() if count)
        self._screen.done("seed", plan.name, said or "empty")
        noticed = ", ".join(f"{count:,} {name}" for name, count in odd.items() if count)
        if noticed:
            self._screen.noticed(noticed)
        say_not_kept(plan)
        self._screen.under_way("seed", "")

    def close(self) -> None:
        """The run is over; what is written from here on stands below."""
        if self._shown is not None:
            self._shown.close()

    def summary(self, report: Report) -> None:
        """What the run did, as a table and a line."""
        if self._shown is None:
            sys.stdout.write(f"✓ {report.headline()}\n")
        else:
            self._shown.summary(report)
