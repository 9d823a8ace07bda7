"""A hash is equal where values are equal, and differs where they differ, for each type on its own."""

from __future__ import annotations

import pytest
from psycopg import sql

from compose_seeder.reconcile import working_tables
from compose_seeder.targets.table.columns import columns
from tests.support.seed_folder import Seeds

DIFFERENT = {
    "int": ["1", "-1", "0", "2"],
    "bigint": ["1", "4294967296", "-1", "8589934593"],
    "numeric": ["3", "-3", "30", "0.3", "NaN", "Infinity", "-Infinity", "1e30"],
    "float8": ["1", "-1", "1.5", "NaN", "0"],
    "boolean": ["true", "false"],
    "text": ["", "a", "A", " a", "null"],
    "timestamptz": ["2026-01-01", "2026-01-01 00:00:00.000001", "2026-02-01", "infinity"],
    "date": ["2026-01-01", "2026-01-02"],
    "interval": ["1 mon", "30 days", "-1 mon"],
    "jsonb": [
        "1",
        "-1",
        '"1"',
        '"1.0"',
        "null",
        "[]",
        "{}",
        "[1, 2]",
        "[2, 1]",
        '{"a": -1}',
        '{"a": 1}',
        "[[1], 2]",
        "[1, [2]]",
        "[1, 1]",
        "[1, 1, 1]",
        '{"a": "1.50"}',
        '{"a": "1.5"}',
        '{"a": "\\"1.50"}',
        '{"a": "\\"1.5"}',
        '["1.0", 1.05]',
        '["1", 1.050, 1]',
        str([10, *range(31), 1]),
        str([1, *range(31), 10]),
        '{"a": 10}',
    ],
    "int[]": ["{}", "{1}", "{1,2}", "{2,1}", "{-1}", "{NULL}", "{{1,2}}"],
    "int4range": ["[1,2)", "[1,3)", "empty"],
    "bytea": ["\\\\x00", "\\\\x01", ""],
    "inet": ["10.0.0.1", "10.0.0.1/8"],
    "uuid": ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"],
}
EQUAL = {
    "numeric": ["1", "1.0", "1.00", "1e0"],
    "float8": ["0", "-0"],
    "jsonb": [
        '{"a": 1.50, "b": [2, 100, 0.050, "\\"1.0"]}',
        '{"b": [2.0, 100.000, 0.05, "\\"1.0"], "a": 1.5}',
    ],
    "timestamptz": ["2026-01-01 01:00+01", "2026-01-01 00:00Z"],
    "uuid": ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc999c0b4ef8bb6d6bb9bd380a11}"],
}


EQUAL_KEYS = {
    "interval": ["1 day", "24:00:00", "23:59:60"],
    "numeric[]": ["{1,20}", "{1.0,20.00}"],
    "numrange": ["[1,2.5)", "[1.00,2.50)"],
    "char(5)": ["a", "a  "],
    "float8": ["0", "-0"],
}
HALVES = [-1, 4294967295, 0, 1 << 40, -(1 << 40), (1 << 40) + (1 << 8), (1 << 63) - 1, -(1 << 63)]


def hashes(seeds: Seeds, type_: str, values: list[str], *, key: bool = False) -> list[int]:
    """As the comparison sees them."""
    working_tables.create(seeds.connection, "endpoint", salt=7)
    seeds.do(f"SET TimeZone = 'UTC'; CREATE TABLE t (n serial, v {type_})")
    for value in values:
        seeds.connection.execute(f"INSERT INTO t (v) VALUES (%s::text::{type_})", [value])
    hashed = columns(seeds.connection, "t")["v"].hashed("t", 7, key=key)
    query = sql.SQL("SELECT {} FROM t ORDER BY n").format(hashed)
    return [row[0] for row in seeds.connection.execute(query)]


@pytest.mark.parametrize("type_", DIFFERENT)
def test_different_values_have_different_hashes(seeds: Seeds, type_: str) -> None:
    """Null included."""
    found = hashes(seeds, type_, DIFFERENT[type_])
    assert len({*found, 1}) == len(DIFFERENT[type_]) + 1


@pytest.mark.parametrize("type_", EQUAL)
def test_equal_values_have_one_hash(seeds: Seeds, type_: str) -> None:
    """However they are written."""
    assert len(set(hashes(seeds, type_, EQUAL[type_]))) == 1


@pytest.mark.parametrize("type_", EQUAL_KEYS)
def test_equal_keys_have_one_hash(seeds: Seeds, type_: str) -> None:
    """What the type calls equal is one key, whatever its text is."""
    assert len(set(hashes(seeds, type_, EQUAL_KEYS[type_], key=True))) == 1


def test_changes_of_two_bigints_do_not_cancel(seeds: Seeds) -> None:
    """Put together, the hashes of two columns differ where the values do, halves that are flipped alike included."""
    seeds.do("CREATE TABLE t (a bigint, b bigint)")
    seeds.do(
        "INSERT INTO t SELECT a, b FROM unnest(%s::bigint[]) a, unnest(%s::bigint[]) b",
        HALVES,
        HALVES,
    )
    known = columns(seeds.connection, "t")
    together = sql.SQL("SELECT {} # {} FROM t").format(*(known[c].hashed("t", 7) for c in "ab"))
    found = [row[0] for row in seeds.connection.execute(together)]
    assert len(set(found)) == len(HALVES) ** 2


def test_integers_of_every_size_have_one_hash(seeds: Seeds) -> None:
    """A column that a migration widens keeps its hashes."""
    seeds.do("CREATE TABLE t (v int); INSERT INTO t VALUES (0), (-1), (2147483647), (-2147483648)")
    before = [columns(seeds.connection, "t")["v"].hashed("t", 7)]
    seeds.do("ALTER TABLE t ALTER v TYPE bigint")
    both = sql.SQL("SELECT {} = {} FROM t").format(
        *before, columns(seeds.connection, "t")["v"].hashed("t", 7)
    )
    assert seeds.connection.execute(both).fetchall() == [(True,)] * 4


def test_json_is_hashed_the_same_for_an_endpoint(seeds: Seeds) -> None:
    """The sign of a number counts, its trailing zeros do not."""
    working_tables.create(seeds.connection, "endpoint", salt=7)
    values = ["1", "1.0", "-1", '"1.0"', '"1"', '{"a": [1.20]}', '{"a": [1.2]}', '{"a": [-1.2]}']
    query = "SELECT pg_temp.hash(v::jsonb) FROM unnest(%s::text[]) WITH ORDINALITY AS t (v, n) ORDER BY n"
    found = [row[0] for row in seeds.rows(query, values)]
    assert found[0] == found[1]
    assert found[5] == found[6]
    assert len(set(found)) == 6
