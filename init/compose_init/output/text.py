"""The small forms of values in text and JSON."""

from __future__ import annotations

import json
from typing import Any

SHOWN_VALUE_CHARACTERS = 60
"""The length of a value that fits beside another one on a terminal's line."""


def to_json(document: Any, indent: int | None = None) -> str:
    """Return a document as JSON text."""
    return json.dumps(document, ensure_ascii=False, default=str, indent=indent)


def pluralize(number: int, noun: str) -> str:
    """Return `1 record`, `2,000 records`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def shorten(value: Any) -> str:
    """Return a value as JSON text, cut to fit beside another one."""
    text = to_json(value)
    return text if len(text) <= SHOWN_VALUE_CHARACTERS else f"{text[: SHOWN_VALUE_CHARACTERS - 3]}…"
