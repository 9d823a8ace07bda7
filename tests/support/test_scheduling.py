"""The order of the tests, and the worker that each one runs in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.scheduling import begin_with_the_longest, group_of


def item(path: str, name: str, *marks: str) -> Any:
    """Return as much of a test as its order depends on."""
    marked = SimpleNamespace(path=Path(path), name=name)
    marked.get_closest_marker = lambda mark: mark if mark in marks else None
    return marked


def test_what_takes_long_begins_first() -> None:
    """End-to-end tests, the example's first, files with a slow test, whole, and the others, in their order."""
    items = [
        item("tests/a.py", "one"),
        item("tests/b.py", "two"),
        item("tests/b.py", "three", "slow"),
        item("tests/c.py", "four"),
        item("tests/e2e/stack/c.py", "seven", "e2e"),
        item("tests/e2e/d.py", "five", "e2e"),
        item("tests/f.py", "six", "slow"),
    ]
    begin_with_the_longest(items)
    assert [each.name for each in items] == [
        *("five", "seven", "two", "three", "six", "one", "four")
    ]


@pytest.mark.parametrize(
    ("test", "group"),
    [
        ("tests/a/test_b.py::test_c", "tests/a/test_b.py"),
        ("tests/a/test_b.py::Of::test_c[x::y]", "tests/a/test_b.py"),
        ("tests/e2e/test_b.py::test_c", "end to end"),
        ("tests/e2e/stack/test_b.py::test_c", "tests/e2e/stack/test_b.py"),
        ("tests/testcontainers/test_my_stack.py::test_c", "end to end"),
    ],
)
def test_a_file_runs_in_one_worker(test: str, group: str) -> None:
    """The end-to-end tests of the example all in one, because they share a server."""
    assert group_of(test) == group
