"""The exception trees of both packages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def subclasses(error: type[E]) -> Iterator[type[E]]:
    """All classes below one, wherever they are defined."""
    for each in error.__subclasses__():
        yield each
        yield from subclasses(each)
