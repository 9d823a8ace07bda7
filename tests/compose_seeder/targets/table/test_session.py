"""Texts are read as a session of the database reads them, and hashed alike in every session."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.seed_folder import Seeds, counts, table

TEXTS = {
    "date": ["03/04/24", "2024-02-29", "4 März 2024", "infinity"],
    "timestamp": ["03/04/24 12:00", "2024-07-01T12:00:00"],
    "timestamptz": ["2024-07-01 12:00", "03/04/2024 12:00", "2024-07-01 12:00+05"],
    "timetz": ["12:00", "12:00+05"],
    "timestamptz[]": ["{2024-07-01 12:00}"],
    "tstzrange": ["[2024-07-01 12:00,2024-07-02)"],
    "tstzmultirange": ["{[2024-07-01 12:00,2024-07-02)}"],
    "daterange": ["[03/04/24,04/04/24)"],
    "interval": ["-1 2:03:04", "1 day"],
}
SESSIONS = [
    "SET TimeZone = 'Europe/Berlin'; SET DateStyle = 'ISO, DMY'; SET IntervalStyle = 'sql_standard'",
    "SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, MDY'; SET IntervalStyle = 'iso_8601'",
    "SET TimeZone = 'UTC'; SET DateStyle = 'German, YMD'; SET IntervalStyle = 'postgres_verbose'",
]


def columns() -> str:
    return ", ".join(f'"{type_}" {type_}' for type_ in TEXTS)


@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("compared", [False, True])
def test_as_an_insert_reads_them(seeds: Seeds, session: str, compared: bool) -> None:
    """Into an empty table and by comparison; and a session of other settings sees no edit."""
    seeds.do(session)
    seeds.do(f"CREATE TABLE creatures (slug text PRIMARY KEY, {columns()})")
    seeds.do("CREATE TABLE inserted (LIKE creatures)")
    records = []
    for type_, texts in TEXTS.items():
        for text in texts:
            values = {"slug": f"{type_} {text}", type_: text}
            try:
                seeds.do(
                    f'INSERT INTO inserted (slug, "{type_}") VALUES (%s, %s)', *values.values()
                )
            except psycopg.DataError:
                continue
            records.append({**dict.fromkeys(TEXTS), **values})
    if compared:
        seeds.do("INSERT INTO creatures (slug) VALUES ('somebody else')")
    seeds.write(table(), creatures=records)
    assert counts(seeds.run()) == {"created": len(records)}
    differing = "SELECT slug FROM (TABLE inserted EXCEPT TABLE creatures) d"
    assert seeds.rows(differing) == []
    for other in SESSIONS:
        seeds.do(other)
        assert counts(seeds.run(verify=True)) == {"unchanged": len(records)}
