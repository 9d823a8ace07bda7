"""The progress of a run: log lines in a container, a live screen on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from logging import DEBUG, INFO, WARNING
from typing import TYPE_CHECKING, Protocol

from compose_init.logs import event
from compose_init.output.counts import (
    NOTICES,
    RESULTS,
    describe,
    describe_not_deleted,
    logged_counts,
)
from compose_init.output.planned import SHOWN_RECORDS, UNSEEN

if TYPE_CHECKING:
    from compose_init.migrations.revision_graph import Revision
    from compose_init.output.live_screen import Screen
    from compose_init.output.report import Report
    from compose_seeder.reconcile.plan import Plan


class Progress(Protocol):
    """Is told the events of a run, as they happen."""

    def begin_phase(self, name: str) -> None:
        """Show that a phase begins."""

    def begin_revision(self, revision: Revision) -> None:
        """Show that a revision is about to run."""

    def end_revision(self, revision: Revision) -> None:
        """Show that a revision has run."""

    def show_records(self, dataset: str, done: int, total: int) -> None:
        """Show how many records of a dataset are written."""

    def end_dataset(self, plan: Plan) -> None:
        """Show that a dataset is done, with its counts."""

    def close(self) -> None:
        """End the display: the run is over, well or not."""

    def show_summary(self, report: Report) -> None:
        """Show the report of a run that ended well."""


def warn_of(plan: Plan) -> None:
    """Log what a person must know of a dataset: records not kept, records not deleted, fields not seen."""
    # An API's answer is no proof that it keeps what was written.
    _warn_of_records(plan, "the API does not show what was written to it", plan.not_kept)
    _warn_of_records(plan, "records that left the file are not deleted", describe_not_deleted(plan))
    if plan.unseen:
        event(UNSEEN, WARNING, dataset=plan.name, fields=list(plan.unseen[:SHOWN_RECORDS]))


def _warn_of_records(plan: Plan, message: str, records: Sequence[str]) -> None:
    if records:
        shown = list(records[:SHOWN_RECORDS])
        event(message, WARNING, dataset=plan.name, count=len(records), records=shown)


class LogProgress:
    """One log event per line; of what happens often, only at level DEBUG."""

    def begin_phase(self, name: str) -> None:
        """Log the phase; waiting only at DEBUG, since it is over at once, nearly always."""
        event("phase", INFO if name != "wait" else DEBUG, phase=name)

    def begin_revision(self, revision: Revision) -> None:
        """Log the revision at DEBUG."""
        event("applying revision", DEBUG, revision=revision.revision, title=revision.message)

    def end_revision(self, revision: Revision) -> None:
        """Log the revision, with its duration."""
        event(
            "revision applied",
            revision=revision.revision,
            title=revision.message,
            seconds=revision.seconds,
        )

    def show_records(self, dataset: str, done: int, total: int) -> None:
        """Log the numbers at DEBUG, until all records are written."""
        if done < total:
            event("seeding", DEBUG, dataset=dataset, done=done, total=total)

    def end_dataset(self, plan: Plan) -> None:
        """Log the dataset, with its counts."""
        counts = logged_counts(plan.counts)
        event("dataset seeded", dataset=plan.name, target=plan.target, **counts)
        warn_of(plan)

    def close(self) -> None:
        """Do nothing: a log needs no end."""

    def show_summary(self, report: Report) -> None:
        """Log the outcome."""
        revisions = {"revisions": len(report.migrations)} if report.migrations else {}
        event(report.outcome, seconds=round(report.seconds, 3), **revisions)


class LiveProgress:
    """One line that moves for what is under way, and one line that stays for each thing done.

    The screen (and rich with it) comes up with the first real work: a run that finds nothing to do
    prints one line, and must not pay for more.

    Args:
        reset_logging: called when the screen comes up, so that logs go above the line that moves.
    """

    def __init__(self, reset_logging: Callable[[], object]) -> None:
        self._reset_logging = reset_logging
        self._shown: Screen | None = None

    @property
    def _screen(self) -> Screen:
        if self._shown is None:
            # Only a run with real work on a terminal needs rich.
            from compose_init.output.live_screen import Screen  # noqa: PLC0415 - see above

            self._shown = Screen()
            self._reset_logging()
        return self._shown

    def begin_phase(self, name: str) -> None:
        """Show the phase, except waiting, which ends at once or logs what it waits for."""
        if name != "wait":
            self._screen.show_current(name, "")

    def begin_revision(self, revision: Revision) -> None:
        """Show the revision in the line that moves."""
        self._screen.show_current("migrate", f"{revision.revision}  {revision.message}")

    def end_revision(self, revision: Revision) -> None:
        """Add a line for the revision."""
        seconds = f"{revision.seconds or 0:.2f} s"
        self._screen.add_done("migrate", f"{revision.revision}  {revision.message}", seconds)

    def show_records(self, dataset: str, done: int, total: int) -> None:
        """Show the bar."""
        self._screen.show_current("seed", dataset, done, total)

    def end_dataset(self, plan: Plan) -> None:
        """Add a line for the dataset, and one for what a person may want to look at."""
        self._screen.add_done("seed", plan.name, describe(plan.counts, RESULTS) or "empty")
        noticed = describe(plan.counts, NOTICES)
        if noticed:
            self._screen.add_notice(noticed)
        warn_of(plan)
        self._screen.show_current("seed", "")

    def close(self) -> None:
        """Take the line that moves away; what is written from here on stands below."""
        if self._shown is not None:
            self._shown.close()

    def show_summary(self, report: Report) -> None:
        """Show a table of the datasets, and the headline."""
        if self._shown is None:
            sys.stdout.write(f"✓ {report.headline()}\n")
        else:
            self._shown.show_summary(report)
