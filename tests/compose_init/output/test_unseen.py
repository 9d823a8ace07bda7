"""Fields that no answer shows, and parts of nested values, as people and programs read them."""

from __future__ import annotations

import pytest

from compose_init.output.planned import Planned
from compose_init.output.progress import LogProgress
from compose_init.output.report import Report
from compose_seeder.reconcile.plan import Change, Counts, Plan

PARTS = {
    "texts.en": {"live": "A", "desired": "C", "outcome": "update", "write": True},
    "texts.ru": {"live": "by hand", "desired": "B", "outcome": "drift"},
}
CHANGE = Change(
    0,
    "update",
    {"slug": "a"},
    {"texts": {"live": {}, "desired": {}, "outcome": "update", "write": True, "members": PARTS}},
)
PLAN = Plan("things", "endpoint /things", Counts(updated=1, drifted=1), (CHANGE,), unseen=("pin",))


def test_the_plan_names_each_part() -> None:
    """A line for each part that differs, by its path; and the hidden field, with the ways out."""
    text = Planned((), (PLAN,)).to_text()
    assert "texts.en: " in text
    assert "texts.ru: " in text
    assert "(edited by hand, kept)" in text
    assert "pin: no answer of the API shows it" in text
    assert 'confirm, or set once = true or unseen = "overwrite"' in text


def test_a_plan_of_nothing_but_a_hidden_field() -> None:
    """It is said, though nothing would change."""
    plan = Plan("things", "endpoint /things", Counts(unchanged=1), unseen=("pin",))
    assert "pin: no answer" in Planned((), (plan,)).to_text()


def test_programs_get_a_list() -> None:
    """In the plan and in the report; not where there is nothing to list."""
    planned, report = Planned((), (PLAN,)).to_json(), Report(datasets=[PLAN]).to_json()
    assert [document["datasets"][0]["unseen"] for document in (planned, report)] == [["pin"]] * 2
    assert "unseen" not in Report(datasets=[Plan("x", "table x")]).to_json()["datasets"][0]


def test_a_run_warns(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"):
        LogProgress().end_dataset(PLAN)
    assert "no answer of the API shows it" in caplog.text
