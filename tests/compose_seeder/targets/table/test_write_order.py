"""An end state that is valid is reached in one transaction, though the single steps on the way to it are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose_seeder.errors import RefusedError
from examples.postgres import Server
from tests.support.ledgers import forget_seeds
from tests.support.seed_folder import Rows, Seeds, table

ORDER = "SELECT string_agg(slug, '' ORDER BY pos) FROM items"


def places(order: Sequence[str], first: int = 1) -> Rows:
    """Return records, each with its place in a unique column."""
    return [{"slug": slug, "pos": pos} for pos, slug in enumerate(order, first)]


COLUMNS = {
    "deferrable": "pos int NOT NULL UNIQUE DEFERRABLE",
    "initially deferred": "pos int NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED",
    "plain": "pos int UNIQUE",
    "plain, with others": "shelf int NOT NULL DEFAULT 1, pos int, UNIQUE (shelf, pos)",
    "plain, all may be null": "shelf int DEFAULT 1, pos int, UNIQUE (shelf, pos)",
    "exclusion": "pos int, EXCLUDE USING gist (int4range(pos, pos, '[]') WITH &&) DEFERRABLE",
}

CHANGES = {
    "two change places": "ba" + "cde",
    "in a ring": "bcdea",
    "two rings": "bac" + "ed",
    "in reverse": "edcba",
    "a new one in front": "zabcde",
    "a new one within, and a ring": "bazcde",
    "the first leaves": "bcde",
    "one leaves, and a new one is in its place": "abzde",
    "the first leaves, and others change places": "dceb",
}


@pytest.mark.parametrize("columns", COLUMNS)
def test_values_change_places(seeds: Seeds, columns: str) -> None:
    """Whatever changes places, also with a constraint that is checked row by row."""
    seeds.do(f"CREATE TABLE items (slug text PRIMARY KEY, {COLUMNS[columns]})")
    manifest = table("items", prune=True, max_prune=1.0)
    for change in CHANGES.values():
        seeds.write(manifest, items=places("abcde")).run()
        seeds.source("items", places(change))
        seeds.run()
        assert seeds.rows(ORDER) == [(change,)]
        assert "shelf" not in COLUMNS[columns] or seeds.rows(
            "SELECT DISTINCT shelf FROM items"
        ) == [(1,)]
        assert seeds.run(verify=True).counts.written == 0
        forget_seeds(seeds.connection)
        seeds.do("TRUNCATE items")


def test_a_long_list_moves_along(seeds: Seeds) -> None:
    """A column that is NOT NULL, with more records than can be parts of one statement."""
    seeds.do("CREATE TABLE items (slug text PRIMARY KEY, pos int NOT NULL UNIQUE)")
    many = [f"s{n}" for n in range(300)]
    seeds.write(table("items"), items=places(many)).run()
    seeds.source("items", places(["first", *many]))
    assert seeds.run().counts.updated == 300
    assert seeds.rows("SELECT pos FROM items WHERE slug IN ('first', 's299') ORDER BY 1") == [
        (1,),
        (301,),
    ]


def test_a_partial_index_on_an_expression(seeds: Seeds) -> None:
    """What the index calls equal decides, of the rows that it is about."""
    seeds.do(
        "CREATE TABLE items (slug text PRIMARY KEY, name text NOT NULL, live bool NOT NULL);"
        " CREATE UNIQUE INDEX ON items (lower(name)) WHERE live"
    )
    before = [("a", "One", True), ("b", "Two", True), ("c", "Three", False), ("d", "Four", True)]
    after = [("a", "TWO", True), ("b", "three", True), ("c", "one", True), ("d", "FOUR", False)]
    records = [
        [{"slug": slug, "name": name, "live": live} for slug, name, live in rows]
        for rows in (before, after)
    ]
    seeds.write(table("items"), items=records[0]).run()
    seeds.source("items", records[1])
    seeds.run()
    assert seeds.rows("SELECT * FROM items ORDER BY 1") == after


@pytest.mark.parametrize(
    "pos", ["pos int NOT NULL UNIQUE", "pos int UNIQUE CHECK (pos IS NOT NULL)"]
)
def test_where_no_value_can_be_free_the_remedy_is_named(seeds: Seeds, pos: str) -> None:
    """A ring in a column that is NOT NULL; records that are not in it are not at fault."""
    seeds.do(f"CREATE TABLE items (slug text PRIMARY KEY, {pos})")
    seeds.write(table("items"), items=places("abcd")).run()
    seeds.source("items", places("badzc"))
    with pytest.raises(RefusedError) as refused:
        seeds.run()
    assert "make it DEFERRABLE, so that values can change places" in str(refused.value)
    assert {fault.record for fault in refused.value.faults} == {"slug a", "slug b"}
    assert seeds.rows(ORDER) == [("abcd",)]
    seeds.do("ALTER TABLE items DROP CONSTRAINT items_pos_key, ADD UNIQUE (pos) DEFERRABLE")
    seeds.run()
    assert seeds.rows(ORDER) == [("badzc",)]


def test_values_that_others_refer_to_are_not_set_to_null(seeds: Seeds) -> None:
    """Not even for a while: ON UPDATE CASCADE would set the references to null as well."""
    seeds.do(
        "CREATE TABLE items (slug text PRIMARY KEY, pos int UNIQUE);"
        " CREATE TABLE notes (pos int REFERENCES items (pos) ON UPDATE CASCADE)"
    )
    seeds.write(table("items"), items=places("abc")).run()
    seeds.do("INSERT INTO notes VALUES (1), (3)")
    seeds.source("items", places("bac"))
    with pytest.raises(RefusedError, match="DEFERRABLE"):
        seeds.run()
    seeds.source("items", places("abc", first=2))
    seeds.run()
    assert seeds.rows("SELECT pos FROM notes ORDER BY 1") == [(2,), (4,)]


def test_records_that_refer_to_each_other_whatever_fields_they_have(seeds: Seeds) -> None:
    """Of several sets of fields, new and updated, in a ring, and with a reference to another column than the key."""
    seeds.do(
        "CREATE TABLE items (id int PRIMARY KEY, code text UNIQUE, name text, parent int REFERENCES items,"
        " peer text REFERENCES items (code))"
    )
    seeds.write(table("items", key="id"), items=[{"id": 1, "code": "a"}, {"id": 2}]).run()
    after: Rows = [
        {"id": 1, "code": "b", "parent": 5},
        {"id": 2, "parent": 3, "peer": "b"},
        {"id": 3, "name": "x", "parent": 4, "peer": "c"},
        {"id": 4, "parent": 3},
        {"id": 5, "code": "c", "peer": "c"},
    ]
    seeds.source("items", after)
    seeds.run()
    assert seeds.rows("SELECT id, code, parent, peer FROM items ORDER BY 1") == [
        (1, "b", 5, None),
        (2, None, 3, "b"),
        (3, None, 4, "c"),
        (4, None, 3, None),
        (5, "c", None, "c"),
    ]


def test_only_the_record_at_fault_is_named(seeds: Seeds) -> None:
    """Not those before it that refer to records after it."""
    seeds.do("CREATE TABLE items (id int PRIMARY KEY, parent int REFERENCES items, v int UNIQUE)")
    seeds.do("INSERT INTO items VALUES (50, NULL, 7)")
    tree: Rows = [{"id": 1, "parent": 2}, {"id": 2, "parent": 3}, {"id": 3}, {"id": 4, "v": 7}]
    with pytest.raises(RefusedError) as refused:
        seeds.write(table("items", key="id"), items=[*tree, {"id": 5, "parent": 9}]).run()
    assert {fault.record for fault in refused.value.faults} == {"id 4", "id 5"}


IDS = range(6)


@st.composite
def states(draw: st.DrawFn) -> Rows:
    """Return records with ids: each with a place of its own or none, and perhaps with a parent among them."""
    ids = draw(st.lists(st.sampled_from(IDS), unique=True))
    pos = draw(st.permutations([None, *IDS]))
    parent = st.sampled_from([None, *ids])
    records = [{"id": i, "pos": pos[n], "parent": draw(parent)} for n, i in enumerate(ids)]
    return [
        {name: value for name, value in record.items() if value is not None or draw(st.booleans())}
        for record in records
    ]


@pytest.fixture(scope="module", name="shared")
def _shared(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeds]:
    """One database for all examples."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS states")
        admin.execute("CREATE DATABASE states")
    folder: Path = tmp_path_factory.mktemp("states")
    with psycopg.connect(server.url("states"), autocommit=True) as connection:
        yield Seeds(folder, connection)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=states(), after=states(), action=st.sampled_from(["NO ACTION", "CASCADE", "SET NULL"])
)
def test_any_valid_state_follows_any_other(
    shared: Seeds, before: Rows, after: Rows, action: str
) -> None:
    """With a plain unique column, a reference within the table, and rows that leave."""
    forget_seeds(shared.connection)
    shared.do("DROP TABLE IF EXISTS items")
    shared.do(
        f"CREATE TABLE items (id int PRIMARY KEY, parent int REFERENCES items ON DELETE {action}, pos int UNIQUE)"
    )
    # A row that leaves while others move away from it is deleted after them, and holds its place until then.
    staying = {record["id"] for record in after}
    before = [
        {name: value for name, value in record.items() if name != "parent" or value in staying}
        for record in before
    ]
    manifest = table("items", key="id", prune=True, max_prune=1.0)
    shared.write(manifest, items=before).run()
    # A field that leaves the file keeps its value, so that it is named here.
    named: Rows = [{"pos": None, "parent": None, **record} for record in after]
    known = {record["id"] for record in before}
    shared.source(
        "items", [n if n["id"] in known else a for n, a in zip(named, after, strict=True)]
    )
    shared.run()
    found: list[Any] = shared.rows("SELECT id, parent, pos FROM items")
    assert sorted(found) == sorted((r["id"], r["parent"], r["pos"]) for r in named)
    assert shared.run(verify=True).counts.written == 0


@pytest.mark.parametrize("null", ["", "NOT NULL"])
def test_values_of_an_expression_change_places(seeds: Seeds, null: str) -> None:
    """Through null where the column allows it; else the remedy is named."""
    seeds.do(f"CREATE TABLE items (slug text PRIMARY KEY, name text {null})")
    seeds.do("CREATE UNIQUE INDEX ON items (lower(name))")
    both = [{"slug": "a", "name": "One"}, {"slug": "b", "name": "Two"}]
    seeds.write(table("items"), items=both).run()
    seeds.source("items", [{"slug": "a", "name": "two"}, {"slug": "b", "name": "one"}])
    if null:
        with pytest.raises(RefusedError, match="DEFERRABLE"):
            seeds.run()
    else:
        seeds.run()
        assert seeds.rows("SELECT name FROM items ORDER BY slug") == [("two",), ("one",)]
