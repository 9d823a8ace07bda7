"""The screen of a live run. Only a run on a terminal imports this module, and rich with it."""

from __future__ import annotations

import sys
from io import TextIOBase
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
from rich.table import Table
from rich.text import Text

from compose_init.output.counts import table
from compose_init.output.report import TEXT_COLUMNS, Report

BAR_CHARACTERS = 24
"""Width of the bar."""

COUNT_CHARACTERS = 18
"""Room for the count beside the bar."""

SPINNER_CHARACTERS = 6
"""Room for the spinner, and for the gaps between columns."""

MIN_WORDS_CHARACTERS = 20
"""Room for the words on a terminal that is too narrow."""

STYLES = {"! ": "yellow", "✗ ": "red"}
"""Marks of warnings and errors in lines for people (see `compose_init.logs`)."""


class _Words(ProgressColumn):
    """The phase and the thing: `seed     monsters`."""

    def render(self, task: Task) -> Text:
        """Return the phase in bold, and the thing beside it."""
        words = Text.assemble((f"{task.fields['phase']:<9}", "bold"), task.description)
        words.truncate(max(MIN_WORDS_CHARACTERS, task.fields["room"]), overflow="ellipsis")
        return words


class _Count(ProgressColumn):
    """The count: `120 of 334`."""

    def render(self, task: Task) -> Text:
        """Return the count; nothing where there is no total."""
        known = task.total is not None
        return Text(f"{task.completed:,.0f} of {task.total:,.0f}" if known else "", style="cyan")


class _Bar(BarColumn):
    """The bar, where there is a total."""

    def render(self, task: Task) -> Text:  # type: ignore[override]
        """Return the bar; nothing where there is no total."""
        if task.total is None:
            return Text("")
        return super().render(task)  # type: ignore[return-value]


class _Above(TextIOBase):
    """A stdout whose lines appear above the line that moves."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._rest = ""

    def write(self, text: str) -> int:
        """Print the complete lines; keep the rest until its line is complete."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._print(line)
        return len(text)

    def isatty(self) -> bool:
        """Return True: without a terminal there is no screen."""
        return True

    def _print(self, line: str) -> None:
        style = STYLES.get(line[:2])
        if style:  # a warning or an error is never cut
            self._console.print(Text(line, style=style), overflow="fold")
        else:
            self._console.print(
                Text(f"· {line}", style="dim"), no_wrap=True, overflow="ellipsis", crop=True
            )


class Screen:
    """Lines that stay, and below them one line that moves."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=False)
        self._progress = Progress(
            SpinnerColumn(style="cyan"),
            _Words(),
            _Bar(bar_width=BAR_CHARACTERS),
            _Count(),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._stdout = sys.stdout
        sys.stdout = _Above(self._console)
        self._task = self._progress.add_task("", total=None, phase="", room=self._console.width)
        self._progress.start()

    def show_current(self, phase: str, what: str, done: int = 0, total: int | None = None) -> None:
        """Show this in the line that moves."""
        bar = 0 if total is None else BAR_CHARACTERS + COUNT_CHARACTERS
        room = self._console.width - SPINNER_CHARACTERS - bar
        # None leaves a total as it is, so that a task without one is a new one.
        if total is None and self._progress.tasks[0].total is not None:
            self._progress.remove_task(self._task)
            self._task = self._progress.add_task(what, total=None, phase=phase, room=room)
            return
        self._progress.update(
            self._task, description=what, completed=done, total=total, phase=phase, room=room
        )

    def add_done(self, phase: str, what: str, detail: str) -> None:
        """Add a line that stays: what is done, and at the right how it went."""
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(width=1, style="green")
        line.add_column(width=8, style="bold")
        line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        line.add_column(justify="right", no_wrap=True, style="dim")
        line.add_row("✓", phase, Text(what), Text(detail))
        self._console.print(line)

    def add_notice(self, what: str) -> None:
        """Add a line that stays, about something that a person may want to look at."""
        self._console.print(Text(f"!          {what}", style="yellow"), overflow="fold")

    def close(self) -> None:
        """Take the line that moves away, and give stdout back."""
        self._progress.stop()
        sys.stdout = self._stdout

    def show_summary(self, report: Report) -> None:
        """Show what the run did, as a table and a line."""
        if report.datasets:
            self._console.print()
            self._console.print(_summary_table(report))
        self._console.print()
        self._console.print(Text.assemble(("✓ ", "bold green"), (report.headline(), "bold")))


def _summary_table(report: Report) -> Table:
    head, *rows = table(report.datasets)
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for number, name in enumerate(head):
        justify: Literal["left", "right"] = "left" if number < TEXT_COLUMNS else "right"
        shown.add_column(name, justify=justify, overflow="ellipsis")
    for row in rows:
        shown.add_row(*(Text(cell, style="dim" if cell == "0" else "") for cell in row))
    return shown
