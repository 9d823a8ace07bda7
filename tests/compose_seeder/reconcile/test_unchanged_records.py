"""What is not looked at: the direct way into an empty table, and records that are what they were."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose_seeder.documents.batch import Batch
from compose_seeder.documents.open_document import open_document
from compose_seeder.errors import RecordError
from compose_seeder.reconcile import desired_records, digest_matcher, staging
from compose_seeder.reconcile.digest_matcher import MOVE_WINDOW_RECORDS, DigestMatcher, digests
from compose_seeder.sources.local_file import LocalFile
from tests.support.seed_folder import Seeds, counts, table

SALT = b"0" * 32
PAD = "x" * 300
ROWS = [{"slug": f"c{n}", "hp": n, "data": {"n": [n]}} for n in range(50)]


@pytest.fixture
def creatures(seeds: Seeds) -> Seeds:
    """Seed a table by bulk load."""
    seeds.do("CREATE TABLE creatures (slug text, hp int, data jsonb)")
    assert counts(seeds.write(table(), creatures=ROWS).run()) == {"created": 50}
    return seeds


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records were parsed and compared, by run."""
    found: list[int] = []
    stage = staging.stage

    def counting(dataset: Any, raw: Any, *rest: Any) -> Any:
        found.append(len(raw))
        return stage(dataset, raw, *rest)

    monkeypatch.setattr(desired_records, "stage", counting)
    return found


def test_only_what_differs_is_looked_at(creatures: Seeds, monkeypatch: pytest.MonkeyPatch) -> None:
    """One edited in the file, one in the table, one new, one gone, the rest moved about."""
    found = looked_at(monkeypatch)
    assert counts(creatures.run(verify=True)) == {"unchanged": 50}
    assert found == []
    creatures.do("UPDATE creatures SET hp = 99 WHERE slug = 'c7'")
    edited = [{**ROWS[3], "hp": 33}, {"slug": "new", "hp": 1, "data": None}, *ROWS[5:], *ROWS[:3]]
    creatures.source("creatures", edited)
    plan = creatures.run()
    assert counts(plan) == {
        "created": 1,
        "updated": 1,
        "unchanged": 48,
        "drifted": 1,
        "released": 1,
    }
    assert found == [3]
    assert counts(creatures.run(verify=True)) == {"unchanged": 50, "drifted": 1}


def test_few_records_are_found_by_their_keys(seeds: Seeds) -> None:
    """In a large table: one edited in the file and by hand, one new to us, one gone; the others are not read."""
    rows = [{"slug": f"c{n}", "hp": n} for n in range(300)]
    seeds.do("CREATE TABLE creatures (slug text UNIQUE, hp int)")
    seeds.write(table(prune=True), creatures=rows).run()
    seeds.do("ANALYZE creatures")
    seeds.do("UPDATE creatures SET hp = -1 WHERE slug = 'c7'")
    seeds.do("INSERT INTO creatures VALUES ('theirs', 5)")
    edited = [{**rows[0], "hp": 100}, *rows[1:7], {**rows[7], "hp": 77}, *rows[8:299]]
    seeds.source("creatures", [*edited, {"slug": "theirs", "hp": 6}, {"slug": "new", "hp": 1}])
    plan = seeds.run()
    assert counts(plan) == {
        "created": 1,
        "updated": 1,
        "unchanged": 299,
        "drifted": 1,
        "conflicts": 1,
    }
    assert plan.counts.deleted == 1
    live = dict(seeds.rows("SELECT slug, hp FROM creatures"))
    assert live == {f"c{n}": n for n in range(299)} | {"c0": 100, "c7": -1, "theirs": 5, "new": 1}


def test_a_verified_run_without_a_difference_writes_nothing(creatures: Seeds) -> None:
    """No row, no catalog entry, no byte of the log."""
    creatures.do("VACUUM ANALYZE")
    creatures.do("CHECKPOINT")
    creatures.run(verify=True)  # hint bits that others have left to write
    assert creatures.run(verify=True).counts.unchanged == 50
    before = written(creatures)
    assert before > 0
    creatures.run(verify=True)
    assert written(creatures) == before


def test_children_are_looked_at_where_they_differ(
    seeds: Seeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record whose child has changed, and no other; a verified run writes nothing."""
    manifest = table(records="/rows") + "\n[dataset.nest]\n"
    manifest += 'texts = { records = "/texts", match = { of = "slug" }, by = "lang" }\n'
    texts = [
        {"of": f"c{n}", "lang": lang, "name": f"{lang} {n}"} for n in range(50) for lang in "ab"
    ]
    rows = [{"slug": f"c{n}", "hp": n} for n in range(50)]
    seeds.do("CREATE TABLE creatures (slug text, hp int, texts jsonb)")
    seeds.write(manifest, creatures={"rows": rows, "texts": texts})
    assert counts(seeds.run()) == {"created": 50}
    found = looked_at(monkeypatch)
    seeds.do("VACUUM ANALYZE")
    seeds.do("CHECKPOINT")
    assert counts(seeds.run(verify=True)) == {"unchanged": 50}
    before = written(seeds)
    assert counts(seeds.run(verify=True)) == {"unchanged": 50}
    assert written(seeds) == before
    assert found == []
    seeds.do("UPDATE creatures SET hp = 99 WHERE slug = 'c7'")
    texts[20]["name"] = "another"
    seeds.source("creatures", {"rows": rows, "texts": texts[:-1]})
    assert counts(seeds.run()) == {"updated": 2, "unchanged": 48, "drifted": 1}
    assert found == [3]
    assert seeds.rows("SELECT texts FROM creatures WHERE slug IN ('c10', 'c49') ORDER BY slug") == [
        ({"a": {"name": "another"}, "b": {"name": "b 10"}},),
        ({"a": {"name": "a 49"}},),
    ]
    seeds.source("creatures", {"rows": rows[:-1], "texts": texts[:-1]})
    with pytest.raises(RecordError, match="/texts/98, field texts: the parent is missing"):
        seeds.run()


def written(seeds: Seeds) -> int:
    """Bytes of WAL by this session alone; the server has processes that write as well."""
    seeds.do("SELECT pg_stat_force_next_flush()")
    return int(seeds.rows("SELECT wal_bytes FROM pg_stat_get_backend_wal(pg_backend_pid())")[0][0])


def test_a_key_twice_is_found_though_one_has_not_changed(creatures: Seeds) -> None:
    """The second has another text, or the very same one."""
    for twin in ({**ROWS[0], "hp": 5}, ROWS[0]):
        creatures.source("creatures", [*ROWS, twin])
        with pytest.raises(RecordError, match=r"slug c0.*the key occurs twice"):
            creatures.run()


def test_a_row_that_somebody_doubled_is_named(creatures: Seeds) -> None:
    """Though both are as they were applied."""
    creatures.do("INSERT INTO creatures SELECT * FROM creatures WHERE slug = 'c9'")
    with pytest.raises(Exception, match=r"slug c9\): the target holds the key 2 times"):
        creatures.run(verify=True)


@pytest.mark.parametrize(
    "trigger",
    ["NEW.hp := NEW.hp + 1; RETURN NEW", "IF NEW.hp = 3 THEN RETURN NULL; END IF; RETURN NEW"],
)
def test_a_table_with_a_trigger_is_compared(
    seeds: Seeds, trigger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that do not stay as they are put are not for the direct way."""
    seeds.do("CREATE TABLE creatures (slug text, hp int, data jsonb)")
    seeds.do(f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {trigger}; END $$")
    seeds.do("CREATE TRIGGER t BEFORE INSERT ON creatures FOR EACH ROW EXECUTE FUNCTION f()")
    found = looked_at(monkeypatch)
    seeds.write(table(), creatures=ROWS[:3]).run()
    assert found[0] == 3  # once more for a message that names records


def test_both_ways_write_the_same(seeds: Seeds) -> None:
    """The direct way and the comparison leave the same rows and the same ledger."""
    rows: list[dict[str, Any]] = [
        {"slug": 'q"uo\\te', "hp": None, "data": {"a": 'x"\\n', "b": None}},
        {"slug": "tab\tline\nend", "hp": 3, "data": None},
        {"slug": "ünï ☃", "hp": -1, "data": [1.50, "null", {}]},
        {"slug": "null", "hp": 0, "data": "null"},
    ]
    seeds.do("CREATE TABLE creatures (slug text, hp int, data jsonb)")
    seeds.do("CREATE TABLE others (LIKE creatures)")
    seeds.do("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    seeds.do("CREATE TRIGGER t BEFORE INSERT ON others FOR EACH ROW EXECUTE FUNCTION f()")
    manifest = table() + "\n" + table("others").replace("others.json", "creatures.json")
    seeds.write(manifest, creatures=rows).run_all()
    direct = seeds.rows("SELECT * FROM creatures ORDER BY 1")
    assert direct == seeds.rows("SELECT * FROM others ORDER BY 1")
    assert [row[0] for row in direct] == sorted(str(row["slug"]) for row in rows)
    ledger = "SELECT id, desired FROM compose_init.record WHERE dataset_id = %s ORDER BY id"
    assert seeds.rows(ledger, 1) == seeds.rows(ledger, 2)
    assert [counts(plan) for plan in seeds.run_all(verify=True)] == [{"unchanged": 4}] * 2


def test_a_record_that_came_far_forward_is_looked_at(tmp_path: Path) -> None:
    """Memory has a bound: what came forward further than the window is compared as if it were new."""
    # long enough for many batches
    lines = [f'{{"n": {n}, "pad": "{PAD}"}}'.encode() for n in range(5 * MOVE_WINDOW_RECORDS)]

    def places(order: list[bytes]) -> list[int]:
        before = [
            (
                digests(SALT, lines[start : start + 1000]),
                array("q", range(start + 1, start + 1001)),
            )
            for start in range(0, len(lines), 1000)
        ]
        matcher = DigestMatcher(before, SALT)
        path = tmp_path / "a.ndjson"
        path.write_bytes(b"\n".join(order))
        (content,) = LocalFile(path, path.name).open().contents
        for batch in open_document(path.name, content.pieces).batches(""):
            matcher.match(batch)
        return list(matcher.positions_to_compare(set()))

    lines = lines[: len(lines) // 1000 * 1000]
    assert places(lines) == []
    assert places([*lines[1:], lines[0]]) == []
    assert places([lines[-1], *lines[:-1]]) == [0]
    assert places([*lines[:5], b'{"new": 1}', *lines[5:]]) == [5]


LINES = st.lists(st.integers(0, 60), unique=True, max_size=50)


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=LINES, now=LINES, size=st.integers(1, 12), data=st.data())
def test_the_matcher_finds_only_records_of_the_last_run(
    monkeypatch: pytest.MonkeyPatch, before: list[int], now: list[int], size: int, data: Any
) -> None:
    """Whatever was added, removed, edited or moved: each record once, by its own id; the rest is open."""
    monkeypatch.setattr(digest_matcher, "MOVE_WINDOW_RECORDS", data.draw(st.integers(0, 20)))
    if data.draw(st.booleans()):  # mostly as they stood
        now = list(before)
        for place in data.draw(st.lists(st.integers(0, max(len(now) - 1, 0)), max_size=4)):
            now[place : place + data.draw(st.integers(0, 2))] = [
                100 + n for n in range(data.draw(st.integers(0, 2))) if 100 + n not in now
            ]
    ids = array("q", [1000 + n for n in before])
    matcher = DigestMatcher([(digests(SALT, [b"%d" % n for n in before]), ids)], SALT)
    for first in range(0, len(now), size):
        texts = [b"%d" % n for n in now[first : first + size]]
        missing = matcher.match(Batch(first, texts, str))
        assert [matcher.ids[first + n] for n in missing] == [0] * len(missing)
    found = list(matcher.ids)
    assert len(found) == len(now)
    assert all(id_ in {0, 1000 + n} for id_, n in zip(found, now, strict=True))
    assert sorted([id_ for id_ in found if id_] + list(matcher.ids_to_compare)) == sorted(ids)
    if now == before:
        assert 0 not in found
