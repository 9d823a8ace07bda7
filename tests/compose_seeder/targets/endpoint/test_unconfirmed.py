"""What an endpoint was sent and does not show: not deleted by hand, not created twice, and said by every run."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from compose_seeder.errors import InterruptedTargetError, RefusedError
from compose_seeder.http_client import retry
from compose_seeder.targets.endpoint import unconfirmed
from compose_seeder.targets.endpoint.likeness import is_alike
from tests.support.endpoint_seeds import LIST, THINGS, Through
from tests.support.seed_folder import Seeds, counts
from tests.support.small_api import Api
from tests.support.virtual_time import VirtualTime

GET = 'get = "GET /things/of/{slug}"'
CONFIRM = 'confirm = ["GET /things/{live.id}"]'
OVERWRITE = 'on_drift = "overwrite"'
ONE = [{"slug": "Goblin", "v": 1}]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the API a tenth of a second to show what it has made, and a second for what is under way."""
    monkeypatch.setattr(unconfirmed, "UNSEEN_TIMEOUTS", 0.02)
    monkeypatch.setattr(unconfirmed, "OPEN_TIMEOUTS", 0.2)


def slugs(api: Api) -> list[str]:
    return sorted(row["slug"] for row in api.rows.values())


RENAMED: list[Any] = [
    lambda record: {**record, "slug": record["slug"].lower()},
    lambda record: {**record, "slug": "6f1c2ab9"},
    lambda record: {**record, "slug": record["slug"][:3], "note": "x"},
    lambda record: {**record, "slug": f"The {record['slug']}"},
]


@pytest.mark.parametrize("options", ["", OVERWRITE, 'on_drift = "fail"'])
@pytest.mark.parametrize("creation", ["", "silent"])
@pytest.mark.parametrize("habit", RENAMED)
def test_a_key_that_the_api_changes_is_one_record(
    through: Through, api: Api, habit: Any, creation: str, options: str
) -> None:
    """Whatever it answers, and whatever becomes of drift: an error each time, which names the other key."""
    api.habit, api.creation = habit, creation
    through.manifest(options=options)
    for _ in range(3):
        with pytest.raises(RefusedError, match=r"given it another key: slug (?!Goblin)"):
            through.run(ONE)
    assert len(api.rows) == 1


def test_an_unlike_record_of_somebody_else_is_not_taken_for_it(through: Through, api: Api) -> None:
    """The API created nothing, while somebody created another record: ours is sent again."""
    api.creation = "error"
    with pytest.raises(RefusedError):
        through.run([{"slug": "a", "v": 1, "w": 2}])
    api.add(slug="theirs", v=7, w=8)
    api.creation = ""
    assert counts(through.run([{"slug": "a", "v": 1, "w": 2}])) == {"created": 1}


@pytest.mark.parametrize("find", [LIST, GET])
@pytest.mark.parametrize("creation", ["error", "echo"])
def test_what_an_error_kept_out_is_created_when_the_api_is_well(
    through: Through, api: Api, creation: str, find: str
) -> None:
    """A 200 that creates nothing is said each time, and is nobody's deletion."""
    api.creation = creation
    through.manifest(find=find, options='on_drift = "fail"\nfields.v = { secret = true }')
    said = "200: .*quota exceeded" if creation == "error" else ""
    for _ in range(2):
        with pytest.raises(RefusedError, match=rf"does not show 3 of 3 records(?s:.*){said}"):
            through.run([{"slug": slug, "v": f"secret {slug}"} for slug in "abc"])
    api.creation = ""
    assert counts(through.run([{"slug": slug, "v": f"secret {slug}"} for slug in "abc"])) == {
        "created": 3
    }
    assert slugs(api) == ["a", "b", "c"]


@pytest.mark.parametrize("find", [LIST, GET])
@pytest.mark.parametrize("http", ["", CONFIRM])
@pytest.mark.parametrize("creation", ["silent", "bare"])
def test_a_creation_without_a_body_is_found_again(
    through: Through, api: Api, creation: str, http: str, find: str
) -> None:
    """By list or by get, before `confirm` asks for its id; then it is the API's to show."""
    api.creation = creation
    api.habit = lambda record: {**record, "v": record["v"] % 3}
    through.manifest(http=http, find=find)
    plan = through.run()
    is_shown = http or creation == "silent"  # a bare answer shows the key alone
    assert counts(plan) == {"created": 3} | ({"unconfirmed": 1} if is_shown else {})
    assert plan.not_kept == (("slug c: v",) if is_shown else ())
    assert counts(through.run(verify=True)) == {"unchanged": 3, "unconfirmed": 1}
    assert slugs(api) == ["a", "b", "c"]


def test_a_list_that_is_late(through: Through, api: Api) -> None:
    """What the API shows a moment later is there; what it shows in a later run was created by us, once."""
    api.blind = 2
    assert counts(through.run(THINGS[:1])) == {"created": 1}
    api.blind = 10**9
    for _ in range(2):
        with pytest.raises(RefusedError, match="looked for by each run, and not sent again"):
            through.run(THINGS[:2])
    api.blind = 0
    assert counts(through.run(THINGS[:2])) == {"unchanged": 2}
    assert slugs(api) == ["a", "b"]
    del api.rows[api.find("b")["id"]]
    assert counts(through.run(THINGS[:2], verify=True)) == {"unchanged": 2, "drifted": 1}


@pytest.mark.parametrize("options", ["", OVERWRITE])
@pytest.mark.parametrize("creation", ["hang up", "slow"])
def test_a_creation_whose_answer_is_lost(
    through: Through, api: Api, creation: str, options: str
) -> None:
    """The next run waits for it as long as it may be under way."""
    api.creation, api.took_to_create = creation, 0.4
    through.manifest(options=options, http="concurrency = 1")
    with pytest.raises(InterruptedTargetError):
        through.run()
    api.creation = ""
    through.run()
    time.sleep(api.took_to_create)
    assert counts(through.run(verify=True)) == {"unchanged": 3}
    assert slugs(api) == ["a", "b", "c"]


@pytest.mark.parametrize("habit", RENAMED)
def test_a_lost_answer_and_another_key(through: Through, api: Api, habit: Any) -> None:
    """The record that came since is taken for ours, and nothing is created once more."""
    api.habit, api.creation = habit, "hang up"
    api.add(slug="old", v=1)
    with pytest.raises(InterruptedTargetError):
        through.run(ONE)
    for creation in ("", "hang up"):
        api.creation = creation
        with pytest.raises(RefusedError, match="given it another key"):
            through.run(ONE)
    assert len(api.rows) == 2


def test_another_idempotency_key_for_what_is_not_there(through: Through, api: Api) -> None:
    """An API that knows the key would answer with its old error for ever."""
    through.manifest(http="idempotency_key = true")
    api.creation = "error"
    for _ in range(2):
        with pytest.raises(RefusedError, match="does not show 3 of 3"):
            through.run()
    api.creation = ""
    assert counts(through.run()) == {"created": 3}


@pytest.mark.parametrize("exists", ["", "exists = 409"])
def test_an_api_that_takes_longer_than_anybody_waits(
    through: Through, api: Api, seeds: Seeds, monkeypatch: pytest.MonkeyPatch, exists: str
) -> None:
    """An idempotency key is the same until the API has made the record, in however many runs."""
    time = VirtualTime(seeds.connection)
    monkeypatch.setattr(unconfirmed, "time", time)
    monkeypatch.setattr(retry, "MAX_ATTEMPTS", 1)
    api.clock, api.took_to_create, api.creation = time.monotonic, 100.0, "slow"
    through.manifest(http=f"idempotency_key = true\n{exists}")
    with pytest.raises(InterruptedTargetError):
        through.run(ONE)
    api.creation = ""
    for _ in range(3):
        with pytest.raises(RefusedError, match="under way"):
            through.run(ONE)
    time.sleep(100)
    assert counts(through.run(ONE)) in ({"unchanged": 1}, {"created": 1})
    assert counts(through.run(ONE, verify=True)) == {"unchanged": 1}
    assert len(api.rows) == 1
    assert len(set(api.keys)) == 1


def test_a_record_that_came_twice_is_named(
    through: Through, api: Api, seeds: Seeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without such a key it may be made twice by an API that takes longer than twice the client's timeout."""
    time = VirtualTime(seeds.connection)
    monkeypatch.setattr(unconfirmed, "time", time)
    api.clock, api.took_to_create, api.creation = time.monotonic, 100.0, "slow"
    with pytest.raises(InterruptedTargetError):
        through.run(ONE)
    api.creation = ""
    through.run(ONE)
    time.sleep(100)
    with pytest.raises(RefusedError, match="holds the key 2 times"):
        through.run(ONE, verify=True)


@pytest.mark.parametrize("habit", RENAMED)
def test_another_key_where_there_is_no_list(through: Through, api: Api, habit: Any) -> None:
    """What was made cannot be found, so that a creation that was accepted is not sent again."""
    api.habit, api.creation = habit, "silent"
    through.manifest(find=GET, options=OVERWRITE)
    for _ in range(3):
        with pytest.raises(RefusedError, match="looked for by each run, and not sent again"):
            through.run(ONE)
    assert len(api.rows) == 1


def test_a_request_that_did_not_arrive_is_not_waited_for(
    through: Through, api: Api, seeds: Seeds, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listened: nothing is under way."""
    send = client.request

    def refused(method: str, url: str, **more: Any) -> httpx.Response:
        return send(method, url if method == "GET" else "http://127.0.0.1:9/", **more)

    monkeypatch.setattr(client, "request", refused)
    with pytest.raises(InterruptedTargetError):
        through.run()
    assert seeds.rows("SELECT count(*) FROM compose_init.intent") == [(0,)]
    assert not api.rows


def test_what_was_not_sent_is_not_waited_for(through: Through, api: Api, seeds: Seeds) -> None:
    """Of many records that were about to be sent, the ledger keeps those that threads had begun with."""
    api.fail_after = 3
    through.manifest(http="concurrency = 2")
    with pytest.raises(InterruptedTargetError):
        through.run([{"slug": f"s{n}", "v": n} for n in range(40)])
    [(open_,)] = seeds.rows(
        "SELECT count(*) FROM compose_init.intent i WHERE NOT EXISTS"
        " (SELECT FROM compose_init.record r WHERE r.id = i.id)"
    )
    assert 1 <= open_ < 10


def test_a_record_that_the_user_gives_its_key(through: Through, api: Api) -> None:
    """The way out: the file says what the API says."""
    api.habit = RENAMED[0]
    with pytest.raises(RefusedError):
        through.run(ONE)
    assert counts(through.run([{"slug": "goblin", "v": 1}])) == {"unchanged": 1, "released": 1}
    assert counts(through.run([{"slug": "goblin", "v": 2}])) == {"updated": 1}


def test_the_other_way_out(through: Through, api: Api) -> None:
    """The record under the other key is deleted, and the API is mended."""
    api.habit = RENAMED[0]
    with pytest.raises(RefusedError):
        through.run(ONE)
    api.rows.clear()
    api.habit = lambda record: record
    assert counts(through.run(ONE)) == {"created": 1}


@pytest.mark.parametrize("update", ["PUT /things/{live.id}", "PATCH /things/{live.id}"])
def test_an_update_that_changes_the_key(through: Through, api: Api, update: str) -> None:
    """As where a name is made of the title: an error each time, and no second record."""
    through.manifest(update=update, options=OVERWRITE)
    through.run([{"slug": "a", "v": 1, "name": "One"}])
    api.habit = lambda record: {**record, "slug": f"s-{record.get('name')}"}
    for _ in range(3):
        with pytest.raises(RefusedError, match="given it another key: slug s-Two"):
            through.run([{"slug": "a", "v": 1, "name": "Two"}])
    assert slugs(api) == ["s-Two"]


def test_an_edit_after_a_lost_answer_stays(through: Through, api: Api) -> None:
    """Nobody can tell whether the API or a person changed what a broken run had sent: it is kept."""
    api.creation = "hang up"
    with pytest.raises(InterruptedTargetError):
        through.run(THINGS[:1])
    api.creation = ""
    api.find("a")["v"] = 99
    assert counts(through.run(THINGS[:1])) == {"unchanged": 1, "drifted": 1}
    assert counts(through.run([{"slug": "a", "v": 5}])) == {"unchanged": 1, "conflicts": 1}
    assert api.find("a")["v"] == 99


@pytest.mark.parametrize(
    ("sent", "live", "alike"),
    [
        ({"slug": "Élan Vital", "v": 1}, {"slug": "elan-vital", "v": "x"}, True),
        ({"slug": "a", "v": 1, "w": " x "}, {"slug": "7", "v": "1", "w": "X"}, True),
        ({"slug": "a", "v": 1, "w": 2, "x": 3}, {"slug": "b", "v": 1, "w": 8, "x": 9}, False),
        ({"slug": "a", "v": 1}, {"slug": "b"}, True),
        ({"slug": "a", "v": None}, {"slug": "b", "v": 3}, True),
        ({"slug": "!?"}, {"slug": "!!"}, True),
    ],
)
def test_records_that_are_alike(sent: dict[str, Any], live: dict[str, Any], alike: bool) -> None:
    """The key or half of the other values; where there is nothing to compare, they may be."""
    assert is_alike(sent, live, ("slug",)) is alike


def test_two_that_were_sent_are_two_records(through: Through, api: Api) -> None:
    """One that leaves the file is not taken for another one, which somebody has deleted meanwhile."""
    api.creation = "hang up"
    with pytest.raises((InterruptedTargetError, RefusedError)):
        through.run([{"slug": "a", "v": 0}, {"slug": "b", "v": 0}])
    api.creation = ""
    [gone] = [number for number, row in api.rows.items() if row["slug"] == "b"]
    del api.rows[gone]
    through.run([{"slug": "b", "v": 0}])
    assert slugs(api) == ["a", "b"]
