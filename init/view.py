"""What a person sees while a run goes on: logs in a container, a live view on a terminal."""

from __future__ import annotations

import sys
from logging import DEBUG, INFO
from typing import TYPE_CHECKING, Any, Protocol

from init.logs import event

if TYPE_CHECKING:
    from init.migrate import Revision
    from seeder.diff import Plan


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
        """The run is over."""


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
            "created": plan.create,
            "updated": plan.update,
            "unchanged": plan.unchanged,
            "drifted": plan.drift,
            "conflicts": plan.conflict,
            "unconfirmed": plan.unconfirmed,
            "left": plan.left,
        }
        shown = {name: count for name, count in counts.items() if count or name == "created"}
        event("dataset seeded", dataset=plan.name, target=plan.target, **shown)

    def close(self) -> None:
        """The run is over."""


class Live:
    """One line that moves for what is under way, and one that stays for what is done."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

        self._console = Console(file=sys.stdout)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=self._console,
            transient=True,
        )
        self._task: Any = None
        self._progress.start()

    def phase(self, name: str) -> None:
        """A phase begins."""
        self._show(name, None)

    def migrating(self, revision: Revision) -> None:
        """A revision is about to run."""
        self._show(f"migrate  {revision.revision}  {revision.message}", None)

    def migrated(self, revision: Revision) -> None:
        """A revision has run."""
        self._say(
            f"migrate  {revision.revision}  {revision.message}", f"{revision.seconds or 0:.2f} s"
        )

    def seeding(self, dataset: str, done: int, total: int) -> None:
        """So many records of a dataset are written."""
        self._show(f"seed     {dataset}", total)
        self._progress.update(self._task, completed=done)

    def seeded(self, plan: Plan) -> None:
        """A dataset is done."""
        counts = {"created": plan.create, "updated": plan.update, "unchanged": plan.unchanged}
        said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "empty"
        self._say(f"seed     {plan.name}", said)

    def close(self) -> None:
        """The run is over."""
        self._progress.stop()

    def _say(self, what: str, detail: str) -> None:
        from rich.text import Text

        self._progress.console.print(Text.assemble(("✓ ", "green"), f"{what}  ", (detail, "dim")))

    def _show(self, description: str, total: int | None) -> None:
        if self._task is not None:
            task = self._progress.tasks[-1]
            if task.description == description:
                return
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(description, total=total)
