"""How values are hashed in PostgreSQL: the same in every run, version and machine.

A type's own hash function may know less than 64 bits (integers, timestamps), no sign (numbers), or an oid that a
restored backup has not (enums). So values are hashed as their text, but where equal values may have several texts.
"""

from __future__ import annotations

from typing import LiteralString

JSONB: LiteralString = (
    r"hashtextextended(CASE WHEN strpos({2}, '.') = 0 OR {2} !~ '\.[0-9]*0([^0-9]|$)' THEN {2} ELSE"
    r""" regexp_replace({2}, '("(?:[^"\\]|\\.)*")|(\.\d*[1-9])0+(?!\d)|\.0+(?!\d)', '\1\2', 'g') END"""
    r' COLLATE "C", {1})'
)
"""The hash of jsonb, by its text; equal where values are equal: 1.50 and 1.5 are, as numbers and not within strings.

jsonb's own hash knows no sign of a number, and takes elements that are 32 places apart for one another.
"""

INTEGER: LiteralString = "(hashint8extended({0}, {1}) # {0}::bigint)"
"""The hash of an integer: PostgreSQL's own alone folds 64 bits to 32."""

TEXT: LiteralString = 'hashtextextended({0}::text COLLATE "C", {1})'
"""The hash of any other type."""

FIELD_HASHES: dict[str, LiteralString] = {
    "int2": INTEGER,
    "int4": INTEGER,
    "int8": INTEGER,
    "bool": "hashint4extended({0}::int, {1})",
    "float4": "hashfloat8extended({0}, {1})",
    "float8": "hashfloat8extended({0}, {1})",
    "numeric": 'hashtextextended(trim_scale({0})::text COLLATE "C", {1})',
    "uuid": "uuid_hash_extended({0}, {1})",
    "timestamptz": "hashtextextended(encode(timestamptz_send({0}), 'hex') COLLATE \"C\", {1})",
    "jsonb": JSONB,
}
"""The hash of a field's value, by base type. {0} is the value, {1} the salt, {2} the value's text."""

KEY_HASHES: dict[str, LiteralString] = {
    **FIELD_HASHES,
    "citext": 'hashtextextended(lower({0}::text) COLLATE "C", {1})',
}
"""The hash of a key's value: equal where the type says equal. The letters' case of another field may change."""
