"""Prints each result with what it means; nothing here is asserted, a busy machine fails no test."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable

from tests.bench import api, deploy, memory, million, places, revisions, start, unchanged
from tests.bench.measure import Duration, Megabytes, Ratio, Result, Skipped

BENCHMARKS: dict[str, Callable[..., list[Result]]] = {
    "unchanged": unchanged.compare,
    "revisions": revisions.compare,
    "start": start.compare,
    "api": api.compare,
    "places": places.compare,
    "million": million.compare,
    "memory": memory.compare,
    "deploy": deploy.compare,
}


def main() -> None:
    """Run the benchmarks that are asked for, and print their table."""
    parser = ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="repeatable")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    call = parser.parse_args()
    results: list[Result] = []
    for name in call.only or BENCHMARKS:
        print(f"measuring: {name} …", file=sys.stderr)
        results += BENCHMARKS[name](quick=call.quick)
    print(_table(results))


def _table(results: list[Result]) -> str:
    measured = [result for result in results if not isinstance(result, Skipped)]
    rows = [("", "ratio", "ours", "to", "goal"), *map(_row, measured)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = []
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
        if number:
            lines.append(f"    {measured[number - 1].meaning}")
    lines += [f"{s.name}: skipped, {s.reason}" for s in results if isinstance(s, Skipped)]
    return "\n".join(lines if measured else lines[1:])


def _row(result: Ratio | Duration | Megabytes) -> tuple[str, str, str, str, str]:
    if isinstance(result, Duration):
        cells = "", f"{result.value:.3f} s", ""
        goal = "" if result.goal is None else f"≤ {result.goal:.3f} s"
    elif isinstance(result, Megabytes):
        cells = "", f"{result.value:.0f} MB", ""
        goal = f"≤ {result.goal:.0f} MB"
    else:
        cells = f"{result.value:.2f}", f"{result.ours:.3f} s", f"{result.theirs:.3f} s"
        goal = "" if result.goal is None else f"≤ {result.goal:.2f}"
    if result.goal is not None and result.value > result.goal:
        goal += "  missed"
    return (result.name, *cells, goal)


if __name__ == "__main__":
    main()
