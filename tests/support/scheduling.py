"""The order and the distribution of the tests over xdist's workers (`pytest -n`).

Each file of tests runs in one worker, so that its module fixtures are set up once. The end-to-end tests of
the example share its server, images and ports, and follow one another in one worker; a file of tests on a
small stack has a server of its own. Whatever takes long begins first, so that no worker is left alone with
it at the end.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

SMALL_STACK = "tests/e2e/stack/"
END_TO_END = ("tests/e2e/", "tests/testcontainers/")


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc] # its wheel has no types
    """Scheduling by file, in the order of collection.

    The marker `xdist_group` would do, but xdist 3.8 passes it on in an attribute that pytest 9.2 no longer
    reads, and end-to-end tests then meet each other.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return the name of the tests that follow one another in one worker, of which this is one."""
    if nodeid.startswith(END_TO_END) and not nodeid.startswith(SMALL_STACK):
        return "end to end"
    return nodeid.partition("::")[0]


def begin_with_the_longest(items: list[pytest.Item]) -> None:
    """Sort the tests: end-to-end tests of the example, of a small stack, files with a slow test, and all others."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def order(item: pytest.Item) -> int:
        if item.get_closest_marker("e2e"):
            return 1 if SMALL_STACK in item.path.as_posix() else 0
        return 2 if item.path in slow else 3

    items.sort(key=order)
