"""Collations that call texts equal which are not the same: as citext, for keys, references, duplicates and trees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from compose_seeder.errors import RecordError, RefusedError
from examples.postgres import Server
from tests.support.ledgers import hashes_of_version
from tests.support.postgres import FAST
from tests.support.requirements import lacking
from tests.support.seed_folder import Seeds, counts, table

FOLDER = Path("/usr/lib/postgresql")
COLLATIONS = """
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE SCHEMA "s.""%";
CREATE COLLATION "s.""%"."c""%" (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
CREATE DOMAIN handle AS text COLLATE any_case;
"""
TYPES = [
    "text COLLATE any_case",
    "varchar(20) COLLATE any_case",
    "char(9) COLLATE any_case",
    "handle",
]
TYPES.append('text COLLATE "s.""%"."c""%"')
ACCENTS = TYPES[-1]


@pytest.fixture(scope="module")
def icu() -> Iterator[Server]:
    """Yield a PostgreSQL with ICU, which the embedded one is built without."""
    found = sorted(FOLDER.glob("*/bin"))
    if not found:
        lacking(f"there is no PostgreSQL with ICU in {FOLDER}: install Debian's package postgresql")
    with Server(binaries=found[-1], settings=FAST) as server:
        yield server


@pytest.fixture
def here(icu: Server, tmp_path: Path) -> Iterator[Seeds]:
    """Yield seeds for a database that has the collations."""
    with psycopg.connect(icu.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS here")
        connection.execute("CREATE DATABASE here")
    with psycopg.connect(icu.url("here"), autocommit=True) as connection:
        connection.execute(COLLATIONS)
        yield Seeds(tmp_path, connection)


def records(*slugs: str, **more: Any) -> list[dict[str, Any]]:
    return [{"slug": slug, "n": n, **more} for n, slug in enumerate(slugs)]


@pytest.mark.parametrize("type_", TYPES)
def test_keys(here: Seeds, type_: str) -> None:
    """A row is found, updated, seen as edited and as deleted; and nothing is created beside it."""
    here.do(f"CREATE TABLE creatures (slug {type_} UNIQUE, n int)")
    here.do("INSERT INTO creatures VALUES ('Admin', 0)")
    here.write(table(), creatures=records("admin", "ogre"))
    assert counts(here.run()) == {"created": 1, "unchanged": 1, "drifted": 1}
    here.source("creatures", [{"slug": "ADMIN", "n": 7}, {"slug": "Ogre", "n": 1}])
    assert here.run().counts.created == 0
    assert here.rows("SELECT count(*), max(n) FROM creatures") == [(2, 7)]
    here.do("DELETE FROM creatures WHERE n = 1")
    here.source("creatures", [{"slug": "ADMIN", "n": 8}, {"slug": "OGRE", "n": 1}])
    assert here.run().counts.created == 0
    assert here.rows("SELECT n FROM creatures") == [(8,)]


def test_arrays_of_them(here: Seeds) -> None:
    here.do("CREATE TABLE creatures (slug text[] COLLATE any_case UNIQUE, n int)")
    here.do("INSERT INTO creatures VALUES ('{Admin,x}', 0)")
    here.write(table().replace(".json", ".csv"))
    (here.folder / "creatures.csv").write_text('slug,n\n"{admin,X}",0\n"{b}",1\n')
    assert here.run().counts.created == 1


@pytest.mark.parametrize("unique", ["UNIQUE", ""])
def test_duplicates(here: Seeds, unique: str) -> None:
    """In the file, and in the table; into an empty table as well."""
    here.do(f"CREATE TABLE creatures (slug text COLLATE any_case {unique}, n int)")
    here.write(table(), creatures=records("admin", "Admin"))
    with pytest.raises(RecordError, match="is the same key as that of"):
        here.run()
    assert here.rows("SELECT * FROM creatures") == []
    if not unique:
        here.do("INSERT INTO creatures VALUES ('ADMIN', 0), ('admin', 0)")
        here.source("creatures", records("Admin"))
        with pytest.raises(RefusedError, match="holds the key 2 times"):
            here.run()


@pytest.mark.parametrize("type_", ["text COLLATE any_case", ACCENTS])
def test_references_and_trees(here: Seeds, type_: str) -> None:
    """A parent is found in the table and in the file."""
    here.do(f"CREATE TABLE creatures (id serial, slug {type_} UNIQUE, parent_id int, n int)")
    here.do("INSERT INTO creatures (slug) VALUES ('Beast')")
    refs = "\n[dataset.refs]\nparent_id = {from = 'parent', table = 'creatures', match = 'slug', take = 'id'}"
    tree = [
        {"slug": "Wolf", "parent": "BEAST"},
        {"slug": "Dog", "parent": "wOLF"},
        {"slug": "Cat", "parent": None},
    ]
    here.write(table() + refs, creatures=tree)
    here.run()
    parents = "SELECT c.slug::text, p.slug::text FROM creatures c JOIN creatures p ON p.id = c.parent_id ORDER BY 1"
    assert here.rows(parents) == [("Dog", "Wolf"), ("Wolf", "Beast")]


def test_unique_values_beside_the_key(here: Seeds) -> None:
    """The row that has the value is named."""
    here.do("CREATE TABLE creatures (slug text, n int, email text COLLATE any_case UNIQUE)")
    here.do("INSERT INTO creatures VALUES ('a', 1, 'A@x')")
    here.write(table(), creatures=records("b", email="a@X"))
    with pytest.raises(RefusedError, match="the row with slug a"):
        here.run()


def test_a_ledger_of_an_earlier_version(here: Seeds) -> None:
    """Its keys were hashed letter by letter: records stay known, and a deleted one deleted."""
    here.do("CREATE TABLE creatures (slug text COLLATE any_case UNIQUE, n int)")
    here.write(table(), creatures=records("Admin", "Ogre"))
    with hashes_of_version(1):
        here.run()
    here.do("DELETE FROM creatures WHERE slug = 'ogre'")
    assert counts(here.run(verify=True)) == {"unchanged": 2, "drifted": 1}
