"""Single values of records: as scalars, and as a message shows them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Raw

from compose_seeder.errors import quote
from compose_seeder.exact_json import decode

Scalar = str | int | Decimal | bool | None
"""A value that can be a key or a reference."""

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
