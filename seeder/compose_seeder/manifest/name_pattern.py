"""Names of fields, and names with `*`, which stands for any characters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

STAR = "*"


def select_names(patterns: tuple[str, ...], names: Iterable[str]) -> list[str]:
    """Return the names that one of some patterns names."""
    if not any(STAR in pattern for pattern in patterns):
        return [name for name in names if name in patterns]
    expression = _expression(patterns)
    return [name for name in names if expression.fullmatch(name)]


@lru_cache(maxsize=64)
def _expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    texts = (re.escape(pattern).replace(r"\*", ".*") for pattern in patterns)
    return re.compile("|".join(texts), re.DOTALL)
