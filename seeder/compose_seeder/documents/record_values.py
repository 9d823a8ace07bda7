"""Single values of records: as scalars, and as a message shows them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Raw

from compose_seeder.errors import quote
from compose_seeder.exact_json import decode, encode

Scalar = str | int | Decimal | bool | None
"""A value that can be a key or a reference."""

ExactValue = str | bytes
"""A text; or a number or a truth value, as its JSON text: before a column's type is known, 1.10 is not 1.1."""

NULL = Raw(b"null")

SECRET = "(a value that is secret)"  # noqa: S105
"""Stands in messages for a value that is not shown."""


def format_key(names: Iterable[str], values: Iterable[object]) -> str:
    """Return a key as a person reads it: `slug goblin, lang en`."""
    return ", ".join(f"{name} {quote(value)}" for name, value in zip(names, values, strict=True))


def to_scalar(raw: Raw) -> Scalar:
    """Return the value, where it is text, a number or a truth value; None for null and all else."""
    value = decode(raw)
    return None if isinstance(value, list | dict) else value


def to_exact(raw: Raw) -> ExactValue | None:
    """Return the value as a key of a dictionary; None for null, objects and arrays."""
    value = to_scalar(raw)
    if value is None or isinstance(value, str):
        return value
    text = bytes(raw)
    return b"0" if text == b"-0" else text


def from_exact(value: ExactValue) -> Scalar:
    """Return the value, as a message shows it."""
    return value if isinstance(value, str) else to_scalar(Raw(value))


def json_of(value: ExactValue) -> bytes:
    """Return the value as JSON text."""
    return encode(value) if isinstance(value, str) else value


def text_of(value: ExactValue) -> str:
    """Return the text that the value is in a column of text."""
    return value if isinstance(value, str) else value.decode()
