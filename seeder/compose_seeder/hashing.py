"""How values are hashed in PostgreSQL: the same in every run, version and machine.

A type's own hash function may know less than 64 bits (integers, timestamps), no sign (numbers), or an oid that a
restored backup has not (enums). So values are hashed as their text, or as the bytes that PostgreSQL sends where the
text depends on the session (TimeZone, IntervalStyle, lc_monetary).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

VERSION = 3
"""How hashes are made here; the ledger knows the version of those that it holds, and versions are never compared."""

NESTED_AS_TEXT = 2
"""The version whose hashes are those of today, except for nested types, which were hashed as the session wrote them."""

JSONB: LiteralString = (
    r"hashtextextended(CASE WHEN strpos({2}, '.') = 0 OR {2} !~ '\.[0-9]*0([^0-9]|$)' THEN {2} ELSE"
    r""" regexp_replace({2}, '("(?:[^"\\]|\\.)*")|(\.\d*[1-9])0+(?!\d)|\.0+(?!\d)', '\1\2', 'g') END"""
    r' COLLATE "C", {1})'
)
"""The hash of jsonb, by its text; equal where values are equal: 1.50 and 1.5 are, as numbers and not within strings.

jsonb's own hash knows no sign of a number, and takes elements that are 32 places apart for one another.
"""

INTEGER: LiteralString = "(hashint8extended({0}, {1}) # {0}::bigint)"
"""The hash of an integer of 32 bits."""

BIGINT: LiteralString = (
    "CASE WHEN {0} <= 2147483647 AND {0} >= -2147483648 THEN " + INTEGER + " ELSE"
    " hashint8extended(({0} << 32) >> 32, hashint8extended({0} >> 32, {1})) END"
)
"""The hash of an integer of 64 bits; as one of 32 bits has it, where it is one.

PostgreSQL's own folds the halves into one another, so that numbers whose halves are flipped alike have one hash: the
one half is hashed with the hash of the other.
"""

TEXT: LiteralString = 'hashtextextended({0}::text COLLATE "C", {1})'
"""The hash of any other type."""


def _of_bytes(send: LiteralString, value: LiteralString = "{0}") -> LiteralString:
    """Return the hash of the bytes that PostgreSQL sends for a value."""
    return "hashtextextended(encode(" + send + "(" + value + "), 'hex') COLLATE \"C\", {1})"


def _without_trailing_zeros(text: LiteralString) -> LiteralString:
    """Return the hash of a text of numbers alone, such as an array of them."""
    return (
        "hashtextextended(regexp_replace("
        + text
        + r", '(\.\d*[1-9])0+(?!\d)|\.0+(?!\d)', '\1', 'g') COLLATE "
        + '"C", {1})'
    )


FIELD_HASHES: Mapping[str, LiteralString] = {
    "int2": INTEGER,
    "int4": INTEGER,
    "int8": BIGINT,
    "bool": "hashint4extended({0}::int, {1})",
    "float4": "hashfloat8extended({0}, {1})",
    "float8": "hashfloat8extended({0}, {1})",
    "numeric": 'hashtextextended(trim_scale({0})::text COLLATE "C", {1})',
    "uuid": "uuid_hash_extended({0}, {1})",
    "timestamptz": _of_bytes("timestamptz_send"),
    "tstzrange": _of_bytes("range_send"),
    "tstzmultirange": _of_bytes("multirange_send"),
    "_timestamptz": _of_bytes("array_send"),
    "interval": _of_bytes("interval_send"),
    "_interval": _of_bytes("array_send"),
    "money": _of_bytes("cash_send"),
    "jsonb": JSONB,
}
"""The hash of a field's value, by base type. {0} is the value, {1} the salt, {2} the value's text."""

KEY_HASHES: Mapping[str, LiteralString] = {
    **FIELD_HASHES,
    "citext": 'hashtextextended(lower({0}::text COLLATE "default") COLLATE "C", {1})',
    "interval": _of_bytes("interval_send", "justify_interval({0})"),
    "_numeric": _without_trailing_zeros("{0}::text"),
    "numrange": _without_trailing_zeros("{0}::text"),
    "nummultirange": _without_trailing_zeros("{0}::text"),
    "_citext": 'hashtextextended(lower({0}::text COLLATE "default") COLLATE "C", {1})',
}
"""The hash of a key's value: equal where the type says equal. The letters' case of another field may change."""

TEXTS: Mapping[str, LiteralString] = {
    "timestamptz": "encode(timestamptz_send({0}), 'hex')",
    "interval": "encode(interval_send({0}), 'hex')",
    "money": "encode(cash_send({0}), 'hex')",
}
"""The text of a value within a nested one, by the types whose own text depends on the session."""

KEY_TEXTS: Mapping[str, LiteralString] = {
    **TEXTS,
    "interval": "encode(interval_send(justify_interval({0})), 'hex')",
    "numeric": "trim_scale({0})::text",
    "float4": "({0} + 0)::text",
    "float8": "({0} + 0)::text",
    "bpchar": "({0})::text",
    "citext": 'lower({0}::text COLLATE "default")',
}
"""The same within a key, equal where the type says equal."""

COLLATED: LiteralString = "hashtextextended({0}::text {3}, {1})"
"""The hash of a key's text whose collation calls texts equal that are not the same: {3} is the collation.

It is that of a key which the collation makes for sorting, and so of a version of ICU.
"""

COLLATED_ARRAY: LiteralString = "hash_array_extended({0} {3}, {1})"
"""The same for an array of texts."""

VERSION_1: Mapping[str, LiteralString] = {
    "int8": INTEGER,
    "tstzrange": TEXT,
    "tstzmultirange": TEXT,
    "_timestamptz": TEXT,
    "interval": TEXT,
    "_interval": TEXT,
    "_numeric": TEXT,
    "numrange": TEXT,
    "nummultirange": TEXT,
    "_citext": TEXT,
    "money": TEXT,
}
"""The hashes that were made otherwise in version 1; a collation was of no account in it."""

VERSION_1_SESSION: Mapping[str, str] = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
}
"""The settings of the session in which version 1 read and wrote texts."""
