"""Counts: the same counters in every output, under the keys that the documentation names."""

from __future__ import annotations

from compose_init.output.counts import (
    NOTICES,
    PLAN_KEYS,
    RESULTS,
    describe,
    logged_counts,
    plan_counts,
    table,
)
from compose_init.output.planned import Planned
from compose_init.output.report import Report
from compose_seeder.reconcile.plan import LABELS, Counts, Plan

COUNTS = Counts(created=1, updated=2_000, drifted=3, released=4)
PLAN = Plan("monsters", "table monsters", COUNTS)


def test_every_counter_has_its_label_and_its_key() -> None:
    counters = set(Counts().to_dict())
    assert set(LABELS) == set(PLAN_KEYS) == {*RESULTS, *NOTICES} == counters


def test_a_report_has_the_counters_names() -> None:
    [dataset] = Report(datasets=[PLAN]).to_json()["datasets"]
    assert dataset == {"name": "monsters", "target": "table monsters", **COUNTS.to_dict()}


def test_a_plan_has_what_a_run_would_do() -> None:
    [dataset] = Planned((), (PLAN,)).to_json()["datasets"]
    assert {name: dataset[name] for name in plan_counts(COUNTS)} == {
        "create": 1,
        "update": 2_000,
        "delete": 0,
        "unchanged": 0,
        "drift": 3,
        "conflict": 0,
        "unconfirmed": 0,
        "released": 4,
    }


def test_people_get_words_for_what_is_not_zero() -> None:
    words = "1 created, 2,000 updated, 3 edited by hand, 4 no longer in the file"
    assert describe(COUNTS) == words
    assert f"monsters → table monsters: {words}" in Planned((), (PLAN,)).to_text()
    assert describe(COUNTS, NOTICES) == "3 edited by hand, 4 no longer in the file"
    assert describe(Counts()) == ""


def test_a_log_line_always_has_created() -> None:
    assert logged_counts(Counts(unchanged=2)) == {"created": 0, "unchanged": 2}


def test_a_table_has_columns_for_what_is_not_zero() -> None:
    """`created`, `updated` and `unchanged` always."""
    head, *rows = table([Plan("a", "table a"), PLAN])
    assert head == ["dataset", "target", "created", "updated", "unchanged", "drifted", "released"]
    assert rows[1] == ["monsters", "table monsters", "1", "2,000", "0", "3", "4"]
