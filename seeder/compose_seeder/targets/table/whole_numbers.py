"""Whole numbers as data frames write them: 7.0 for an integer column.

jsonb keeps the digits of a number, and PostgreSQL's integer types do not take 7.0, while they take 1e3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from msgspec import Raw

from compose_seeder.targets.table.columns import Column

INTEGERS = {"int2", "int4", "int8"}
INTEGER_ARRAYS = {f"_{name}" for name in INTEGERS}

WITH_FRACTION = re.compile(rb"-?[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?")
"""A number with a point."""

VALUE = re.compile(rb'(")?[ ]*(' + WITH_FRACTION.pattern + rb')[ ]*(?(1)")')
"""Such a number, in quotes or not."""

MAX_DIGITS = 20
"""The number of digits beyond which no integer type accepts a number."""


def integer_columns(columns: Mapping[str, Column]) -> set[str]:
    """Return the columns that hold integers, or arrays of them."""
    return {name for name, column in columns.items() if column.base in INTEGERS | INTEGER_ARRAYS}


def with_whole_numbers(document: dict[str, Raw], names: set[str]) -> dict[str, Raw]:
    """Return the record with each whole number in some fields as an integer: 7 for 7.0.

    Args:
        document: raw JSON by field.
        names: the fields whose columns hold integers.
    """
    changed = {
        name: Raw(as_integers(bytes(document[name])))
        for name in names & document.keys()
        if b"." in bytes(document[name])
    }
    return {**document, **changed} if changed else document


def as_integers(text: bytes) -> bytes:
    """Return JSON of a number, or of an array of numbers, with 7 for 7.0; other JSON as it is."""
    if VALUE.fullmatch(text) or text.lstrip(b'"').lstrip()[:1] in {b"[", b"{"}:
        return WITH_FRACTION.sub(_as_integer, text)
    return text


def _as_integer(found: re.Match[bytes]) -> bytes:
    number = Decimal(found[0].decode())
    is_whole = number.adjusted() < MAX_DIGITS and number == number.to_integral_value()
    return str(int(number)).encode() if is_whole else found[0]
