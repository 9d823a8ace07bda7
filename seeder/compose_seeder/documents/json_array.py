"""The elements of a JSON array, some at a time: a list of all small elements would double the memory.

the array's text ─▶ a part of it, cut where an element begins as the first one does ─▶ decoded: was the cut right?
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import DecodeError, Raw
from msgspec.json import decode

PART_BYTES = 1 << 20
"""Bytes that are cut off at a time."""

MAX_CUTS = 50
"""How many cuts are tried; nested records may begin alike."""


def elements(array: Raw) -> Iterator[list[Raw]]:
    """Yield the elements of an array's text, which is valid JSON.

    Raises:
        msgspec.ValidationError: the text is not an array.
    """
    text = memoryview(array)  # its buffer
    head = _head(bytes(text[:PART_BYTES]))
    start = 0
    while head and len(text) - start > 2 * PART_BYTES:
        # A part begins with the bracket, or with the comma before its first element.
        part = b"[" + bytes(text[start + 1 : start + PART_BYTES])
        found = _cut(part, head)
        if found is None:
            break
        some, size = found
        yield some
        start += size
    if start == 0:
        yield decode(array, type=list[Raw])
    else:
        yield decode(b"[" + bytes(text[start + 1 :]), type=list[Raw])


def _head(text: bytes) -> bytes:
    """Return the beginning of the first element, if it is an object: its brace and its first name."""
    start = text.lstrip()[1:].lstrip()
    end = start.find(b":")
    return start[: end + 1] if start.startswith(b"{") and end > 0 else b""


def _cut(part: bytes, head: bytes) -> tuple[list[Raw], int] | None:
    """Return the complete elements of a part, and the position of the comma after them.

    A part that was cut within an element, or within a string, is not valid JSON when it is closed.
    """
    place = len(part)
    for _ in range(MAX_CUTS):
        place = part.rfind(head, 1, place)
        if place < 0:
            return None
        before = part[:place].rstrip()
        if before.endswith(b","):
            try:
                return decode(before[:-1] + b"]", type=list[Raw]), len(before) - 1
            except DecodeError:
                continue
    return None
