"""The report of an earlier run is removed before anything can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from compose_init.cli import stale_report


def is_left(tmp_path: Path, *words: str, **environ: str) -> bool:
    report = tmp_path / "report.json"
    report.write_text("{}")
    stale_report.remove(words, {"INIT_REPORT": str(report), **environ})
    return report.exists()


@pytest.mark.parametrize(
    "words",
    [(), ("--seed-only",), ("--sed-only",), ("--dataset", "a"), ("--dataset", "status")],
)
def test_a_run_leaves_no_report_of_another(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Whether its words are right or wrong, and its settings too."""
    assert not is_left(tmp_path, *words, INIT_LOCK_TIMEOUT="x")


@pytest.mark.parametrize(
    "words",
    [
        ("--plan",),
        ("--seed-only", "--plan"),
        ("status",),
        ("--output", "json", "status"),
        ("--help",),
    ],
)
def test_what_is_no_run_leaves_it(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert is_left(tmp_path, *words)


def test_a_report_that_cannot_be_removed(tmp_path: Path) -> None:
    """A folder, or a file that is not there: the run goes on."""
    stale_report.remove((), {"INIT_REPORT": str(tmp_path)})
    stale_report.remove((), {"INIT_REPORT": str(tmp_path / "no" / "report.json")})
    stale_report.remove((), {})
