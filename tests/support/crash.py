"""Work that ends in the middle, in this process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from tests.support.seed_folder import Seeds


class CrashError(Exception):
    """What nobody reckons with."""


def crash_after(seeds: Seeds, statements: int, work: Callable[[], object]) -> None:
    """Work until a number of statements has been executed, then crash; end normally with fewer statements."""
    execute, left = psycopg.Cursor.execute, statements

    def counted(cursor: Any, *words: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        if left <= 0:
            raise CrashError
        return execute(cursor, *words, **more)

    with pytest.MonkeyPatch.context() as patched, suppress(CrashError):
        patched.setattr(psycopg.Cursor, "execute", counted)
        work()
    # As its session ends.
    seeds.do("SELECT pg_advisory_unlock_all()")
    seeds.do("DISCARD TEMP")
