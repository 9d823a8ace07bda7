"""Prints each ratio with what it means; nothing here is asserted, a busy machine fails no test."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable

from tests.bench import api, places, unchanged
from tests.bench.measure import Ratio, Result, Skipped

BENCHMARKS: dict[str, Callable[..., list[Result]]] = {
    "unchanged": unchanged.compare,
    "api": api.compare,
    "places": places.compare,
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
    measured = [result for result in results if isinstance(result, Ratio)]
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


def _row(ratio: Ratio) -> tuple[str, str, str, str, str]:
    goal = "" if ratio.goal is None else f"≤ {ratio.goal:.2f}"
    if ratio.goal is not None and ratio.value > ratio.goal:
        goal += "  missed"
    return (
        ratio.name,
        f"{ratio.value:.2f}",
        f"{ratio.ours:.3f} s",
        f"{ratio.theirs:.3f} s",
        goal,
    )


if __name__ == "__main__":
    main()
