"""Hashes of an earlier version are computed again, and never taken for edits."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder.hashing import VERSION
from tests.support.ledgers import hashes_of_version
from tests.support.seed_folder import Seeds, counts, table

HALF = 1 << 32
VERSION_1 = "SELECT hash_version FROM compose_init.dataset"


def record(n: int, **more: Any) -> dict[str, Any]:
    """Return a record with values whose hashes version 1 made otherwise."""
    key = {"a": n * HALF + n, "b": -n * HALF - 1}
    return {**key, "n": n * HALF, "takes": f"{n} hours", "pair": [1.50], **more}


def seed_with_version_1(seeds: Seeds, records: list[Any]) -> None:
    """Seed as version 1 did."""
    seeds.do(
        "SET TimeZone = 'UTC'; CREATE TABLE creatures"
        " (a bigint, b bigint, n bigint, takes interval, pair numeric[], PRIMARY KEY (a, b))"
    )
    seeds.write(table(key="a b"), creatures=records)
    with hashes_of_version(1):
        seeds.run()
    assert seeds.rows(VERSION_1) == [(1,)]


def test_nothing_is_taken_for_an_edit(seeds: Seeds) -> None:
    """Keys and fields alike, verified or after a change of the file; the ledger has the version of today then."""
    records = [record(n) for n in range(1, 9)]
    seed_with_version_1(seeds, records)
    assert counts(seeds.plan(verify=True)) == {"unchanged": 8}
    assert seeds.rows(VERSION_1) == [(1,)]
    seeds.source("creatures", [*records[:-1], record(8, takes="9 hours")])
    assert counts(seeds.run()) == {"updated": 1, "unchanged": 7}
    assert seeds.rows(VERSION_1) == [(VERSION,)]
    assert counts(seeds.run(verify=True)) == {"unchanged": 8}


def test_edits_stay_edits(seeds: Seeds) -> None:
    """A row that was deleted by hand is known by the file, an edited field by the fields beside it."""
    records = [record(n) for n in range(1, 9)]
    seed_with_version_1(seeds, records)
    seeds.do(f"DELETE FROM creatures WHERE n = {HALF}")
    seeds.do(f"UPDATE creatures SET takes = '1 minute' WHERE n = {2 * HALF}")
    seeds.do(f"UPDATE creatures SET takes = '1 minute' WHERE n = {3 * HALF}")
    seeds.source("creatures", [*records[:2], record(3, takes="9 hours"), *records[3:]])
    assert counts(seeds.run()) == {"unchanged": 8, "drifted": 2, "conflicts": 1}
    assert counts(seeds.run(verify=True)) == {"unchanged": 8, "drifted": 2, "conflicts": 1}


def test_records_that_left_the_file_are_still_ours(seeds: Seeds) -> None:
    """Prune deletes what was as applied."""
    records = [record(n) for n in range(1, 9)]
    seed_with_version_1(seeds, records)
    seeds.write(table(key="a b", prune=True, max_prune=1.0), creatures=records[1:])
    assert seeds.run().counts.deleted == 1


def test_a_dataset_without_such_values_keeps_its_fast_comparison(
    seeds: Seeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts and small integers have the hashes that they had: no working table is made."""
    seeds.do("CREATE TABLE creatures (slug text PRIMARY KEY, n int)")
    seeds.write(table(), creatures=[{"slug": "a", "n": 1}])
    with hashes_of_version(1):
        seeds.run()
    monkeypatch.setattr("compose_seeder.reconcile.working_tables.create", None)
    assert counts(seeds.run(verify=True)) == {"unchanged": 1}


def test_nested_values_that_were_hashed_as_text(seeds: Seeds) -> None:
    """They are known again in the session that wrote them; an edit stays one."""
    seeds.do("CREATE TYPE stay AS (place text, since timestamptz)")
    seeds.do("CREATE TABLE creatures (slug text PRIMARY KEY, n int, stays stay[])")
    records = [{"slug": s, "n": 1, "stays": '{"(here,2026-01-01Z)"}'} for s in "abc"]
    seeds.write(table(), creatures=records)
    with hashes_of_version(2):
        seeds.run()
    seeds.do("UPDATE creatures SET stays = '{}' WHERE slug = 'b'")
    seeds.source("creatures", [*records[:2], records[2] | {"n": 2}])
    assert counts(seeds.run()) == {"updated": 1, "unchanged": 2, "drifted": 1}
    assert seeds.rows(VERSION_1) == [(VERSION,)]
    seeds.do("SET TimeZone = 'Asia/Kathmandu'")
    assert counts(seeds.run(verify=True)) == {"unchanged": 3, "drifted": 1}
