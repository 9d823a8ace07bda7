"""Errors carry their exit codes, and the modules that define them draw them as they are."""

from __future__ import annotations

import os
import re
from types import ModuleType

import pytest

import compose_init.errors
import compose_seeder.errors
from compose_init.errors import DEFECT, InitError, Interrupted, LockError, exit_code_of
from compose_seeder.errors import FaultyRecordsError, RecordError, SeedError
from tests.support.errors import subclasses

SYSEXITS = {getattr(os, name) for name in dir(os) if name.startswith("EX_")}
WITHOUT_A_CODE = {FaultyRecordsError}
"""Never raised itself."""

TREES = [(compose_init.errors, InitError), (compose_seeder.errors, SeedError)]


@pytest.mark.parametrize("root", [InitError, SeedError])
def test_every_error_has_an_exit_code(root: type[InitError | SeedError]) -> None:
    errors = [error for error in subclasses(root) if error not in WITHOUT_A_CODE]
    assert {error.__name__ for error in errors if error.exit_code not in SYSEXITS - {0}} == set()


@pytest.mark.parametrize(("module", "root"), TREES)
def test_the_drawn_tree_is_the_tree(module: ModuleType, root: type[InitError | SeedError]) -> None:
    """The module's docstring has each class, with its code."""
    drawn = dict(re.findall(r"[├└]── (\w+)(?: +(\d+))?", module.__doc__ or ""))
    defined = {
        error.__name__: "" if error in WITHOUT_A_CODE else str(error.exit_code)
        for error in subclasses(root)
        if error.__module__ == module.__name__
    }
    assert drawn == defined


@pytest.mark.parametrize(
    ("error", "code"),
    [(LockError(), 75), (RecordError("", []), 65), (Interrupted(15), 143), (ValueError(), DEFECT)],
)
def test_the_code_of_an_error(error: BaseException, code: int) -> None:
    assert exit_code_of(error) == code


def test_an_exception_of_the_application_is_a_defect() -> None:
    """It may carry an `exit_code` of its own, as those of command-line libraries do."""

    class Theirs(Exception):  # noqa: N818
        exit_code = 0

    assert exit_code_of(Theirs()) == DEFECT
