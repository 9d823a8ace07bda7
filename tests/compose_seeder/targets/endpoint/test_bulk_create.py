"""Many records created at once, and records that are there already."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder.errors import InterruptedTargetError, RefusedError
from tests.support.endpoint_seeds import Through
from tests.support.seed_folder import counts, outcomes
from tests.support.small_api import Api

THINGS = [{"slug": f"s{n}", "v": n} for n in range(10)]
BULK = 'bulk = { request = "POST /things/bulk", size = 4 }'
CONFIRM = 'confirm = ["GET /things/{live.id}"]'


@pytest.fixture
def bulk(through: Through) -> Through:
    through.manifest(http=BULK)
    return through


def slugs(api: Api) -> list[str]:
    return sorted(row["slug"] for row in api.rows.values())


def all_of(things: list[dict[str, Any]]) -> list[str]:
    return sorted(thing["slug"] for thing in things)


def test_created_in_a_few_requests(bulk: Through, api: Api) -> None:
    """Ten records in three; a changed one is still updated by itself."""
    assert counts(bulk.run(THINGS)) == {"created": 10}
    assert api.writes == ["POST /things/bulk"] * 3
    assert slugs(api) == all_of(THINGS)
    assert counts(bulk.run(THINGS, verify=True)) == {"unchanged": 10}
    changed = [{**THINGS[0], "v": 99}, *THINGS[1:], {"slug": "new", "v": 1}]
    assert counts(bulk.run(changed)) == {"created": 1, "updated": 1, "unchanged": 9}
    assert api.find("s0")["v"] == 99


def test_an_object_may_hold_the_array(through: Through, api: Api) -> None:
    """`into` says where it goes."""
    through.manifest(http='bulk = { request = "POST /things/bulk", into = "things" }')
    assert counts(through.run(THINGS)) == {"created": 10}
    assert api.bodies == [{"things": THINGS}]


@pytest.mark.parametrize("order", ["all", "reversed"])
def test_each_record_is_read_back(through: Through, api: Api, order: str) -> None:
    """By its own id, in whatever order the answer has them; what was not kept is named."""
    api.bulk = order
    api.habit = lambda record: {**record, "v": min(record["v"], 8)}
    through.manifest(http=f"{BULK}\n{CONFIRM}")
    plan = through.run(THINGS)
    assert counts(plan) == {"created": 10, "unconfirmed": 1}
    assert plan.not_kept == ("slug s9: v",)


def test_a_bulk_that_is_taken_in_words(bulk: Through, api: Api) -> None:
    """A 2xx that is not JSON: what is there was created by us."""
    api.text = "created"
    api.habit = lambda record: {**record, "v": 7}
    assert counts(bulk.run(THINGS))["created"] == 10
    assert counts(bulk.run(THINGS, verify=True)) == {"unchanged": 10, "unconfirmed": 9}


def test_errors_among_the_records_of_a_bulk(bulk: Through, api: Api) -> None:
    """What is not a record was not created: it is sent by itself, and its refusal named."""
    api.bulk, api.refuse = "mixed", {"s5"}
    with pytest.raises(RefusedError, match="refused 1 of 10 records; the others are written") as e:
        bulk.run(THINGS)
    assert "things.json#/5 (slug s5)" in str(e.value)
    assert slugs(api) == all_of([*THINGS[:5], *THINGS[6:]])


@pytest.mark.parametrize("habit", ["half", "refused", "mute"])
def test_a_bulk_whose_fate_is_open(bulk: Through, api: Api, habit: str) -> None:
    """Half taken and refused, refused whole, or taken without a word: each record is there once, and ours.

    Where a refusal was none for some, they are taken for what was there already.
    """
    api.bulk = habit
    half = {"created": 5, "unchanged": 5}
    assert counts(bulk.run(THINGS)) == (half if habit == "half" else {"created": 10})
    assert slugs(api) == all_of(THINGS)
    single = api.writes.count("POST /things")
    assert single == {"half": 5, "refused": 10, "mute": 0}[habit]
    assert counts(bulk.run(THINGS, verify=True)) == {"unchanged": 10}
    api.bulk = "all"
    assert counts(bulk.run([{**thing, "v": -1} for thing in THINGS])) == {"updated": 10}


def test_one_refused_record_is_named(bulk: Through, api: Api) -> None:
    """The others of its bulk are written one by one."""
    api.refuse = {"s5"}
    with pytest.raises(RefusedError, match="refused 1 of 10 records; the others are written") as e:
        bulk.run(THINGS)
    assert "things.json#/5 (slug s5)" in str(e.value)
    assert slugs(api) == all_of([*THINGS[:5], *THINGS[6:]])
    api.refuse = set()
    assert counts(bulk.run(THINGS)) == {"created": 1, "unchanged": 9}


def test_a_bulk_that_breaks_off(bulk: Through, api: Api) -> None:
    """A 500 is not sent again without an idempotency key; the next run makes no doubles."""
    api.fail_after = 1
    with pytest.raises(InterruptedTargetError, match="500"):
        bulk.run(THINGS)
    api.fail_after = None
    bulk.run(THINGS)
    assert slugs(api) == all_of(THINGS)


EXISTS = "exists = 409"


class Hidden:
    """An API whose list shows a record only when somebody has tried to create it."""

    def __init__(self, api: Api, *slugs: str) -> None:
        self._slugs = set(slugs)
        self._read = api._read
        self._api = api
        api._read = self  # type: ignore[method-assign]

    def __call__(self, path: str) -> tuple[int, Any]:
        status, rows = self._read(path)
        if path == "/things" and not self._api.writes:
            rows = [row for row in rows if row["slug"] not in self._slugs]
        return status, rows


def test_a_record_that_is_there_already(through: Through, api: Api) -> None:
    """Somebody made it since the list was read: adopted, its differing field is drift, and kept."""
    api.unique = True
    api.add(slug="s1", v=1)
    api.add(slug="s2", v=99)
    Hidden(api, "s1", "s2")
    through.manifest(http=EXISTS)
    plan = through.run(THINGS)
    assert counts(plan) == {"created": 8, "unchanged": 2, "drifted": 1}
    assert outcomes(plan)["s2"] == {"v": "drift"}
    assert "s1" not in outcomes(plan)
    assert api.find("s2")["v"] == 99
    assert counts(through.run(THINGS, verify=True)) == {"unchanged": 10, "drifted": 1}


def test_one_that_is_there_is_overwritten_where_that_is_said(through: Through, api: Api) -> None:
    """As any record of somebody else; a refused bulk has not made it ours."""
    api.unique = True
    api.add(slug="s2", v=99)
    Hidden(api, "s2")
    through.manifest(http=f"{EXISTS}\n{BULK}", options='on_drift = "overwrite"')
    assert counts(through.run(THINGS))["updated"] == 1
    assert api.find("s2")["v"] == 2


def test_one_that_is_there_and_never_shown(through: Through, api: Api) -> None:
    """Refused, with the API's words; without `exists`, a 409 is refused at once."""
    api.unique = True
    api.add(slug="s2", v=99)
    api.paged = "deaf"  # the list never goes beyond its first two records
    api.rows = {3: {"id": 3, "slug": "x"}, 4: {"id": 4, "slug": "y"}, **api.rows}
    through.manifest(http=EXISTS)
    with pytest.raises(RefusedError, match=r"409: .*that one is there"):
        through.run(THINGS[2:3])
    api.requests.clear()
    through.manifest()
    with pytest.raises(RefusedError, match=r"409: .*that one is there"):
        through.run(THINGS[2:3])
    assert api.requests == ["GET /things", "POST /things"]
