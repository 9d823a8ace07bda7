"""Nested values have the same hash in every session, and different ones where the values differ."""

from __future__ import annotations

import pytest
from psycopg import sql

from compose_seeder.reconcile import working_tables
from compose_seeder.targets.table.columns import columns
from tests.support.seed_folder import Seeds, counts, outcomes, table

TYPES = """
CREATE TYPE moment AS (label text, "at {0} %s" timestamptz);
CREATE TYPE step AS (n int, moments moment[], lasts interval);
CREATE DOMAIN instant AS timestamptz;
CREATE DOMAIN whole_step AS step;
CREATE TYPE instants AS RANGE (subtype = instant);
CREATE TYPE prices AS RANGE (subtype = money);
CREATE TABLE halves (a timestamptz, dropped int, b text);
ALTER TABLE halves DROP dropped;
"""

DIFFERENT = {
    "moment": ["(,)", "(a,)", "(,2026-01-01)", "(a,2026-01-01)", "(a,2026-01-02)", '("",)'],
    "moment[]": [
        "{}",
        "{NULL}",
        '{"(,)"}',
        '{"(a,2026-01-01)"}',
        '{"(a,2026-01-01)",NULL}',
        '{NULL,"(a,2026-01-01)"}',
        '{{"(a,2026-01-01)"},{NULL}}',
        '[2:2]={"(a,2026-01-01)"}',
    ],
    "step": ['(1,"{""(a,2026-01-01)""}",1 mon)', '(1,"{""(a,2026-01-01)""}",30 days)', "(1,{},)"],
    "whole_step": ["(1,,1 mon)", "(1,,30 days)", "(2,,1 mon)"],
    "instant[]": ["{}", "{2026-01-01}", "{2026-01-02}", "{infinity}"],
    "instants": ["empty", "(,)", "[2026-01-01,)", "(2026-01-01,)", "[2026-01-01,2026-01-02)"],
    "datemultirange": ["{}", "{[2026-01-01,2026-01-02)}"],
    "tstzmultirange[]": ["{}", '{"{}"}', '{"{[2026-01-01,2026-01-02)}"}'],
    "prices": ["[1,2)", "[1,3)", "empty", "[1,]"],
    "money[]": ["{1}", "{2}", "{1,2}"],
    "halves": ["(2026-01-01,a)", "(2026-01-01,b)", "(,a)"],
    "interval[][]": ["{{1 day}}", "{{24:00:00}}"],
}

EQUAL_KEYS = {
    "step": ["(1,,1 day)", "(1,,24:00:00)"],
    "numrange[]": ['{"[1,2.50)"}', '{"[1.0,2.5)"}'],
}

SESSIONS = [
    "SET TimeZone = 'UTC'",
    "SET TimeZone = 'America/New_York'; SET IntervalStyle = 'iso_8601'",
    "SET TimeZone = 'Asia/Kathmandu'; SET IntervalStyle = 'sql_standard'; SET lc_monetary = 'C'",
]


def hashes(seeds: Seeds, type_: str, values: list[str], *, key: bool = False) -> list[list[int]]:
    """Return what each of the sessions sees of values that were written in the first one."""
    working_tables.create(seeds.connection, "endpoint", salt=7)
    seeds.do(f"{TYPES}; {SESSIONS[0]}; CREATE TABLE t (n serial, v {type_})")
    for value in values:
        seeds.connection.execute(f"INSERT INTO t (v) VALUES (%s::text::{type_})", [value])
    found = []
    for session in SESSIONS:
        seeds.do(session)
        hashed = columns(seeds.connection, "t")["v"].hashed("t", 7, key=key)
        query = sql.SQL("SELECT {} FROM t ORDER BY n").format(hashed)
        found.append([row[0] for row in seeds.connection.execute(query, {})])
    return found


@pytest.mark.parametrize("type_", DIFFERENT)
def test_every_session_sees_the_same_hashes(seeds: Seeds, type_: str) -> None:
    """And different values have different hashes, none that of null."""
    found = hashes(seeds, type_, DIFFERENT[type_])
    assert found[0] == found[1] == found[2]
    assert len({*found[0], 1}) == len(DIFFERENT[type_]) + 1


@pytest.mark.parametrize("type_", EQUAL_KEYS)
def test_equal_keys_have_one_hash(seeds: Seeds, type_: str) -> None:
    """What the types within call equal is one key."""
    assert (
        len(
            {
                each
                for session in hashes(seeds, type_, EQUAL_KEYS[type_], key=True)
                for each in session
            }
        )
        == 1
    )


def test_another_time_zone_is_no_edit(seeds: Seeds) -> None:
    """And an edit that the former one would have hidden is seen."""
    seeds.do(
        f"{TYPES}; SET TimeZone = 'UTC'; CREATE TABLE creatures (slug text PRIMARY KEY, was moment)"
    )
    seeds.write(table(), creatures=[{"slug": s, "was": "(a,2026-01-01 00:00+00)"} for s in "ab"])
    seeds.run()
    seeds.do("SET TimeZone = 'Asia/Kathmandu'")
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}
    seeds.do("UPDATE creatures SET was = ROW('a', '2026-01-01 00:00')::moment WHERE slug = 'b'")
    assert outcomes(seeds.run(verify=True)) == {"b": {"was": "drift"}}
