"""Fields that no answer of an API shows: named, written with a new record, and not after that."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder.errors import RefusedError
from tests.support.endpoint_seeds import Through
from tests.support.seed_folder import counts, outcomes
from tests.support.small_api import Api

PATCH = "PATCH /things/{live.id}"
WAYS_OUT = r'`confirm`, or set once = true or unseen = "overwrite"'


@pytest.fixture
def hiding(api: Api) -> Api:
    """Return the API, which takes `secret` and never shows it."""
    api.hidden = {"secret"}
    write = api._write

    def silent(method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        status, row = write(method, path, body)
        return status, {name: value for name, value in row.items() if name != "secret"}

    api._write = silent  # type: ignore[method-assign]
    return api


def thing(v: int, secret: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"slug": "a", "v": v, "secret": secret, **more}]


def test_it_is_named_by_each_run_that_meets_it(through: Through, hiding: Api) -> None:
    """When the record is created, in the plan, and when it is compared."""
    through.manifest(update=PATCH)
    assert through.run(thing(1, "s")).unseen == ("secret",)
    assert hiding.find("a")["secret"] == "s"
    assert through.run(thing(2, "s"), plan=True).unseen == ("secret",)
    assert through.run(thing(2, "s")).unseen == ("secret",)


@pytest.mark.parametrize("seeds_change", ["v", "secret", "both"])
def test_an_edit_that_nobody_sees_stays(through: Through, hiding: Api, seeds_change: str) -> None:
    """PATCH sends the other fields; a change of the field itself is said and not sent."""
    through.manifest(update=PATCH)
    through.run(thing(1, "s"))
    hiding.find("a")["secret"] = "by hand"
    v = 1 if seeds_change == "secret" else 2
    plan = through.run(thing(v, "s" if seeds_change == "v" else "t"))
    assert hiding.find("a")["secret"] == "by hand"
    assert hiding.find("a")["v"] == v
    if seeds_change != "v":
        assert outcomes(plan)["a"]["secret"] == "unseen"
        assert plan.counts.unconfirmed == 1


def test_a_put_that_would_lose_it_is_refused(through: Through, hiding: Api) -> None:
    """With the reason; what concerns no hidden field goes on."""
    through.run([*thing(1, "s"), {"slug": "b", "v": 1}])
    hiding.find("a")["secret"] = "by hand"
    with pytest.raises(RefusedError, match=rf"\(slug a\): secret: no answer.*{WAYS_OUT}"):
        through.run([*thing(2, "s"), {"slug": "b", "v": 2}])
    assert (hiding.find("a")["v"], hiding.find("a")["secret"]) == (1, "by hand")
    assert hiding.find("b")["v"] == 2


@pytest.mark.parametrize("update", ["PUT /things/{live.id}", PATCH])
def test_overwrite_sends_what_the_file_changes(through: Through, hiding: Api, update: str) -> None:
    """Compared with the ledger alone, and named no more."""
    through.manifest(options='fields.secret = { unseen = "overwrite" }', update=update)
    assert through.run(thing(1, "s")).unseen == ()
    assert counts(through.run(thing(1, "s"), verify=True)) == {"unchanged": 1}
    assert counts(through.run(thing(1, "t"))) == {"updated": 1}
    assert hiding.find("a")["secret"] == "t"


@pytest.mark.parametrize("option", ["{}", '{ unseen = "overwrite" }'])
def test_an_adopted_record_is_not_sent_it(through: Through, hiding: Api, option: str) -> None:
    """Nobody knows what somebody else wrote there; with overwrite, the next change of the file is sent."""
    through.manifest(options=f"fields.secret = {option}", update=PATCH)
    hiding.add(slug="a", v=1, secret="theirs")
    plan = through.run(thing(1, "s"))
    assert plan.unseen == ("secret",)
    assert hiding.writes == []
    through.run(thing(2, "s"))
    assert hiding.find("a")["secret"] == "theirs"
    through.run(thing(2, "t"))
    assert hiding.find("a")["secret"] == ("t" if "overwrite" in option else "theirs")


def test_a_field_that_is_new_in_the_file(through: Through, api: Api) -> None:
    """Nothing says that the API hides it: it is written, as it always was."""
    through.run([{"slug": "a", "v": 1}])
    assert counts(through.run(thing(1, "s"))) == {"updated": 1}
    assert api.find("a")["secret"] == "s"


def test_a_field_that_is_new_in_the_file_and_has_a_default(through: Through, api: Api) -> None:
    """What the API gave it after our own write is nobody's edit; what somebody has made of it is."""
    api.habit = lambda record: {"rank": 5, **record}
    through.run([{"slug": "a", "v": 1}, {"slug": "b", "v": 1}])
    api.find("b")["rank"] = 7
    plan = through.run([{"slug": "a", "v": 1, "rank": 6}, {"slug": "b", "v": 1, "rank": 6}])
    assert counts(plan) == {"updated": 1, "unchanged": 1, "drifted": 1}
    assert [api.find(slug)["rank"] for slug in "ab"] == [6, 7]


def test_an_api_that_leaves_out_what_is_null(through: Through, api: Api) -> None:
    """A field that it showed for this record, and for others still, was emptied by hand."""
    through.manifest(update=PATCH)
    both: list[dict[str, Any]] = [
        {"slug": "a", "note": "x"},
        {"slug": "b", "note": "y"},
        {"slug": "c", "note": None},
    ]
    through.run(both)
    del api.find("a")["note"]
    del api.find("c")["note"]
    plan = through.run(both, verify=True)
    assert (counts(plan), plan.unseen) == ({"unchanged": 3, "drifted": 1}, ())
    both[0]["note"] = "z"
    assert counts(through.run(both))["conflicts"] == 1
    assert "note" not in api.find("a")


def test_members_that_are_not_shown(through: Through, api: Api) -> None:
    """Of a new record, those within a field too; what is read back counts as unconfirmed instead."""
    api.habit = lambda record: {**record, "t": {"en": record["t"]["en"]}}
    plan = through.run([{"slug": "a", "t": {"en": "A", "ru": "B"}}])
    assert plan.unseen == ("t.ru",)


def test_a_put_sends_along_what_somebody_filled(through: Through, api: Api) -> None:
    """A field that no file names; not what the API showed after our own write, nor what `ignore` names."""
    api.habit = lambda record: {"rank": 5, **record}
    through.manifest(options='ignore = ["touched"]')
    through.run([{"slug": "a", "v": 1}])
    api.find("a").update(note={"x": "by hand"}, touched="today")
    for v in (2, 3):
        through.run([{"slug": "a", "v": v}])
        assert api.bodies[-1] == {"slug": "a", "v": v, "note": {"x": "by hand"}}
    api.find("a")["rank"] = 6
    through.run([{"slug": "a", "v": 4}])
    assert api.find("a")["rank"] == 6


def test_an_api_that_answers_a_put_with_nothing(through: Through, api: Api) -> None:
    """What somebody filled travels with each PUT all the same, and what somebody added to a field."""
    through.run([{"slug": "a", "v": 1, "t": {"en": "A"}}])
    api.find("a").update(note="by hand", t={"en": "A", "fr": "by hand"})
    api.text = "null"
    for v in (2, 3):
        through.run([{"slug": "a", "v": v, "t": {"en": "A"}}])
        assert api.bodies[-1]["note"] == "by hand"
    through.run([{"slug": "a", "v": 3, "t": {"en": "B"}}])
    assert api.find("a")["t"] == {"en": "B", "fr": "by hand"}
    through.run([{"slug": "a", "v": 3, "t": None}])
    assert api.find("a")["t"] == {"en": "B", "fr": "by hand"}


def test_an_api_that_does_not_take_what_was_sent_along(through: Through, api: Api) -> None:
    """It is said what else was in the request, and what to do."""
    through.run([{"slug": "a", "v": 1}])
    api.find("a")["note"] = "by hand"
    api.refuse = {"a"}
    with pytest.raises(RefusedError, match=r"it was also sent note, .* name in `ignore`"):
        through.run([{"slug": "a", "v": 2}])
