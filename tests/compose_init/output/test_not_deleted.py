"""Records that left the file and stay are named with the reason, in a plan as in a run."""

from __future__ import annotations

import json
import logging

import pytest

from compose_init.output.planned import Planned
from compose_init.output.progress import LogProgress
from compose_init.output.report import Report
from compose_seeder.reconcile.plan import Change, Counts, Plan

WHY = "2 rows of orders refer to it (by slug, ON DELETE CASCADE)"
IN_USE = Change(None, "in_use", {"slug": "b"}, {}, WHY)
PLAN = Plan("items", "table items", Counts(conflicts=1), (IN_USE,), not_deleted=(IN_USE,))


def test_a_plan_and_a_run_say_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """As text, as JSON, in the log and in the report."""
    planned = Planned((), (PLAN,))
    assert f"! b  no longer in the file, not deleted: {WHY}" in planned.to_text()
    [record] = planned.to_json()["datasets"][0]["records"]
    assert (record["action"], record["why"]) == ("in_use", WHY)
    assert Report(datasets=[PLAN]).to_json()["datasets"][0]["not_deleted"] == [f"slug b: {WHY}"]
    with caplog.at_level(logging.INFO):
        LogProgress().end_dataset(PLAN)
    assert f"slug b: {WHY}" in json.dumps([vars(entry) for entry in caplog.records], default=str)
