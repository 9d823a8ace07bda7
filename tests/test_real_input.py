"""Real data, whole: the SRD into tables and through the API, and the places of the world."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from examples.postgres import free_port
from tests.support import forks, geo, srd
from tests.support.programs import API, Finished, Program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not srd.DATA.is_dir(), reason=f"real data is not there: {srd.DATA}"),
]

MONSTER_TEXT = ("monster_translations", "monsters", "monster")
SPELL_TEXT = ("spell_translations", "spells", "spell")


def rows(connection: psycopg.Connection, table: str) -> dict[str, srd.Record]:
    """Monsters or spells as the database holds them, by slug."""
    found = connection.execute(f"SELECT to_jsonb(t) - 'id' - 'habitat_id' FROM {table} t".encode())
    return by_slug([row[0] for row in found])


def texts(
    connection: psycopg.Connection, table: str, parents: str, one: str
) -> list[dict[str, Any]]:
    """Return translations as the database holds them, with their parent's slug, ordered."""
    query = f"""
        SELECT to_jsonb(t) - 'id' - '{one}_id' || jsonb_build_object('{one}_slug', p.slug)
        FROM {table} t JOIN {parents} p ON p.id = t.{one}_id
    """
    return ordered([row[0] for row in connection.execute(query.encode())], one)


def ordered(records: list[srd.Record], one: str) -> list[srd.Record]:
    return sorted(records, key=lambda record: (record[f"{one}_slug"], record["lang"]))


def by_slug(records: list[srd.Record]) -> dict[str, srd.Record]:
    found = {record["slug"]: record for record in records}
    assert len(found) == len(records), "no slug is there twice"
    return found


def physical(connection: psycopg.Connection, *tables: str) -> dict[str, set[tuple[str, str]]]:
    """Where each row lies and which transaction wrote it: the same where nothing is written."""
    return {
        table: set(connection.execute(f"SELECT ctid::text, xmin::text FROM {table}".encode()))
        for table in (*tables, "compose_init.record")
    }


def counts(finished: Finished) -> dict[str, tuple[int, int, int, int]]:
    """Return the records created, updated, unchanged and unconfirmed, by dataset."""
    names = ("created", "updated", "unchanged", "unconfirmed")
    report = json.loads(finished.out)
    return {d["name"]: tuple(d[name] for name in names) for d in report["datasets"]}


def run(program: Program, *words: str) -> Finished:
    finished = program.run(*words, "--output", "json", timeout=240)
    assert finished.code == 0, finished.said
    return finished


def assert_all_there(connection: psycopg.Connection, data: srd.Srd) -> None:
    """Every row and every field is as the seed files say."""
    assert len(data.monsters) == 334
    assert len(data.spells) == 319
    assert len(data.spell_translations) == 638
    assert rows(connection, "monsters") == by_slug(data.monsters)
    assert rows(connection, "spells") == by_slug(data.spells)
    assert texts(connection, *MONSTER_TEXT) == ordered(data.monster_translations, "monster")
    assert texts(connection, *SPELL_TEXT) == ordered(data.spell_translations, "spell")


def assert_nothing_is_written_again(
    program: Program, connection: psycopg.Connection, *tables: str
) -> None:
    """Run again: the run ends at once, and a run that compares all records finds no difference."""
    before = physical(connection, *tables)
    again = json.loads(run(program).out)
    assert again["outcome"] == "nothing to do"
    verified = counts(run(program, "--verify"))
    assert all(
        (created, updated, unconfirmed) == (0, 0, 0) and unchanged
        for created, updated, unchanged, unconfirmed in verified.values()
    ), verified
    assert physical(connection, *tables) == before


@pytest.fixture
def program(database: str, tmp_path: Path) -> Program:
    """compose-init before the example's API."""
    port = free_port()
    return Program(
        {
            "DATABASE_URL": database,
            "ALEMBIC_CONFIG": str(API / "alembic.ini"),
            "SEED_MANIFEST": str(tmp_path / "seeds.toml"),
            "API_COMMAND": forks.command("dnd_helper_api.main"),
            "API_BASE_URL": f"http://127.0.0.1:{port}",
            "API_HOST": "127.0.0.1",
            "API_PORT": str(port),
        }
    )


SRD_TABLES = ("monsters", "monster_translations", "spells", "spell_translations")


def test_the_srd_goes_into_tables(
    program: Program, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """334 monsters and 319 spells with their texts, parents found by slug."""
    data = srd.load()
    data.write(tmp_path, srd.TABLES)

    first = counts(run(program))

    assert first == {
        "monsters": (334, 0, 0, 0),
        "monster-translations": (334, 0, 0, 0),
        "spells": (319, 0, 0, 0),
        "spell-translations": (638, 0, 0, 0),
    }
    assert_all_there(connection, data)
    assert_nothing_is_written_again(program, connection, *SRD_TABLES)
    assert_all_there(connection, data)


def test_the_srd_goes_through_the_api(
    program: Program, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """The same records by a temporary API, texts nested by language, each read back."""
    data = srd.load()
    data.write(tmp_path, srd.through_the_api())

    first = counts(run(program))

    assert first == {"monsters": (334, 0, 0, 0), "spells": (319, 0, 0, 0)}
    assert_all_there(connection, data)
    assert_nothing_is_written_again(program, connection, *SRD_TABLES)
    assert_all_there(connection, data)


def test_the_first_users_case(
    program: Program, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """Two texts of each record; 86 dropped by the API are named; hand edits outlive three updates."""
    data = srd.first_user()
    data.write(tmp_path, srd.through_the_api())
    sizes = (len(data.monsters), len(data.monster_translations))
    assert (*sizes, len(data.spells), len(data.spell_translations)) == (327, 654, 396, 792)
    dropped = [t["monster_slug"] for t in data.monster_translations if not t["description"]]
    assert len(dropped) == 86

    first = run(program)

    assert counts(first) == {"monsters": (327, 0, 0, 86), "spells": (396, 0, 0, 0)}
    assert len(texts(connection, *MONSTER_TEXT)) == 654 - 86
    assert len(texts(connection, *SPELL_TEXT)) == 792
    (monsters, _) = json.loads(first.out)["datasets"]
    assert len(monsters["not_kept"]) == 86
    said = "\n".join(sorted(monsters["not_kept"]))
    assert all(slug in said for slug in dropped), said
    before = physical(connection, *SRD_TABLES)
    again = counts(run(program, "--verify"))
    assert again == {"monsters": (0, 0, 327, 86), "spells": (0, 0, 396, 0)}
    assert physical(connection, *SRD_TABLES) == before

    edited, gone = data.monsters[100]["slug"], data.monsters[101]["slug"]
    connection.execute("UPDATE monsters SET hp = 4242 WHERE slug = %s", [edited])
    connection.execute("DELETE FROM monsters WHERE slug = %s", [gone])
    connection.commit()
    for update in range(1, 4):
        for monster in data.monsters[99:103]:
            monster["xp"] = update
            monster["hp"] += 1
        data.write(tmp_path, srd.through_the_api())
        updated = json.loads(run(program).out)["datasets"][0]
        found = rows(connection, "monsters")
        assert gone not in found
        assert (found[edited]["hp"], found[edited]["xp"]) == (4242, update)
        assert found[data.monsters[99]["slug"]] == data.monsters[99]
        assert (updated["created"], updated["updated"], updated["conflicts"]) == (0, 3, 1)
    assert len(found) == 326


def test_the_places_of_the_world_go_into_tables(
    connection: psycopg.Connection, database: str, tmp_path: Path
) -> None:
    """222,583 records in three datasets that refer to each other; migrations without an env.py."""
    program = Program(
        {
            "DATABASE_URL": database,
            "ALEMBIC_CONFIG": str(geo.write_revisions(tmp_path / "revisions")),
            "SEED_MANIFEST": str(geo.write_seeds(tmp_path / "seeds")),
        }
    )

    first = counts(run(program))

    assert first == {name: (count, 0, 0, 0) for name, count in geo.COUNTS.items()}
    assert_places(connection)
    assert_nothing_is_written_again(program, connection, *geo.COUNTS)
    assert_places(connection)


def assert_places(connection: psycopg.Connection) -> None:
    """Every row is as the files say; parents by their codes."""
    data = geo.load()
    admin1 = connection.execute("SELECT code, name FROM admin1").fetchall()
    assert sorted(admin1) == sorted((r["code"], r["name"]) for r in data["admin1"])
    admin2 = connection.execute(
        "SELECT a.code, p.code, a.name FROM admin2 a JOIN admin1 p ON p.id = a.admin1_id"
    ).fetchall()
    assert sorted(admin2) == sorted((r["code"], r["admin1"], r["name"]) for r in data["admin2"])
    cities = connection.execute(
        "SELECT c.id, c.name, c.country, p.code, c.lat, c.lng"
        " FROM cities c LEFT JOIN admin1 p ON p.id = c.admin1_id ORDER BY c.id"
    ).fetchall()
    wanted = [
        (r["id"], r["name"], r["country"], r["admin1"], Decimal(r["lat"]), Decimal(r["lng"]))
        for r in data["cities"]
    ]
    assert cities == sorted(wanted, key=lambda row: row[0])
    assert sum(row[3] is None for row in cities) == 384
