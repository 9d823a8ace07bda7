"""JSON Pointer (RFC 6901) through objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

STAR = "*"
"""The part of a pattern of pointers that stands for every part."""


def split_pointer(pointer: str) -> list[str]:
    """Return the names that a pointer goes through; none where it is ""."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def follow_pointer(document: Any, pointer: str) -> Any:
    """Return the value that a pointer leads to; None where it leads nowhere."""
    for name in split_pointer(pointer):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def leads_to_null(document: Any, pointer: str) -> bool:
    """Tell if a pointer leads to a null that is written there, or through one."""
    for name in split_pointer(pointer):
        if not isinstance(document, dict) or name not in document:
            return False
        document = document[name]
        if document is None:
            return True
    return False


def join_pointer(names: Iterable[str]) -> str:
    """Return the pointer that goes through some names."""
    return "".join(f"/{name.replace('~', '~0').replace('/', '~1')}" for name in names)
