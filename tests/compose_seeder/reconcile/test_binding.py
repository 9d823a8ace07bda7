"""A table is its oid and a column its number: what is renamed keeps its history, what is made anew has none."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from compose_seeder.manifest.parse import load
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.sources import Sources
from compose_seeder.targets.table.columns import columns
from compose_seeder.targets.table.expressions import Expressions
from compose_seeder.targets.table.modified_rows import find_modified_rows
from examples.postgres import Server, embedded_binaries
from tests.support.seed_folder import Seeds, counts, table

CREATURES = [{"slug": "a", "hp": 1}, {"slug": "b", "hp": 2}]
GROWN = [{"slug": "a", "hp": 1}, {"slug": "b", "hp": 3}]
HP = "SELECT slug, hp FROM {} ORDER BY slug"


def into(name: str, **more: Any) -> str:
    """Return the manifest with another name of the table."""
    return table(**more).replace('table = "creatures"', f"table = '{name}'")


@pytest.fixture(name="creatures")
def _creatures(seeds: Seeds) -> Seeds:
    """Two creatures, seeded; a third one was there before the column that was dropped."""
    seeds.do("CREATE TABLE creatures (gone int, slug text PRIMARY KEY, hp int)")
    seeds.do("ALTER TABLE creatures DROP gone")
    seeds.write(table(), creatures=CREATURES).run()
    return seeds


@pytest.mark.parametrize(
    ("migration", "manifest", "columns"),
    [
        ("", {"table": "public.creatures"}, "slug hp"),
        ("", {"table": '"public"."creatures"'}, "slug hp"),
        ("ALTER TABLE creatures RENAME TO beasts", {"table": "beasts"}, "slug hp"),
        (
            "CREATE SCHEMA zoo; ALTER TABLE creatures SET SCHEMA zoo",
            {"table": "zoo.creatures"},
            "slug hp",
        ),
        ("ALTER TABLE creatures RENAME hp TO health", {}, "slug health"),
        ("ALTER TABLE creatures RENAME slug TO name", {}, "name hp"),
        (
            (
                "ALTER TABLE creatures RENAME slug TO old; ALTER TABLE creatures RENAME hp TO slug;"
                " ALTER TABLE creatures RENAME old TO hp"
            ),
            {},
            "hp slug",
        ),
        (
            "ALTER TABLE creatures RENAME hp TO health; ALTER TABLE creatures ADD hp int",
            {},
            "slug health",
        ),
    ],
)
def test_another_name_is_the_same_target(
    creatures: Seeds, migration: str, manifest: dict[str, Any], columns: str
) -> None:
    """An edit stays one, what the file changes is written, and nothing is created."""
    creatures.do(migration or "SELECT 1")
    key, value = columns.split()
    place = manifest.get("table", "creatures")
    creatures.write(into(place, key=key))
    creatures.do(f"UPDATE {place} SET {value} = 9 WHERE {key} = 'a'")
    creatures.source("creatures", [{key: r["slug"], value: r["hp"]} for r in GROWN])
    planned = creatures.plan()
    assert counts(planned) == {"updated": 1, "unchanged": 1, "drifted": 1}
    assert counts(creatures.run()) == counts(planned)
    assert creatures.rows(f"SELECT {key}, {value} FROM {place} ORDER BY 1") == [("a", 9), ("b", 3)]
    creatures.source("creatures", [])
    assert counts(creatures.run()) == {"released": 2}


@pytest.mark.parametrize("records", [CREATURES, GROWN])
def test_a_table_that_was_made_anew_gets_its_seeds(
    creatures: Seeds, records: list[dict[str, Any]]
) -> None:
    """Whether the file has changed or not, and also what somebody had deleted by hand in the old one."""
    creatures.do("DELETE FROM creatures WHERE slug = 'b'")
    creatures.run(verify=True)
    creatures.do("DROP TABLE creatures; CREATE TABLE creatures (slug text, hp int)")
    creatures.source("creatures", records)
    assert counts(creatures.plan()) == {"created": 2}
    assert counts(creatures.run()) == {"created": 2}


def test_the_rows_of_another_table_of_the_name_are_adopted(creatures: Seeds) -> None:
    """As when two tables change places: what differs in it is somebody's."""
    creatures.do(
        "CREATE TABLE fresh (slug text, hp int); INSERT INTO fresh VALUES ('a', 1), ('b', 7);"
        " ALTER TABLE creatures RENAME TO old; ALTER TABLE fresh RENAME TO creatures"
    )
    assert counts(creatures.run()) == {"unchanged": 2, "drifted": 1}
    creatures.source("creatures", [{"slug": "a", "hp": 5}, {"slug": "b", "hp": 5}])
    assert counts(creatures.run()) == {"updated": 1, "unchanged": 1, "drifted": 1}
    assert creatures.rows(HP.format("creatures")) == [("a", 5), ("b", 7)]
    assert creatures.rows(HP.format("old")) == [("a", 1), ("b", 2)]


def test_a_column_of_the_name_of_a_dropped_one_is_another(creatures: Seeds) -> None:
    """Nothing was applied to it: what it holds is somebody's, and what is null in it is filled."""
    creatures.do("ALTER TABLE creatures DROP hp; ALTER TABLE creatures ADD hp int")
    creatures.do("UPDATE creatures SET hp = 9 WHERE slug = 'a'")
    assert counts(creatures.run(verify=True)) == {"updated": 1, "unchanged": 1, "drifted": 1}
    assert counts(creatures.run(verify=True)) == {"unchanged": 2, "drifted": 1}
    assert creatures.rows(HP.format("creatures")) == [("a", 9), ("b", 2)]


def restored(seeds: Seeds, server: Server, new_database: Callable[..., str]) -> str:
    """Dump the database and restore it as another one; return its address."""
    programs = embedded_binaries()
    address = server.url(seeds.connection.info.dbname)
    dump = subprocess.run([programs / "pg_dump", address], check=True, capture_output=True)
    target = new_database()
    subprocess.run(
        [programs / "psql", "-q", "-v", "ON_ERROR_STOP=1", target],
        input=dump.stdout,
        check=True,
        capture_output=True,
    )
    return target


def test_a_restored_backup_keeps_its_history(
    creatures: Seeds, server: Server, new_database: Callable[..., str]
) -> None:
    """Its tables have other oids, and their columns other numbers; from then on they are known by these."""
    creatures.do("UPDATE creatures SET hp = 9 WHERE slug = 'a'")
    with psycopg.connect(restored(creatures, server, new_database), autocommit=True) as other:
        there = Seeds(creatures.folder, other)
        there.source("creatures", GROWN)
        assert counts(there.plan()) == {"updated": 1, "unchanged": 1, "drifted": 1}
        assert counts(there.run()) == {"updated": 1, "unchanged": 1, "drifted": 1}
        there.do("ALTER TABLE creatures RENAME TO beasts")
        there.write(into("beasts"), creatures=CREATURES)
        assert counts(there.run()) == {"updated": 1, "unchanged": 1, "drifted": 1}


def test_another_cluster_may_give_the_same_oids_to_others(creatures: Seeds) -> None:
    """The system identifier tells that the backup came from elsewhere."""
    creatures.do("CREATE TABLE other (slug text, hp int)")
    creatures.do("UPDATE creatures SET hp = 9 WHERE slug = 'a'")
    creatures.do(
        "UPDATE compose_init.format SET system_identifier = 1;"
        " UPDATE compose_init.target SET oid = 'other'::regclass;"
        " UPDATE compose_init.target_column SET number = number - 1"
    )
    creatures.source("creatures", GROWN)
    assert counts(creatures.run()) == {"updated": 1, "unchanged": 1, "drifted": 1}


def test_tables_restored_without_the_ledger_are_adopted(creatures: Seeds) -> None:
    """They are other tables: what differs from the file is somebody's."""
    creatures.do("UPDATE creatures SET hp = 9 WHERE slug = 'a'")
    creatures.do(
        "CREATE TABLE copy AS TABLE creatures; DROP TABLE creatures; ALTER TABLE copy RENAME TO creatures"
    )
    assert counts(creatures.run()) == {"unchanged": 2, "drifted": 1}


def test_a_role_that_may_not_ask_for_the_system_identifier(creatures: Seeds) -> None:
    """As some providers have it: the oid of the ledger has to do."""
    creatures.do("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    creatures.do("CREATE ROLE asks; GRANT ALL ON creatures TO asks")
    creatures.do("GRANT ALL ON SCHEMA compose_init TO asks")
    creatures.do("GRANT ALL ON ALL TABLES IN SCHEMA compose_init TO asks; SET ROLE asks")
    try:
        creatures.source("creatures", GROWN)
        assert counts(creatures.run()) == {"updated": 1, "unchanged": 1}
    finally:
        creatures.do("RESET ROLE; DROP OWNED BY asks; DROP ROLE asks")


def test_a_partitioned_table_is_its_root(seeds: Seeds) -> None:
    """Its partitions come and go."""
    seeds.do(
        "CREATE TABLE creatures (slug text, hp int) PARTITION BY LIST (slug);"
        " CREATE TABLE a PARTITION OF creatures FOR VALUES IN ('a');"
        " CREATE TABLE others PARTITION OF creatures DEFAULT"
    )
    seeds.write(table(), creatures=CREATURES).run()
    seeds.do("ALTER TABLE creatures RENAME TO beasts; ALTER TABLE beasts DETACH PARTITION others")
    seeds.do("ALTER TABLE beasts ATTACH PARTITION others DEFAULT; UPDATE a SET hp = 9")
    seeds.write(into("beasts"), creatures=GROWN)
    assert counts(seeds.run()) == {"updated": 1, "unchanged": 1, "drifted": 1}


def test_two_tables_that_take_each_others_names(seeds: Seeds) -> None:
    """Each dataset follows its table, where the manifest does."""
    seeds.do("CREATE TABLE one (slug text, hp int); CREATE TABLE two (slug text, hp int)")
    seeds.write(table("one") + "\n" + table("two"), one=CREATURES, two=CREATURES).run_all()
    seeds.do(
        "ALTER TABLE one RENAME TO three; ALTER TABLE two RENAME TO one; ALTER TABLE three RENAME TO two"
    )
    seeds.do("UPDATE two SET hp = 9 WHERE slug = 'a'")
    swapped = {"one": "two", "two": "one"}
    entries = (
        table(name).replace(f'table = "{name}"', f'table = "{swapped[name]}"') for name in swapped
    )
    seeds.write("\n".join(entries), one=GROWN, two=GROWN)
    assert [counts(plan) for plan in seeds.run_all()] == [
        {"updated": 1, "unchanged": 1, "drifted": 1},
        {"updated": 1, "unchanged": 1},
    ]


def test_a_column_that_was_dropped_modifies_no_row(creatures: Seeds) -> None:
    """A later run finds all rows as they were applied, and compares none."""
    creatures.do("ALTER TABLE creatures ADD more int; UPDATE creatures SET more = 1")
    creatures.source("creatures", [{**record, "more": 1} for record in CREATURES])
    creatures.run()
    creatures.do("ALTER TABLE creatures DROP more")
    creatures.source("creatures", CREATURES)
    creatures.run()
    with Ledger.open(creatures.connection, create=False) as ledger:
        applied = ledger.applied("creatures")
        dataset = load(creatures.manifest, Sources())[0].datasets[0]
        expressions = Expressions(
            dataset,
            columns(creatures.connection, "creatures", ledger.hashed_as(dataset)),
            ledger.salt,
        )
        assert applied
        assert find_modified_rows(creatures.connection, expressions, applied) == set()


def test_a_reference_to_its_own_table_in_another_spelling(seeds: Seeds) -> None:
    """A record may refer to one that the same run creates, whatever the table is called there."""
    seeds.do("CREATE SCHEMA zoo; SET search_path = zoo, public")
    seeds.do("CREATE TABLE creatures (id serial PRIMARY KEY, slug text, parent int)")
    refs = '\n[dataset.refs]\nparent = { from = "of", table = "zoo.creatures", match = "slug", take = "id" }\n'
    seeds.write(table() + refs, creatures=[{"slug": "a"}, {"slug": "b", "of": "a"}])
    assert counts(seeds.run()) == {"created": 2}
    assert seeds.rows("SELECT id FROM creatures WHERE parent IS NULL") == seeds.rows(
        "SELECT parent FROM creatures WHERE parent IS NOT NULL"
    )
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}
