"""Headlines and limited plans: they say what happened, and how much they do not show."""

from __future__ import annotations

import pytest

from compose_init.output.planned import Planned
from compose_init.output.report import Report
from compose_seeder.reconcile.plan import Change, Counts, Plan

SAYS = {
    "everything is as the seeds say": Counts(unchanged=3),
    "1 record created": Counts(created=1),
    "1 record updated; 2 records deleted": Counts(updated=1, deleted=2),
    "1 record deleted; 1 edited by hand": Counts(deleted=1, drifted=1),
    "nothing was written; 1 edited by hand": Counts(unchanged=1, drifted=1),
    "nothing was written; 1 in conflict, 2 unconfirmed": Counts(conflicts=1, unconfirmed=2),
    "nothing was written; 1 no longer in the file": Counts(released=1),
}


@pytest.mark.parametrize("words", SAYS)
def test_a_headline(words: str) -> None:
    """Nothing is called as the seeds say unless it is."""
    report = Report(datasets=[Plan("a", "table a", SAYS[words]), Plan("b", "table b")])
    assert report.headline() == f"done in 0.00 s: {words}"


def test_fields_that_no_answer_shows_are_not_as_the_seeds_say() -> None:
    plan = Plan("a", "endpoint /a", Counts(unchanged=1), unseen=("token",))
    headline = Report(datasets=[plan]).headline()
    assert headline.endswith("nothing was written; 1 field that no answer shows")


def changes(number: int) -> tuple[Change, ...]:
    return tuple(Change(n, "create", {"slug": f"s{n}"}, {}) for n in range(number))


@pytest.mark.parametrize(
    ("carried", "differing", "limit", "hidden"),
    [(5, 5, 20, 0), (5, 5, 2, 3), (3, 9, 2, 7), (9, 9, None, 0), (1, 4, 0, 4)],
)
def test_a_limited_plan(carried: int, differing: int, limit: int | None, hidden: int) -> None:
    """The number is of all that is not shown, whatever it is."""
    plan = Plan("a", "table a", Counts(created=1), changes(carried), differing=differing)
    planned = Planned((), (plan,))
    text = planned.to_text(limit)
    assert text.count("    + ") == min(carried, carried if limit is None else limit)
    assert (f"… and {hidden} more;" in text) == bool(hidden)
    assert planned.to_json()["datasets"][0].get("not_shown", 0) == differing - carried


def test_what_would_not_change_is_described() -> None:
    """Not all of it is edited by hand."""
    other = Change(0, "none", {"slug": "a"}, {})
    plan = Plan("a", "table a", Counts(unchanged=1, unconfirmed=1), (other,), differing=1)
    assert Planned((), (plan,)).to_text().startswith("nothing would change; 1 unconfirmed:\n")
