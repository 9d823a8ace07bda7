"""The live view's screen. Only a run on a terminal imports it, and rich with it."""

from __future__ import annotations

import sys
from io import TextIOBase

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
from rich.table import Table
from rich.text import Text

from compose_init.output.report import Report, columns

BAR = 24
"""Width of the bar, in characters."""

STYLES = {"! ": "yellow", "✗ ": "red"}
"""Marks of warnings and errors in lines for people (see `compose_init.logs`)."""


class _Words(ProgressColumn):
    """`seed     monsters`: what is under way."""

    def render(self, task: Task) -> Text:
        """The phase in bold, the thing beside it."""
        words = Text.assemble((f"{task.fields['phase']:<9}", "bold"), task.description)
        words.truncate(max(20, task.fields["room"]), overflow="ellipsis")
        return words


class _Count(ProgressColumn):
    """`120 of 334`, where there is something to count."""

    def render(self, task: Task) -> Text:
        """Nothing, where there is no total."""
        known = task.total is not None
        return Text(f"{task.completed:,.0f} of {task.total:,.0f}" if known else "", style="cyan")


class _Bar(BarColumn):
    def render(self, task: Task) -> Text:  # type: ignore[override]
        if task.total is None:
            return Text("")
        return super().render(task)  # type: ignore[return-value]


class _Above(TextIOBase):
    """What is printed and logged meanwhile goes above the line that moves, quietly."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._rest = ""

    def write(self, text: str) -> int:
        """Print the whole lines there are; keep the rest until its line is whole."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._print(line)
        return len(text)

    def isatty(self) -> bool:
        """It goes to a terminal, else there would be no screen."""
        return True

    def _print(self, line: str) -> None:
        style = STYLES.get(line[:2])
        if style:  # a warning or an error is shown whole
            self._console.print(Text(line, style=style), overflow="fold")
        else:
            self._console.print(
                Text(f"· {line}", style="dim"), no_wrap=True, overflow="ellipsis", crop=True
            )


class Screen:
    """Lines that stay, and below them one that moves."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=False)
        self._progress = Progress(
            SpinnerColumn(style="cyan"),
            _Words(),
            _Bar(bar_width=BAR),
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

    def under_way(self, phase: str, what: str, done: int = 0, total: int | None = None) -> None:
        """Let the moving line say this."""
        room = self._console.width - 6 - (0 if total is None else BAR + 18)
        # None leaves a total as it is, so that a task without one is a new one.
        if total is None and self._progress.tasks[0].total is not None:
            self._progress.remove_task(self._task)
            self._task = self._progress.add_task(what, total=None, phase=phase, room=room)
            return
        self._progress.update(
            self._task, description=what, completed=done, total=total, phase=phase, room=room
        )

    def done(self, phase: str, what: str, detail: str) -> None:
        """A line that stays: what is done, and at the right how it went."""
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(width=1, style="green")
        line.add_column(width=8, style="bold")
        line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        line.add_column(justify="right", no_wrap=True, style="dim")
        line.add_row("✓", phase, Text(what), Text(detail))
        self._console.print(line)

    def noticed(self, what: str) -> None:
        """A line below the last one, of something that a person may want to look at."""
        self._console.print(Text(f"!          {what}", style="yellow"), overflow="fold")

    def close(self) -> None:
        """Take the moving line away, and give stdout back."""
        self._progress.stop()
        sys.stdout = self._stdout

    def summary(self, report: Report) -> None:
        """What the run did, as a table and a line."""
        if report.datasets:
            self._console.print()
            self._console.print(_table(report))
        self._console.print()
        self._console.print(Text.assemble(("✓ ", "bold green"), (report.headline(), "bold")))


def _table(report: Report) -> Table:
    head, *rows = columns(report.datasets)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for number, name in enumerate(head):
        words = number < 2  # noqa: PLR2004 - dataset and target
        table.add_column(name, justify="left" if words else "right", overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(cell, style="dim" if cell == "0" else "") for cell in row))
    return table
