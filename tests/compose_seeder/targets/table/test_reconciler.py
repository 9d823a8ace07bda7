"""A table as a target: PostgreSQL's types, its constraints, and two people at once."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import psycopg
import pytest

from compose_seeder.errors import InterruptedTargetError, ManifestError, RecordError, RefusedError
from compose_seeder.reconcile.plan import Plan
from compose_seeder.targets.table.writer import TableWriter
from tests.support.postgres import every_version
from tests.support.seed_folder import Seeds, counts, table

LONG = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(256))

TYPED = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE typed (slug text, mood mood, tags text[], grid int[][], extra jsonb, price numeric(40, 20), big numeric,
  seen timestamptz, code uuid, span int4range, short varchar(5), flag bool, day date, raw bytea)
"""
VALUES: dict[str, Any] = {
    "slug": "a", "mood": "happy", "tags": ["x", None, 'q"'], "grid": [[1, 2], [3, 4]],
    "extra": {"n": [1, None]}, "price": "0.12345678901234567890", "seen": "2024-01-01T02:00:00+02:00",
    "code": "6F9619FF-8B86-D011-B42D-00CF4FC964FF", "span": "[1,5]", "short": "abcde", "flag": "yes",
    "day": "2024-02-29", "raw": "\\x00ff",
}  # fmt: skip


@pytest.fixture
def refused(seeds: Seeds) -> Seeds:
    """Create a table with every kind of constraint, and a manifest for it."""
    seeds.do(
        "CREATE TABLE parents (id int PRIMARY KEY);"
        "CREATE TABLE creatures (slug text, hp int NOT NULL CHECK (hp > 0), name text UNIQUE, secret text,"
        " parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"
    )
    return seeds


@every_version
def test_postgresql_reads_every_type(seeds: Seeds) -> None:
    """Enums, arrays, ranges, numerics, timestamps: typed by PostgreSQL, and equal the next time."""
    seeds.do(TYPED)
    seeds.write(table("typed"), typed=[VALUES])
    assert counts(seeds.run()) == {"created": 1}
    row = seeds.rows(
        "SELECT mood::text, tags, grid, extra, price::text, seen::text, code::text, span::text, flag, raw FROM typed"
    )[0]
    assert row == (
        "happy", ["x", None, 'q"'], [[1, 2], [3, 4]], {"n": [1, None]}, "0.12345678901234567890",
        "2024-01-01 00:00:00+00", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "[1,6)", True, b"\x00\xff",
    )  # fmt: skip
    assert counts(seeds.run(verify=True)) == {"unchanged": 1}


def test_numbers_keep_every_digit_into_the_table(seeds: Seeds) -> None:
    """Neither a large exponent nor a long fraction passes through a float."""
    seeds.do(TYPED)
    number = "1" + "0" * 400
    seeds.write(
        table("typed"), typed='[{"slug": "a", "big": 1e400, "price": 0.12345678901234567891}]'
    ).run()
    assert seeds.rows("SELECT big::text, price::text FROM typed") == [
        (number, "0.12345678901234567891")
    ]


@pytest.mark.parametrize("before", [[], [{"slug": "x"}]], ids=["directly", "compared"])
def test_numbers_within_json_keep_every_digit(seeds: Seeds, before: list[dict[str, str]]) -> None:
    """Also those that are no float, beside names that are looked at."""
    numbers = "1e999, -1e-999, 123456789012345678901234567890, 0.1234567890123456789"
    seeds.do("CREATE TABLE creatures (slug text, data jsonb)")
    seeds.write(table(), creatures=before).run()
    rows = (f'{{"slug": "a{n}", "data": {{"a": [{numbers}], "b": {{"c": 1}}}}}}' for n in range(3))
    seeds.source("creatures", f"[{', '.join(rows)}]")
    assert counts(seeds.run())["created"] == 3
    found = seeds.rows("SELECT data #>> '{a,0}', data #>> '{a,2}' FROM creatures WHERE slug = 'a1'")
    assert found == [(str(10**999), "123456789012345678901234567890")]


def test_what_no_type_takes_is_named_by_record_and_field(seeds: Seeds) -> None:
    """File, position, field, found and expected, for all of them, and nothing is written."""
    seeds.do(TYPED)
    wrong = [
        {"slug": "ok", "mood": "sad"},
        {"slug": "b", "mood": "grim", "code": "x"},
        {"slug": "c", "short": "abcdef"},
        {"slug": "d", "tags": "text"},
    ]
    seeds.write(table("typed"), typed=wrong)
    with pytest.raises(RecordError) as caught:
        seeds.run()
    said = [(fault.where, fault.field) for fault in caught.value.faults]
    assert said == [
        ("typed.json#/1", "mood"),
        ("typed.json#/1", "code"),
        ("typed.json#/2", "short"),
        ("typed.json#/3", "tags"),
    ]
    assert 'expected mood, found "grim"' in str(caught.value)
    assert "expected character varying(5)" in str(caught.value)
    assert seeds.rows("SELECT 1 FROM typed") == []


def test_the_first_twenty_are_listed(seeds: Seeds) -> None:
    """A message has room for twenty records, in the file's order."""
    seeds.do(TYPED)
    seeds.write(table("typed"), typed=[{"slug": str(n), "day": "x"} for n in range(100)])
    with pytest.raises(RecordError) as caught:
        seeds.run()
    assert [fault.record for fault in caught.value.faults[:20]] == [f"slug {n}" for n in range(20)]
    assert str(caught.value).count("\n") == 21


def test_unknown_fields_are_named_with_the_nearest(seeds: Seeds) -> None:
    """A misspelt field is no data to lose quietly; a computed column is no place to write."""
    seeds.do(
        "CREATE TABLE creatures (slug text, hp int, twice int GENERATED ALWAYS AS (hp * 2) STORED)"
    )
    seeds.write(table(), creatures=[{"slug": "a", "hpp": 1}, {"slug": "b", "hpp": 2, "twice": 1}])
    with pytest.raises(
        RecordError, match=r"field hpp: .*did you mean hp\?.*2 records have it"
    ) as caught:
        seeds.run()
    assert "field twice: table creatures computes this column itself" in str(caught.value)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (table("creature"), r"there is no table creature \(did you mean creatures\?\)"),
        (table(key="slag"), r"has no column slag \(did you mean slug\?\)"),
    ],
)
def test_a_manifest_that_does_not_fit_the_schema(refused: Seeds, manifest: str, said: str) -> None:
    """A table or key column that is not there is the manifest's fault, with the nearest name."""
    refused.write(manifest, creatures=[], creature=[])
    with pytest.raises(ManifestError, match=said):
        refused.run()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"hp": None}, "field hp: must not be null"),
        ({"hp": 0}, r"field hp: breaks CHECK \(\(hp > 0\)\)"),
        ({"parent": 99}, r"refers to parents \(id\), where no row has parent 99"),
        ({"name": "taken"}, 'another row has name "taken" already: the row with slug old'),
        (
            {"name": "m-1"},
            'another row has name "m-1" already: .*slug m-1|creatures.json#/1 of this file',
        ),
        ({"name": LONG}, "index row"),
    ],
    ids=["not-null", "check", "deferred foreign key", "unique", "unique in the file", "index size"],
)
@pytest.mark.parametrize("action", ["create", "update"])
def test_what_a_constraint_refuses_is_named(
    refused: Seeds, wrong: dict[str, Any], said: str, action: str
) -> None:
    """The record at fault is named, alone; nothing is written; no row's values are quoted."""
    refused.do("INSERT INTO creatures VALUES ('old', 1, 'taken')")
    good = [{"slug": f"m-{n}", "hp": 5, "name": f"m-{n}", "secret": "s3cret"} for n in range(10)]
    refused.write(table(on_drift="overwrite"), creatures=good)
    if action == "update":
        refused.run()
    before = refused.rows("SELECT slug, hp FROM creatures ORDER BY slug")
    refused.source("creatures", [*good[:7], {**good[7], **wrong}, *good[8:]])
    with pytest.raises(RefusedError, match=said) as caught:
        refused.run()
    assert [fault.where for fault in caught.value.faults] == ["creatures.json#/7"]
    assert "s3cret" not in str(caught.value)
    assert refused.rows("SELECT slug, hp FROM creatures ORDER BY slug") == before


def test_children_are_not_blamed_for_another_records_fault(seeds: Seeds) -> None:
    """Records that refer to others of the same file find them there while the fault is looked for."""
    seeds.do(
        "CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree, hp int CHECK (hp > 0))"
    )
    rows = [{"id": n, "parent": max(n - 4, 0), "hp": 1} for n in range(8)]
    seeds.write(table("tree", key="id"), tree=[*rows, {"id": 8, "parent": 1, "hp": 0}])
    with pytest.raises(RefusedError) as caught:
        seeds.run()
    assert [fault.record for fault in caught.value.faults] == ["id 8"]


def test_a_trigger_that_raises_is_quoted(refused: Seeds) -> None:
    """Whatever code a trigger raises with, the record is named with its words."""
    refused.do(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.slug = 'b' THEN"
        " RAISE 'not this one' USING ERRCODE = 'MY001'; END IF; RETURN new; END $$;"
        "CREATE TRIGGER no BEFORE INSERT ON creatures FOR EACH ROW EXECUTE FUNCTION no()"
    )
    refused.write(table(), creatures=[{"slug": "a", "hp": 1}, {"slug": "b", "hp": 1}])
    with pytest.raises(RefusedError, match=r"#/1 \(slug b\): not this one"):
        refused.run()


def test_a_trigger_that_swallows_rows_is_noticed(refused: Seeds) -> None:
    """The table took fewer rows than it was given: that is not success."""
    refused.do(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER no BEFORE INSERT ON creatures FOR EACH ROW EXECUTE FUNCTION no()"
    )
    refused.write(table(), creatures=[{"slug": "a", "hp": 1}])
    with pytest.raises(RefusedError, match=r"planned 1 to create, .* accepted 0, "):
        refused.run()
    assert refused.rows("SELECT 1 FROM compose_init.record") == []


def test_an_identity_that_is_always_generated_is_not_updated(seeds: Seeds) -> None:
    """An explicit id is inserted; where PostgreSQL will not change one, the record is named."""
    seeds.do("CREATE TABLE creatures (id int GENERATED ALWAYS AS IDENTITY, slug text)")
    seeds.write(table(on_drift="overwrite"), creatures=[{"slug": "a", "id": 5}]).run()
    seeds.source("creatures", [{"slug": "a", "id": 6}])
    with pytest.raises(RefusedError, match=r"\(slug a\).*can only be updated to DEFAULT"):
        seeds.run()


@every_version
@pytest.mark.parametrize(
    "kind", ["serial", "int GENERATED ALWAYS AS IDENTITY", "int GENERATED BY DEFAULT AS IDENTITY"]
)
def test_sequences_follow_explicit_ids(seeds: Seeds, kind: str) -> None:
    """The application's own next row gets a free id; quoted names and other schemas included."""
    seeds.do(
        f'CREATE SCHEMA "My App"; CREATE TABLE "My App"."Creatures" ("Id" {kind} PRIMARY KEY, "sLug" text)'
    )
    manifest = table("creatures", "sLug").replace(
        'table = "creatures"', 'table = "My App.Creatures"'
    )
    seeds.write(manifest, creatures=[{"Id": 41, "sLug": "a"}, {"sLug": "b"}])
    seeds.run()
    seeds.do('INSERT INTO "My App"."Creatures" ("sLug") VALUES (\'c\')')
    rows = dict(seeds.rows('SELECT "sLug", "Id" FROM "My App"."Creatures"'))
    assert rows["a"] == 41
    assert rows["c"] == 42


def test_a_sequence_that_is_nobodys_own_follows_too(seeds: Seeds) -> None:
    """One that a default takes numbers from, as some tools write it."""
    seeds.do(
        "CREATE SEQUENCE numbers; CREATE TABLE creatures (id int DEFAULT nextval('numbers') PRIMARY KEY, slug text)"
    )
    seeds.write(table(), creatures=[{"slug": "a", "id": 41}]).run()
    seeds.do("INSERT INTO creatures (slug) VALUES ('b')")
    seeds.source("creatures", [{"slug": "a", "id": 50}])
    seeds.run()
    seeds.do("INSERT INTO creatures (slug) VALUES ('c')")
    found = dict(seeds.rows("SELECT slug, id FROM creatures"))
    assert found == {"a": 50, "b": 42, "c": 51}


@pytest.mark.parametrize(
    ("options", "id_", "following"),
    [
        ("INCREMENT -1", -100, [-101, -102]),
        ("INCREMENT -1", 7, [-1, -2]),
        ("START 1000", 41, [1000, 1001]),
        ("INCREMENT 10 START 5", 41, [45, 55]),
        ("INCREMENT 2", 2, [3, 5]),
        ("MAXVALUE 100", 500, [1, 2]),
        ("MAXVALUE 100", 100, [1, 2]),
        ("MINVALUE -9223372036854775808 START -5", 9, [10, 11]),
    ],
)
def test_a_sequence_moves_in_its_direction_within_its_bounds(
    seeds: Seeds, options: str, id_: int, following: list[int]
) -> None:
    """Ids that it never gives do not move it; its numbers stay those that it would have given."""
    seeds.do(
        f"CREATE SEQUENCE numbers {options}; CREATE TABLE creatures (id int DEFAULT nextval('numbers'), slug text)"
    )
    seeds.write(table(), creatures=[{"slug": "a", "id": id_}]).run()
    found = [seeds.rows("SELECT nextval('numbers')")[0][0] for _ in following]
    assert found == following


def test_a_sequence_in_a_text_default_is_left_alone(seeds: Seeds) -> None:
    """Its numbers are only a part of the text."""
    seeds.do(
        "CREATE SEQUENCE numbers START 5;"
        "CREATE TABLE creatures (slug text DEFAULT 'C-' || nextval('numbers') PRIMARY KEY, hp int)"
    )
    seeds.write(table(), creatures=[{"slug": "C-1", "hp": 1}]).run()
    seeds.do("INSERT INTO creatures (hp) VALUES (2)")
    assert dict(seeds.rows("SELECT slug, hp FROM creatures")) == {"C-1": 1, "C-5": 2}


def test_fields_that_are_not_named_get_their_default(seeds: Seeds) -> None:
    """Records of several shapes: absent is the column's default, null is null."""
    seeds.do("CREATE TABLE creatures (slug text, hp int DEFAULT 10)")
    rows = [{"slug": "a"}, {"slug": "b", "hp": None}, {"hp": 3, "slug": "c"}]
    assert counts(seeds.write(table(), creatures=rows).run()) == {"created": 3}
    found = dict(seeds.rows("SELECT slug, hp FROM creatures"))
    assert found == {"a": 10, "b": None, "c": 3}
    assert counts(seeds.run(verify=True)) == {"unchanged": 3}


@pytest.mark.parametrize("statement", ["UPDATE creatures SET hp = 99", "DELETE FROM creatures"])
def test_a_hand_edit_at_the_same_moment_is_not_lost(
    refused: Seeds, database: str, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """A row changed between our reading and our writing ends the run, and the edit stays."""
    refused.write(table(), creatures=[{"slug": "a", "hp": 1}]).run()
    refused.source("creatures", [{"slug": "a", "hp": 2}])
    apply = TableWriter.apply

    def edited_meanwhile(*arguments: Any) -> Any:
        with psycopg.connect(database, autocommit=True) as other:
            other.execute(statement)
        return apply(*arguments)

    monkeypatch.setattr(TableWriter, "apply", edited_meanwhile)
    with pytest.raises(InterruptedTargetError, match="run again"):
        refused.run()
    left = [] if "DELETE" in statement else [(99,)]
    assert refused.rows("SELECT hp FROM creatures") == left


def test_the_ledger_holds_no_values(refused: Seeds) -> None:
    """Seeds may hold secrets: of a value, the ledger has the hash alone."""
    refused.write(table(), creatures=[{"slug": "a", "hp": 1, "secret": "hunter2-s3cret"}]).run()
    for name in ("record", "dataset"):
        text = str(refused.rows(f"SELECT t::text FROM compose_init.{name} t"))
        assert text != "[]"
        assert "s3cret" not in text


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("point", "(1,2)"),
        ("box", "(1,2),(3,4)"),
        ("jsonpath", "$.a"),
        ("json", "1"),
        ("xml", "<a/>"),
        ("point[]", '{"(1,2)"}'),
    ],
)
@pytest.mark.parametrize("plan", [False, True])
def test_a_key_without_equality_is_a_fault_of_the_manifest(
    seeds: Seeds, type_: str, value: str, plan: bool
) -> None:
    """From the first run on, which would find an empty table, and nothing is written."""
    seeds.do(f"CREATE DOMAIN own AS {type_}; CREATE TABLE creatures (slug own, hp int)")
    seeds.write(table(), creatures=[{"slug": value, "hp": 1}])
    with pytest.raises(ManifestError, match="column slug of table creatures has type own"):
        seeds.run(plan=plan)
    assert seeds.rows("SELECT FROM creatures") == []


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("inet", "10.0.0.1"),
        ("int4range", "[1,3)"),
        ("int[]", "{1,2}"),
        ("interval", "1 day"),
        ("macaddr", "08:00:2b:01:02:03"),
        ("bit(3)", "101"),
        ("money", "1.50"),
        ("tsvector", "'a'"),
    ],
)
def test_a_key_of_a_rare_type_with_equality_is_found_again(
    seeds: Seeds, type_: str, value: str
) -> None:
    seeds.do(f"CREATE TABLE creatures (slug {type_}, hp int)")
    seeds.write(table(), creatures=[{"slug": value, "hp": 1}]).run()
    seeds.source("creatures", [{"slug": value, "hp": 2}])
    assert counts(seeds.run()) == {"updated": 1}
    assert seeds.rows("SELECT hp FROM creatures") == [(2,)]


def test_the_case_of_letters_is_a_change_where_it_is_no_other_key(seeds: Seeds) -> None:
    """`citext` calls both the same, and who reads them does not."""
    seeds.do("CREATE EXTENSION IF NOT EXISTS citext")
    seeds.do("CREATE TABLE creatures (slug citext PRIMARY KEY, name citext)")
    rows = [{"slug": "ann", "name": "Ann"}, {"slug": "bob", "name": "Bob"}]
    seeds.write(table(), creatures=rows).run()
    seeds.source("creatures", [{"slug": "Ann", "name": "Ann"}, {"slug": "bob", "name": "BOB"}])
    assert counts(seeds.run()) == {"updated": 2}
    query = "SELECT slug::text, name::text FROM creatures ORDER BY slug"
    assert seeds.rows(query) == [("Ann", "Ann"), ("bob", "BOB")]
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}
    seeds.do("UPDATE creatures SET name = 'bob' WHERE slug = 'bob'")
    assert counts(seeds.run(verify=True)) == {"unchanged": 2, "drifted": 1}


def test_two_spellings_of_one_key_are_named(seeds: Seeds) -> None:
    """Keys that differ in the file and are one in the column's type."""
    seeds.do("CREATE TABLE creatures (id int, hp int)")
    seeds.write(table(key="id"), creatures=[{"id": "1"}, {"id": 1}])
    with pytest.raises(RecordError, match="is the same key as that of"):
        seeds.run()


@pytest.mark.parametrize("before", [[], [{"slug": "orc"}]])
def test_an_element_that_is_no_record(seeds: Seeds, before: list[dict[str, str]]) -> None:
    """Is named by its place below the pointer, in a first run and in a later one."""
    seeds.do("CREATE TABLE creatures (slug text)")
    seeds.write(table(records="/all"), creatures={"all": before})
    seeds.run()
    seeds.source("creatures", {"all": [1, *before, "two"]})
    with pytest.raises(RecordError) as raised:
        seeds.run()
    places = [fault.where for fault in raised.value.faults]
    assert places == ["creatures.json#/all/0", f"creatures.json#/all/{1 + len(before)}"]


def test_the_sessions_own_lock_timeout_holds(seeds: Seeds, database: str) -> None:
    """Whoever calls the library says how long a run may wait for a table that somebody has locked."""
    seeds.do("CREATE TABLE creatures (slug text)")
    seeds.write(table(), creatures=[{"slug": "a"}]).do("SET lock_timeout = '300ms'")
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE creatures")
        with pytest.raises(InterruptedTargetError, match="lock timeout"):
            seeds.run()
    assert counts(seeds.run()) == {"created": 1}


@pytest.mark.parametrize("ends", ["COMMIT", "ROLLBACK"])
def test_a_commit_that_a_killed_run_left_under_way(seeds: Seeds, database: str, ends: str) -> None:
    """It is waited for, and what it wrote is seen: no unique index is there to stop a double."""
    seeds.do("CREATE TABLE creatures (slug text, hp int)")
    seeds.write(table(), creatures=[{"slug": "goblin", "hp": 7}])
    seeds.run()
    seeds.source("creatures", [{"slug": "goblin", "hp": 7}, {"slug": "orc", "hp": 15}])
    with psycopg.connect(database, autocommit=True) as killed:
        killed.execute("BEGIN")
        killed.execute("INSERT INTO creatures VALUES ('orc', 15)")
        killed.execute("UPDATE compose_init.dataset SET records = 2")
        plans = []
        thread = threading.Thread(target=lambda: plans.append(seeds.run()))
        thread.start()
        with psycopg.connect(database, autocommit=True) as other:
            _until(other, "wait_event_type = 'Lock' AND query LIKE '%LOCK TABLE%'", thread)
        killed.execute(ends.encode())
        thread.join()
    expected = {"unchanged": 2} if ends == "COMMIT" else {"unchanged": 1, "created": 1}
    assert [counts(plan) for plan in plans] == [expected]
    assert seeds.rows("SELECT slug, hp FROM creatures ORDER BY slug") == [
        ("goblin", 7),
        ("orc", 15),
    ]


SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN IF new.slug = 'orc' AND new.ac IS NOT NULL THEN PERFORM pg_sleep(2); END IF; RETURN new; END $$;
CREATE TRIGGER slow AFTER INSERT OR UPDATE ON creatures FOR EACH ROW EXECUTE FUNCTION slow();
"""


def test_two_runs_at_once_without_the_lock_of_the_container(seeds: Seeds, database: str) -> None:
    """As with a library's callers: the second sees what the first wrote, the order of its fields included."""
    seeds.do("CREATE TABLE creatures (slug text, aa int, ac int, hp int)")
    seeds.do(SLOW)
    seeds.write(table(), creatures=[{"slug": "goblin", "hp": 7}, {"slug": "orc", "hp": 15}])
    seeds.run()
    more = [{"slug": "goblin", "hp": 7, "ac": 15}, {"slug": "orc", "hp": 9, "ac": 13}]
    seeds.source("creatures", more)
    wrote: list[Plan] = []
    first = threading.Thread(target=lambda: wrote.append(seeds.run()))
    first.start()
    with psycopg.connect(database, autocommit=True) as other:
        _until(other, "wait_event = 'PgSleep'", first)
        seeds.source("creatures", [{"aa": 1, **record} for record in more])
        saw = Seeds(seeds.folder, other).run()
    first.join()
    assert counts(wrote[0]) == counts(saw) == {"updated": 2}
    assert seeds.rows("SELECT slug, aa, ac, hp FROM creatures ORDER BY slug") == [
        ("goblin", 1, 15, 7),
        ("orc", 1, 13, 9),
    ]
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}


def _until(connection: psycopg.Connection, what: str, thread: threading.Thread) -> None:
    """Wait until another session does this; the thread must be at it still."""
    query = f"SELECT 1 FROM pg_stat_activity WHERE {what}".encode()
    for _ in range(500):
        if connection.execute(query).fetchone():
            return
        thread.join(0.02)
        assert thread.is_alive()
    raise AssertionError(f"never seen: {what}")
