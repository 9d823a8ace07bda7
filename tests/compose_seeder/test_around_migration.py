"""What a migration changes is no edit by hand: the file decides, and what somebody had edited before stays an edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from compose_seeder import record_tables
from compose_seeder.around_migration import carry_over, look
from compose_seeder.sources import Sources
from compose_seeder.targets.table import modified_rows
from tests.support.seed_folder import Seeds, counts, table

A, B, C = (f"{c * 8}-{c * 4}-{c * 4}-{c * 4}-{c * 12}" for c in "abc")


def migrate(seeds: Seeds, *statements: str) -> list[str]:
    """Run the statements as a migration; return the datasets that it changed."""
    changed: list[str] = []
    look(seeds.connection)
    for statement in statements:
        seeds.do(statement)
    carry_over(seeds.connection, changed.append)
    return changed


@dataclass(frozen=True)
class Instance:
    """A table `t` with the records before, what hands and a migration do, the records after, and what is right.

    `expected` has the rows as text. Rows are `slug | v` unless `query` asks for others.
    """

    columns: str
    first: list[dict[str, Any]]
    then: list[dict[str, Any]]
    migration: str
    expected: Sequence[tuple[str, ...]]
    hand: str = ""
    query: str = "SELECT slug::text, v::text FROM t ORDER BY 1"
    key: str = "slug"
    prune: bool = False
    table: str = "t"


def records(value: Any, slugs: str = "abc", field: str = "v") -> list[dict[str, Any]]:
    return [{"slug": slug, field: value} for slug in slugs]


def retyped(
    old: str, new: str, first: Any, then: Any, hand: str, written: str, kept: str, using: str = ""
) -> Instance:
    """Return a column that gets another type: b is edited before, a and c get the file's new value."""
    using = using or f"v::{new}"
    return Instance(
        f"slug text PRIMARY KEY, v {old}",
        records(first),
        records(then),
        f"ALTER TABLE t ALTER v TYPE {new} USING {using}",
        [("a", written), ("b", kept), ("c", written)],
        hand=f"UPDATE t SET v = {hand} WHERE slug = 'b'",
    )


KEYS = "SELECT k::text, v::text FROM t ORDER BY 1"


def rekeyed(
    old: str, new: str, keys: list[Any], using: str = "", after: list[Any] | None = None
) -> Instance:
    """Return a key that gets another type: the first record is edited before, the second gets the new value."""
    using, after = using or f"k::{new}", after or keys
    return Instance(
        f"k {old} PRIMARY KEY, v int",
        [{"k": key, "v": 1} for key in keys],
        [{"k": key, "v": 2} for key in after],
        f"ALTER TABLE t ALTER k TYPE {new} USING {using}",
        [(str(after[0]), "77"), (str(after[1]), "2")],
        hand=f"UPDATE t SET v = 77 WHERE k = '{keys[0]}'",
        query=KEYS,
        key="k",
    )


TABLE = "slug text PRIMARY KEY, v int"
SAME = [("a", "1"), ("b", "1"), ("c", "1")]
W = "SELECT slug, w::text FROM t ORDER BY 1"
NEW_W = [{"slug": slug, "v": 1, "w": 5} for slug in "abc"]
WITH_W = "slug text PRIMARY KEY, v int, w int"

INSTANCES = {
    "int to bigint": retyped("int", "bigint", 1, 2, "77", "2", "77"),
    "int to numeric": retyped("int", "numeric(10,2)", 19, 19.9, "77", "19.90", "77.00"),
    "numeric to int": retyped("numeric", "int", 19, 20, "77", "20", "77"),
    "int to text": retyped("int", "text", 1, "2", "77", "2", "77"),
    "text to int": retyped("text", "int", "1", 2, "'77'", "2", "77"),
    "timestamp to timestamptz": retyped(
        *("timestamp", "timestamptz", "2024-01-01", "2024-01-02", "'2024-05-05'"),
        *("2024-01-02 00:00:00+00", "2024-05-05 00:00:00+00", "v AT TIME ZONE 'UTC'"),
    ),
    "date to timestamp": retyped(
        *("date", "timestamp", "2024-01-01", "2024-01-02", "'2024-05-05'"),
        *("2024-01-02 00:00:00", "2024-05-05 00:00:00"),
    ),
    "interval to int": retyped(
        *("interval", "int", "1 hour", 60, "'5 hours'", "60", "18000", "extract(epoch FROM v)::int")
    ),
    "json to jsonb": retyped(
        "json", "jsonb", {"a": 1}, {"a": 2}, """'{"a":7}'""", '{"a": 2}', '{"a": 7}'
    ),
    "text to an array": retyped(
        "text", "text[]", "a", ["b"], "'hand'", "{b}", "{hand}", "ARRAY[v]"
    ),
    "int to bool": retyped("int", "bool", 1, False, "2", "false", "true", "v > 0"),
    "text to uuid": retyped("text", "uuid", A, B, f"'{C}'", B, C),
    "float to numeric": retyped("float8", "numeric", 0.5, 0.25, "7.5", "0.25", "7.5"),
    "cents to units": retyped(
        "int", "numeric(9,2)", 1900, 19.9, "7700", "19.90", "77.00", "v / 100.0"
    ),
    "a domain": retyped("int", "positive", 1, 2, "77", "2", "77"),
    "an enum to text": retyped("mood", "text", "ok", "fine", "'sad'", "fine", "sad"),
    "text to an enum": retyped("text", "mood", "ok", "bad", "'sad'", "bad", "sad"),
    "a key of int to bigint": rekeyed("int", "bigint", [1, 2]),
    "a key of int to text": rekeyed("int", "text", [1, 2], after=["1", "2"]),
    "a key of text to int": rekeyed("text", "int", ["1", "2"], after=[1, 2]),
    "a key of text to uuid": rekeyed("text", "uuid", [A, B]),
    "a key of an enum to text": rekeyed("mood", "text", ["bad", "ok"]),
    "a key of int to numeric": rekeyed("int", "numeric", [1, 2]),
    "a key changes, and the file does not": Instance(
        "k int PRIMARY KEY, v int",
        [{"k": 1, "v": 1}, {"k": 2, "v": 1}],
        [{"k": 1, "v": 1}, {"k": 2, "v": 1}],
        "ALTER TABLE t ALTER k TYPE numeric; UPDATE t SET v = 9",
        [("1", "1"), ("2", "1")],
        query=KEYS,
        key="k",
    ),
    "a type changes, and the file does not": Instance(
        TABLE, records(1), records(1), "ALTER TABLE t ALTER v TYPE numeric", SAME
    ),
    "what left the file is pruned, unless it was edited": Instance(
        TABLE,
        records(1),
        records(1, "a"),
        "ALTER TABLE t ALTER v TYPE numeric",
        [("a", "1"), ("b", "7")],
        hand="UPDATE t SET v = 7 WHERE slug = 'b'",
        prune=True,
    ),
    "deleted by hand before": Instance(
        TABLE,
        records(1),
        records(2),
        "ALTER TABLE t ALTER v TYPE numeric",
        [("a", "2"), ("c", "2")],
        hand="DELETE FROM t WHERE slug = 'b'",
    ),
    "a data migration, and the file decides": Instance(
        TABLE, records(1), records(1), "UPDATE t SET v = v + 10", SAME
    ),
    "a data migration of edited values": Instance(
        TABLE,
        records(1),
        records(2),
        "UPDATE t SET v = v * 10",
        [("a", "2"), ("b", "770"), ("c", "2")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'",
    ),
    "a data migration deletes rows": Instance(
        TABLE,
        records(1),
        records(1),
        "DELETE FROM t WHERE slug > 'a'",
        SAME,
        hand="UPDATE t SET v = 77 WHERE slug = 'b'",
    ),
    "a data migration inserts what somebody had deleted": Instance(
        TABLE,
        records(1),
        records(2),
        "INSERT INTO t VALUES ('b', 5)",
        [("a", "2"), ("b", "2"), ("c", "2")],
        hand="DELETE FROM t WHERE slug = 'b'",
    ),
    "a column with a default": Instance(
        TABLE,
        records(1),
        NEW_W,
        "ALTER TABLE t ADD w int NOT NULL DEFAULT 0",
        [("a", "5"), ("b", "5"), ("c", "5")],
        query=W,
    ),
    "a column that is filled by the migration": Instance(
        TABLE,
        records(1),
        NEW_W,
        "ALTER TABLE t ADD w int; UPDATE t SET w = 0 WHERE slug < 'c'",
        [("a", "5"), ("b", "5"), ("c", "5")],
        query=W,
    ),
    "a column of an earlier release is filled": Instance(
        WITH_W,
        records(1),
        NEW_W,
        "UPDATE t SET w = 0; ALTER TABLE t ALTER w SET NOT NULL",
        [("a", "5"), ("b", "5"), ("c", "5")],
        query=W,
    ),
    "a column that no file names stays somebody's": Instance(
        WITH_W,
        records(1),
        NEW_W,
        "UPDATE t SET w = w + 1",
        [("a", "5"), ("b", "8"), ("c", "5")],
        hand="UPDATE t SET w = 7 WHERE slug = 'b'",
        query=W,
    ),
    "a column dropped and added": Instance(
        WITH_W,
        NEW_W,
        NEW_W,
        "ALTER TABLE t DROP w, ADD w int NOT NULL DEFAULT 0",
        [("a", "5"), ("b", "5"), ("c", "5")],
        hand="UPDATE t SET w = 77 WHERE slug = 'b'",
        query=W,
    ),
    "a column renamed, and its place taken": Instance(
        WITH_W,
        [{"slug": slug, "v": 1, "w": 5} for slug in "abc"],
        [{"slug": slug, "v": 2, "w": 6} for slug in "abc"],
        "ALTER TABLE t RENAME w TO x; ALTER TABLE t RENAME v TO w; ALTER TABLE t RENAME x TO v",
        [("a", "2", "6"), ("b", "77", "6"), ("c", "2", "6")],
        # What was w is v now: an edit of w is an edit of v.
        hand="UPDATE t SET w = 77 WHERE slug = 'b'",
        query="SELECT slug, v::text, w::text FROM t ORDER BY 1",
    ),
    "a key renamed": Instance(
        "code text PRIMARY KEY, v int",
        [{"code": slug, "v": 1} for slug in "abc"],
        records(2),
        "ALTER TABLE t RENAME code TO slug",
        [("a", "2"), ("b", "77"), ("c", "2")],
        hand="UPDATE t SET v = 77 WHERE code = 'b'",
        key="code, slug",
    ),
    "a table dropped and created": Instance(
        TABLE,
        records(1),
        records(2),
        f"DROP TABLE t; CREATE TABLE t ({TABLE})",
        [("a", "2"), ("b", "2"), ("c", "2")],
        hand="DELETE FROM t WHERE slug = 'b'",
    ),
    "a table replaced by a copy of it": Instance(
        TABLE,
        records(1),
        records(2),
        "ALTER TABLE t RENAME TO o; CREATE TABLE t (LIKE o INCLUDING ALL); INSERT INTO t SELECT * FROM o;"
        " DROP TABLE o",
        [("a", "2"), ("b", "77"), ("c", "2")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'",
    ),
    "a table replaced by a copy, while it stays": Instance(
        TABLE,
        records(1),
        records(2),
        "ALTER TABLE t RENAME TO o; CREATE TABLE t (LIKE o INCLUDING ALL); INSERT INTO t SELECT * FROM o",
        [("a", "2"), ("b", "77")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'; DELETE FROM t WHERE slug = 'c'",
    ),
    "a table replaced by a copy with other values": Instance(
        TABLE,
        records(1),
        [*records(2), {"slug": "d", "v": 2}],
        "CREATE SCHEMA former; ALTER TABLE t SET SCHEMA former; CREATE TABLE t (slug text PRIMARY KEY, v numeric);"
        " INSERT INTO t SELECT slug, v + 0.5 FROM former.t WHERE slug <> 'a'",
        [("a", "2"), ("b", "77.5"), ("c", "2"), ("d", "2")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'",
    ),
    "a table that becomes a view": Instance(
        TABLE,
        records(1),
        records(2),
        "ALTER TABLE t ADD gone boolean NOT NULL DEFAULT false; ALTER TABLE t RENAME TO o;"
        " CREATE VIEW t AS SELECT slug, v FROM o WHERE NOT gone",
        [("a", "2"), ("b", "77")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'; DELETE FROM t WHERE slug = 'c'",
    ),
    "a table that becomes partitioned": Instance(
        TABLE,
        records(1),
        records(2),
        "ALTER TABLE t RENAME TO o; CREATE TABLE t (slug text PRIMARY KEY, v int) PARTITION BY LIST (slug);"
        " ALTER TABLE t ATTACH PARTITION o DEFAULT",
        [("a", "2"), ("b", "77"), ("c", "2")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'",
    ),
    "a copy under another name, which the manifest names": Instance(
        TABLE,
        records(1),
        records(2),
        "CREATE TABLE t_2 (LIKE t INCLUDING ALL); INSERT INTO t_2 SELECT * FROM t",
        [("a", "2"), ("b", "77")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'; DELETE FROM t WHERE slug = 'c'",
        query="SELECT slug, v::text FROM t_2 ORDER BY 1",
        table="t_2",
    ),
    "a copy under another name, and the former table dropped": Instance(
        TABLE,
        records(1),
        records(2),
        "CREATE TABLE t_2 AS SELECT * FROM t; DROP TABLE t",
        [("a", "2"), ("b", "77"), ("c", "2")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'",
        query="SELECT slug, v::text FROM t_2 ORDER BY 1",
        table="t_2",
    ),
    "a copy with a key of another type": Instance(
        "k text PRIMARY KEY, v int",
        [{"k": k, "v": 1} for k in "123"],
        [{"k": k, "v": 2} for k in (1, 2, 3)],
        "ALTER TABLE t RENAME TO o; CREATE TABLE t (k bigint PRIMARY KEY, v int);"
        " INSERT INTO t SELECT k::bigint, v FROM o",
        [("1", "2"), ("2", "77"), ("3", "2")],
        hand="UPDATE t SET v = 77 WHERE k = '2'",
        query=KEYS,
        key="k",
    ),
    "a copy that rewrites all values": Instance(
        "slug text PRIMARY KEY, v varchar(9)",
        records("one"),
        records("two"),
        "ALTER TABLE t RENAME TO o; CREATE TABLE t (id bigserial PRIMARY KEY, v text, slug text UNIQUE);"
        " INSERT INTO t (slug, v) SELECT slug, upper(v) FROM o",
        [("a", "two"), ("b", "HAND"), ("c", "two")],
        hand="UPDATE t SET v = 'hand' WHERE slug = 'b'",
    ),
    "a table made anew with the rows of a revision": Instance(
        TABLE,
        records(1),
        records(2),
        f"DROP TABLE t; CREATE TABLE t ({TABLE}); INSERT INTO t VALUES ('a', 1), ('b', 1)",
        [("a", "2"), ("b", "2"), ("c", "2")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'",
    ),
    "a new table under another name, which the manifest names": Instance(
        TABLE,
        records(1),
        records(2),
        f"CREATE TABLE t_2 ({TABLE}); INSERT INTO t_2 VALUES ('a', 9)",
        [("a", "2"), ("b", "2"), ("c", "2")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'; DELETE FROM t WHERE slug = 'c'",
        query="SELECT slug, v::text FROM t_2 ORDER BY 1",
        table="t_2",
    ),
    "a table renamed, and another one of its name": Instance(
        TABLE,
        records(1),
        records(2),
        f"ALTER TABLE t RENAME TO t_2; CREATE TABLE t ({TABLE}); INSERT INTO t SELECT * FROM t_2",
        [("a", "2"), ("b", "77"), ("c", "2")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'",
        query="SELECT slug, v::text FROM t_2 ORDER BY 1",
        table="t_2",
    ),
    "another table takes its name, which was there before": Instance(
        TABLE,
        records(1),
        records(2),
        "ALTER TABLE t RENAME TO o; ALTER TABLE other RENAME TO t",
        [("a", "1"), ("b", "55"), ("c", "2")],
        hand=f"CREATE TABLE other ({TABLE}); INSERT INTO other VALUES ('a', 1), ('b', 55)",
    ),
    "a table renamed, and a column retyped": Instance(
        TABLE,
        records(1),
        records(2),
        "ALTER TABLE t ALTER v TYPE text; ALTER TABLE t RENAME TO t_2",
        [("a", "2"), ("b", "77"), ("c", "2")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'",
        query="SELECT slug, v FROM t_2 ORDER BY 1",
        table="t_2",
    ),
    "edited back to what the file says": Instance(
        TABLE,
        records(1),
        records(2),
        "ALTER TABLE t ALTER v TYPE numeric; UPDATE t SET v = 1 WHERE slug = 'b'",
        [("a", "2"), ("b", "1"), ("c", "2")],
        hand="UPDATE t SET v = 77 WHERE slug = 'b'",
    ),
}

TYPES = (
    "CREATE TYPE mood AS ENUM ('bad', 'ok', 'sad'); CREATE DOMAIN positive AS int CHECK (VALUE > 0)"
)


def test_the_file_decides_and_edits_stay(seeds: Seeds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each instance in a schema of its own, and all in one run; then no run has anything to do."""
    monkeypatch.setattr(modified_rows, "SMALL", 0)  # every table is large
    places = {name: f"s{n}" for n, name in enumerate(INSTANCES)}
    seeds.do(TYPES)
    for name, place in places.items():
        one = INSTANCES[name]
        seeds.do(f"CREATE SCHEMA {place}; SET search_path = {place}, public")
        seeds.do(f"CREATE TABLE t ({one.columns})")
        seeds.source(place, one.first)
    seeds.do("SET search_path = public")
    write(seeds, places, 0)
    seeds.run_all()
    for name, place in places.items():
        seeds.do(f"SET search_path = {place}, public; {INSTANCES[name].hand}")
    seeds.do("SET search_path = public")
    write(seeds, places, -1)
    record_tables(seeds.connection, seeds.manifest, Sources())
    look(seeds.connection)
    for name, place in places.items():
        seeds.do(f"SET search_path = {place}, public; {INSTANCES[name].migration}")
        seeds.source(place, INSTANCES[name].then)
    seeds.do("SET search_path = public")
    carry_over(seeds.connection)
    seeds.run_all()
    found = {}
    for name, place in places.items():
        seeds.do(f"SET search_path = {place}, public")
        found[name] = seeds.rows(INSTANCES[name].query)
    seeds.do("SET search_path = public")
    assert found == {name: one.expected for name, one in INSTANCES.items()}
    assert [plan for plan in seeds.run_all(verify=True) if plan.counts.written] == []


def write(seeds: Seeds, places: dict[str, str], last: int) -> None:
    """Write the manifest; a key that is renamed has its first name at 0, and its last one at -1."""
    entries = []
    for name, place in places.items():
        one = INSTANCES[name]
        text = table(place, one.key.split(", ")[last], prune=one.prune, max_prune=1.0)
        relation = f"{place}.{one.table if last else 't'}"
        entries.append(text.replace(f'table = "{place}"', f'table = "{relation}"'))
    seeds.write("\n".join(entries))


@pytest.fixture
def killed(seeds: Seeds) -> Seeds:
    """Return seeds whose run was killed while it migrated: nothing was carried over yet."""
    seeds.do(f"CREATE TABLE creatures ({TABLE})")
    seeds.write(table(), creatures=records(1)).run()
    seeds.do("UPDATE creatures SET v = 77 WHERE slug = 'b'")
    look(seeds.connection)
    seeds.do("ALTER TABLE creatures ALTER v TYPE numeric; UPDATE creatures SET v = v + 0.5")
    return seeds


CREATURES = "SELECT slug, v::text FROM creatures ORDER BY 1"


def test_the_next_seeding_carries_the_ledger_over(killed: Seeds) -> None:
    """A plan does so for itself alone: it shows what the run does, and changes nothing."""
    changing: list[str] = []
    planned = killed.plan(changing=changing.append)
    assert changing == []
    assert killed.rows("SELECT count(*) FROM compose_init.before_migration") == [(1,)]
    done = killed.run(changing=changing.append)
    assert set(changing) == {"creatures"}
    assert counts(planned) == counts(done) == {"updated": 2, "unchanged": 1, "drifted": 1}
    assert killed.rows(CREATURES) == [("a", "1"), ("b", "77.5"), ("c", "1")]
    assert killed.rows("SELECT count(*) FROM compose_init.before_migration") == [(0,)]


def test_a_run_is_killed_between_a_table_and_its_copy(seeds: Seeds) -> None:
    """The next migration makes the copy: edits are edits, and the file decides about the rest."""
    seeds.do(f"CREATE TABLE creatures ({TABLE})")
    seeds.write(table(), creatures=records(1)).run()
    seeds.do("UPDATE creatures SET v = 77 WHERE slug = 'b'")
    look(seeds.connection)
    seeds.do("ALTER TABLE creatures RENAME TO former")
    migrate(
        seeds, "CREATE TABLE creatures (LIKE former); INSERT INTO creatures SELECT * FROM former"
    )
    seeds.source("creatures", records(2))
    assert counts(seeds.run()) == {"updated": 2, "unchanged": 1, "conflicts": 1}


def test_the_next_migration_carries_the_ledger_over(killed: Seeds) -> None:
    """What the killed run had migrated is no edit, and what is edited after it is."""
    migrate(killed, "ALTER TABLE creatures ALTER v TYPE text")
    killed.do("UPDATE creatures SET v = 'mine' WHERE slug = 'c'")
    migrate(killed, "ALTER TABLE creatures ADD w int")
    killed.run()
    assert killed.rows(CREATURES) == [("a", "1"), ("b", "77.5"), ("c", "mine")]


def test_nothing_is_noted_where_nothing_is_seeded(seeds: Seeds) -> None:
    """A table that no dataset has filled is not looked at, and a migration of another one changes nothing."""
    seeds.do(f"CREATE TABLE creatures ({TABLE}); CREATE TABLE others (id int)")
    assert migrate(seeds) == []
    seeds.write(table(), creatures=records(1)).run()
    before = seeds.rows("SELECT * FROM compose_init.record ORDER BY 1, 2")
    assert migrate(seeds, "ALTER TABLE others ADD w int DEFAULT 0") == []
    assert seeds.rows("SELECT * FROM compose_init.record ORDER BY 1, 2") == before
