"""Rows that the application commits while a run writes: each key is there once, and no file is at fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from compose_seeder.errors import InterruptedTargetError, RefusedError
from compose_seeder.targets.table.bulk_load import bulk_load
from compose_seeder.targets.table.writer import TableWriter
from tests.support.seed_folder import Seeds, counts, table

NEW = [{"slug": "a", "v": 1}, {"slug": "b", "v": 2}]
INSERT = "INSERT INTO items VALUES ('a', 77)"
Meanwhile = Callable[..., None]


def execute_elsewhere(seeds: Seeds, statement: str) -> None:
    """Execute a statement in another session."""
    info = seeds.connection.info
    with psycopg.connect(info.dsn, password=info.password or None, autocommit=True) as other:
        other.execute(statement)


@pytest.fixture(name="meanwhile")
def _meanwhile(seeds: Seeds, monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Return a function that lets another session run a statement before rows are written."""

    def meanwhile(statement: str, *, times: int = 1) -> None:
        left = times

        def somebody(write: Callable[..., Any]) -> Callable[..., Any]:
            def written(*words: Any, **more: Any) -> Any:
                nonlocal left
                left -= 1
                if left >= 0:
                    execute_elsewhere(seeds, statement)
                return write(*words, **more)

            return written

        monkeypatch.setattr(TableWriter, "_write", somebody(TableWriter._write))
        loaded = somebody(bulk_load)
        monkeypatch.setattr("compose_seeder.targets.table.reconciler.bulk_load", loaded)

    return meanwhile


@pytest.mark.parametrize("unique", ["", "UNIQUE"])
@pytest.mark.parametrize("there", ["an empty table", "other rows"])
def test_a_key_that_somebody_creates_meanwhile(
    seeds: Seeds, meanwhile: Meanwhile, unique: str, there: str
) -> None:
    """With and without a unique index: the row is seen after all, and is somebody's own."""
    seeds.do(f"CREATE TABLE items (slug text {unique}, v int)")
    if there == "other rows":
        seeds.do("INSERT INTO items VALUES ('zz', 0)")
    meanwhile(INSERT)
    done = seeds.write(table("items"), items=NEW).run()
    assert counts(done) == {"created": 1, "unchanged": 1, "drifted": 1}
    assert seeds.rows("SELECT * FROM items WHERE slug <> 'zz' ORDER BY 1") == [("a", 77), ("b", 2)]


def test_it_is_tried_again_only_once(seeds: Seeds, meanwhile: Meanwhile) -> None:
    """Where somebody goes on creating rows, to run again is all that it needs; nothing is written."""
    seeds.do("CREATE TABLE items (slug text, v int)")
    seeds.do("INSERT INTO items VALUES ('zz', 0)")
    following = "SELECT chr(min(n)), 77 FROM generate_series(97, 102) n WHERE chr(n) NOT IN (SELECT slug FROM items)"
    meanwhile(f"INSERT INTO items {following}", times=9)
    with pytest.raises(InterruptedTargetError, match="run again"):
        seeds.write(table("items"), items=[{"slug": slug, "v": 1} for slug in "abcdef"]).run()
    assert seeds.rows("SELECT DISTINCT v FROM items ORDER BY 1") == [(0,), (77,)]


def test_other_keys_are_nobodys_concern(seeds: Seeds, meanwhile: Meanwhile) -> None:
    """What the application creates meanwhile under other keys changes nothing."""
    seeds.do("CREATE TABLE items (slug text, v int)")
    meanwhile("INSERT INTO items VALUES ('c', 77)")
    assert seeds.write(table("items"), items=NEW).run().counts.created == 2


def test_a_value_of_another_key_is_a_fault(seeds: Seeds, meanwhile: Meanwhile) -> None:
    """A row that has a unique value for good: the record has to be corrected, and the row is named."""
    seeds.do("CREATE TABLE items (slug text PRIMARY KEY, v int UNIQUE)")
    seeds.do("INSERT INTO items VALUES ('zz', 0)")
    meanwhile("INSERT INTO items VALUES ('c', 2)")
    with pytest.raises(RefusedError, match="the row with slug c"):
        seeds.write(table("items"), items=NEW).run()


def test_a_row_that_somebody_refers_to_meanwhile_is_in_use(
    seeds: Seeds, meanwhile: Meanwhile
) -> None:
    """Whether the foreign key would refuse the delete or take the other row with it."""
    for action in ("NO ACTION", "CASCADE"):
        seeds.do("CREATE TABLE items (slug text PRIMARY KEY, v int)")
        seeds.do(f"CREATE TABLE orders (slug text REFERENCES items ON DELETE {action})")
        seeds.write(table("items", prune=True, max_prune=1.0), items=NEW).run()
        seeds.source("items", NEW[:1])
        meanwhile("INSERT INTO orders VALUES ('b')")
        try:
            assert [change.action for change in seeds.run().not_deleted] == ["in_use"]
        except InterruptedTargetError:
            assert action == "CASCADE"
        assert seeds.rows("SELECT * FROM orders") == [("b",)]
        seeds.do("DROP TABLE orders, items; DROP SCHEMA compose_init CASCADE")
