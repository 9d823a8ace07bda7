"""The direct way into an empty table takes what the comparison takes, and writes what it writes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from compose_seeder.errors import RecordError
from tests.compose_seeder.reconcile.test_unchanged_records import looked_at
from tests.support.seed_folder import Seeds, counts, table

REFERS = '\n[dataset.refs]\np = { from = "of", table = "p", match = "slug", take = "id" }'


def test_a_reference_without_an_id_is_refused(seeds: Seeds) -> None:
    """The row is there and its id is not: neither null nor the text None is written."""
    seeds.do("CREATE TABLE p (slug text, id text); INSERT INTO p VALUES ('a', NULL)")
    seeds.do("CREATE TABLE creatures (slug text, p text)")
    seeds.write(table() + REFERS, creatures=[{"slug": "a", "of": "a"}])
    with pytest.raises(RecordError, match=r"refers to p.slug a, but id of that row is null"):
        seeds.run()
    assert seeds.rows("SELECT p FROM creatures") == []


@pytest.mark.parametrize("value", ["٣", "1 2", "abc"])
@pytest.mark.parametrize("plan", [True, False])
def test_a_text_is_no_number(seeds: Seeds, value: str, plan: bool) -> None:
    """What a plan refuses, a run refuses as well."""
    seeds.do("CREATE TABLE creatures (slug text, hp numeric)")
    seeds.write(table(), creatures=[{"slug": "a", "hp": value}])
    with pytest.raises(RecordError, match="expected numeric"):
        seeds.run(plan=plan)


def test_numbers_keep_their_digits(seeds: Seeds, monkeypatch: pytest.MonkeyPatch) -> None:
    """As keys too, and in quotes."""
    seeds.do("CREATE TABLE creatures (slug numeric, hp numeric, speed float8)")
    text = '[{"slug": 1.50, "hp": 12345678901234567890.10, "speed": 1e3}, {"slug": "2", "hp": null, "speed": "-0.5"}]'
    seeds.write(table())
    (seeds.folder / "creatures.json").write_text(text)
    looked = looked_at(monkeypatch)
    assert counts(seeds.run()) == {"created": 2}
    assert looked == []
    found = seeds.rows("SELECT slug::text, hp, speed FROM creatures ORDER BY 1")
    assert found == [("1.50", Decimal("12345678901234567890.10"), 1000.0), ("2", None, -0.5)]
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}


@pytest.mark.parametrize("limit", [0, 2, 5, None])
def test_a_plan_carries_as_many_records_as_it_may(seeds: Seeds, limit: int | None) -> None:
    """Of several files, or pieces of one, as well."""
    seeds.do("CREATE TABLE creatures (slug text)")
    seeds.write(table().replace(".json", "*.json"))
    for n in range(6):
        seeds.source(f"creatures{n}", [{"slug": f"c{n}"}])
    planned = seeds.plan(limit=limit).records
    assert [change.key["slug"] for change in planned] == [f"c{n}" for n in range(6)][:limit]
    assert seeds.run(limit=limit).records == planned


def test_json_is_written_as_it_is_compared(seeds: Seeds) -> None:
    """So that another field's edit does not update it as well."""
    rows: list[dict[str, Any]] = [{"slug": "a", "hp": 1, "raw": {"b": 1, "a": [1.0]}}]
    seeds.do("CREATE TABLE creatures (slug text, hp int, raw json)")
    seeds.write(table(), creatures=rows).run()
    seeds.source("creatures", [{**rows[0], "hp": 2}])
    plan = seeds.run()
    assert [list(change.fields) for change in plan.records] == [["hp"]]


def test_without_nulls_nothing_is_looked_at_twice(seeds: Seeds) -> None:
    """`drop_null`: nulls are not there; a verified run finds the texts again and writes nothing."""
    seeds.do("CREATE TABLE creatures (slug text, hp int DEFAULT 7)")
    rows = [{"slug": "a", "hp": None}, {"slug": "b", "hp": 2}]
    seeds.write(table(drop_null=True), creatures=rows).run()
    assert seeds.rows("SELECT hp FROM creatures ORDER BY slug") == [(7,), (2,)]
    before = seeds.rows("SELECT txid_current_if_assigned(), max(xmin::text::bigint) FROM pg_class")
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}
    after = seeds.rows("SELECT txid_current_if_assigned(), max(xmin::text::bigint) FROM pg_class")
    assert after == before
    seeds.source("creatures", [rows[0], {"slug": "b", "hp": 3}])
    assert counts(seeds.run()) == {"updated": 1, "unchanged": 1}
