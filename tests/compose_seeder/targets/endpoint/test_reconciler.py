"""An endpoint as a target: a real API over HTTP, with the habits that real ones have."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import pytest

from compose_seeder.errors import (
    CredentialsError,
    InterruptedTargetError,
    ManifestError,
    RecordError,
    RefusedError,
)
from compose_seeder.http_client import retry
from tests.support.endpoint_seeds import LIST, MANIFEST, THINGS, Through
from tests.support.seed_folder import Seeds, counts, outcomes
from tests.support.small_api import Api

CONFIRM = 'confirm = ["GET /things/{live.id}"]'


def changed(**fields: Any) -> list[dict[str, Any]]:
    return [THINGS[0], {**THINGS[1], **fields}, THINGS[2]]


def test_created_once(through: Through, api: Api) -> None:
    """Every record by one request; unchanged, no request at all; verified, no write."""
    assert counts(through.run()) == {"created": 3}
    assert sorted(row["slug"] for row in api.rows.values()) == ["a", "b", "c"]
    api.requests.clear()
    assert counts(through.run()) == {"unchanged": 3}
    assert api.requests == []
    assert counts(through.run(verify=True)) == {"unchanged": 3}
    assert api.requests == ["GET /things"]


def test_a_put_sends_the_whole_record(through: Through, api: Api) -> None:
    """Only for the record that the seed changed; what an API does not get in a PUT, it forgets."""
    through.run()
    api.requests.clear()
    assert counts(through.run(changed(v=20))) == {"updated": 1, "unchanged": 2}
    assert api.writes == [f"PUT /things/{api.find('b')['id']}"]
    assert api.bodies[-1] == {"slug": "b", "v": 20}


def test_a_patch_sends_what_differs(through: Through, api: Api) -> None:
    """And nothing else, so that it cannot overwrite what it did not mean."""
    through.manifest(update="PATCH /things/{live.id}")
    things = [{"slug": "b", "v": 2, "name": "x"}]
    through.run(things)
    through.run([{"slug": "b", "v": 2, "name": "y"}])
    assert api.bodies[-1] == {"name": "y"}


def test_a_plan_sends_nothing(through: Through, api: Api) -> None:
    """It lists, compares, and says what a run then does."""
    planned = through.run(plan=True)
    assert counts(planned) == {"created": 3}
    assert api.writes == []
    assert counts(through.run()) == counts(planned)


def test_a_hand_edit_stays_and_travels_with_a_put(through: Through, api: Api) -> None:
    """The edited field is sent as it is now; the changed one as the seed has it."""
    things = [{"slug": "b", "v": 2, "name": "x"}]
    through.run(things)
    api.find("b")["name"] = "by hand"
    plan = through.run([{"slug": "b", "v": 3, "name": "x"}])
    assert counts(plan) == {"updated": 1, "drifted": 1}
    assert {k: v for k, v in api.find("b").items() if k != "id"} == {
        "slug": "b",
        "v": 3,
        "name": "by hand",
    }


def test_a_put_keeps_what_is_not_to_be_written(through: Through, api: Api) -> None:
    """Of an API that replaces what it has: fields written once, and those that only others name."""
    through.manifest(options="fields.password = { once = true }", http=CONFIRM)
    api.hidden = {"password"}
    ann = {"slug": "a", "v": 1, "password": "first", "tags": ["x"], "note": "n"}
    through.run([ann, {**ann, "slug": "b"}])
    api.find("a").update(password="theirs", note="by hand", tags=["mine"])
    through.run([{"slug": "a", "v": 2, "password": "other"}, {**ann, "slug": "b"}])
    assert api.find("a") == {**api.find("b"), "id": api.find("a")["id"], "slug": "a", "v": 2} | {
        "password": "theirs",
        "note": "by hand",
        "tags": ["mine"],
    }


@pytest.mark.parametrize("update", ["PUT /things/{live.id}", "PATCH /things/{live.id}"])
def test_an_edit_of_a_once_field_is_not_what_we_wrote(
    through: Through, api: Api, update: str
) -> None:
    """Though the API shows it right after a write of another field: without the rule it is a conflict."""
    manifest = partial(through.manifest, update=update, http=CONFIRM)
    manifest(options="fields.v = { once = true }")
    through.run([{"slug": "a", "v": 1, "name": "n"}])
    api.find("a")["v"] = 99
    assert counts(through.run([{"slug": "a", "v": 1, "name": "m"}])) == {"updated": 1}
    manifest()
    assert counts(through.run([{"slug": "a", "v": 2, "name": "m"}])) == {
        "unchanged": 1,
        "conflicts": 1,
    }
    assert api.find("a")["v"] == 99


def test_a_once_field_that_is_never_shown_is_not_sent_again(through: Through, api: Api) -> None:
    """Nobody can tell what it is by now, and it is not ours to write."""
    through.manifest(options="fields.password = { once = true }")
    api.hidden = {"password"}
    through.run([{"slug": "a", "v": 1, "password": "first"}])
    through.run([{"slug": "a", "v": 2, "password": "first"}])
    assert api.bodies[-1] == {"slug": "a", "v": 2}


def test_a_put_keeps_what_the_list_does_not_show_and_only_others_name(
    through: Through, api: Api
) -> None:
    """It is read back first, and travels with the PUT."""
    through.manifest(http=CONFIRM)
    api.hidden = {"note"}
    things = [{"slug": "a", "v": 1}, {"slug": "b", "v": 2, "note": "n"}]
    through.run(things)
    api.find("a")["note"] = "by hand"
    assert counts(through.run([{**things[0], "v": 5}, things[1]]))["updated"] == 1
    assert api.find("a") == {"id": api.find("a")["id"], "slug": "a", "v": 5, "note": "by hand"}


@pytest.mark.parametrize(
    "options",
    [
        'fields.v = { on_drift = "overwrite" }',
        'on_drift = "overwrite"\nfields.note = { once = true }',
        'on_drift = "overwrite"\nfields.note = { on_drift = "keep" }',
    ],
)
def test_a_put_that_undoes_one_edit_keeps_the_other(
    through: Through, api: Api, options: str
) -> None:
    """Though the list does not show that one, and the record's seed has not changed."""
    through.manifest(options=options, http=CONFIRM)
    api.hidden = {"note"}
    things = [{"slug": "a", "v": 1, "note": "n"}, {"slug": "b", "v": 2, "note": "n"}]
    through.run(things)
    api.find("b").update(v=99, note="by hand")
    assert counts(through.run([{**things[0], "v": 5}, things[1]]))["updated"] == 2
    assert api.find("b") == {"id": api.find("b")["id"], "slug": "b", "v": 2, "note": "by hand"}


def test_prune_after_a_run_that_never_came_to_its_end(through: Through, api: Api) -> None:
    """The share is of what is ours, and the number that is named allows it."""
    delete = 'delete = "DELETE /things/{live.id}"'
    through.manifest(options="prune = true", http=delete)
    api.refuse = {"c"}
    with pytest.raises(RefusedError):
        through.run()
    with pytest.raises(RecordError, match=r"1 of 2 records .* set max_prune to 0\.5 "):
        through.run(THINGS[1:2])
    through.manifest(options="prune = true\nmax_prune = 0.5", http=delete)
    assert through.run(THINGS[1:2]).counts.deleted == 1
    assert [row["slug"] for row in api.rows.values()] == ["b"]


def test_a_record_that_moves_to_another_dataset_is_not_deleted(through: Through, api: Api) -> None:
    """Of the same endpoint: its file has it."""
    delete = 'delete = "DELETE /things/{live.id}"'
    through.manifest(options="prune = true\nmax_prune = 1.0", http=delete)
    text = (through.seeds.folder / "seeds.toml").read_text()
    more = text.replace('"things"', '"more"').replace("things.json", "more.json")
    through.seeds.write(text + more, more=[])
    through.run()
    through.seeds.source("more", THINGS[2:])
    assert counts(through.run(THINGS[:2])) == {"unchanged": 1}
    assert sorted(row["slug"] for row in api.rows.values()) == ["a", "b", "c"]


def test_a_record_deleted_by_hand_stays_deleted(through: Through, api: Api) -> None:
    """With keep; overwrite creates it again."""
    through.run()
    del api.rows[api.find("b")["id"]]
    assert counts(through.run(changed(v=9))) == {"unchanged": 3, "drifted": 1}
    assert len(api.rows) == 2
    through.manifest(options='on_drift = "overwrite"')
    assert counts(through.run(changed(v=9)))["created"] == 1
    assert api.find("b")["v"] == 9


def test_records_of_others_are_adopted(through: Through, api: Api) -> None:
    """Nothing is doubled; a differing field of theirs is drift."""
    api.add(slug="a", v=1)
    api.add(slug="b", v=99)
    plan = through.run()
    assert counts(plan) == {"created": 1, "unchanged": 2, "drifted": 1}
    assert outcomes(plan)["b"] == {"v": "drift"}
    assert len(api.rows) == 3


def test_what_the_list_does_not_show_is_read_for_changed_records_alone(
    through: Through, api: Api
) -> None:
    """One detail request for the one record that the seed changed; with verify, one for each."""
    api.hidden = {"v"}
    through.manifest(http=CONFIRM)
    through.run()
    api.requests.clear()
    assert counts(through.run(changed(v=20))) == {"updated": 1, "unchanged": 2}
    number = api.find("b")["id"]
    detail = f"GET /things/{number}"
    assert api.requests == ["GET /things", detail, f"PUT /things/{number}", detail]
    api.find("c")["v"] = 77
    assert counts(through.run(changed(v=20), verify=True)) == {"unchanged": 3, "drifted": 1}


def test_an_apis_word_is_not_proof(through: Through, api: Api) -> None:
    """It answers 201 and drops half a record: counted by name, and not tried again and again."""
    api.habit = lambda record: {
        **record,
        "texts": {lang: text for lang, text in record["texts"].items() if text},
    }
    through.manifest(http=CONFIRM)
    things = [
        {"slug": "a", "texts": {"en": "one", "ru": ""}},
        {"slug": "b", "texts": {"en": "two", "ru": "dva"}},
    ]
    plan = through.run(things)
    assert counts(plan) == {"created": 2, "unconfirmed": 1}
    assert plan.not_kept == ("slug a: texts.ru",)
    again = through.run(things, verify=True)
    assert counts(again) == {"unchanged": 2, "unconfirmed": 1}
    things[1]["texts"] = {"en": "zwei", "ru": "dva"}
    api.requests.clear()
    assert counts(through.run(things)) == {"updated": 1, "unchanged": 1, "unconfirmed": 1}
    assert len(api.writes) == 1


def test_a_record_that_is_read_back_as_something_else(through: Through, api: Api) -> None:
    """An array confirms nothing, and must not pass for the record."""
    through.manifest(http='confirm = ["GET /things?slug={slug}"]')
    with pytest.raises(RefusedError, match=r"cannot be read back .* is not a record"):
        through.run()
    assert counts(through.run()) == {"unchanged": 3}
    assert len(api.rows) == 3


def test_a_value_that_the_api_writes_another_way_is_not_drift(through: Through, api: Api) -> None:
    """0.25 comes back as "0.25": seen after the write, known ever after, and still updated."""
    api.habit = lambda record: {**record, "v": str(record["v"])}
    things = [{"slug": "a", "v": 0.25}]
    assert counts(through.run(things)) == {"created": 1, "unconfirmed": 1}
    assert counts(through.run(things, verify=True)) == {"unchanged": 1, "unconfirmed": 1}
    changed = through.run([{"slug": "a", "v": 0.5}])
    assert counts(changed) == {"updated": 1, "unconfirmed": 1}
    assert changed.not_kept == ("slug a: v",)
    assert api.find("a")["v"] == "0.5"


@pytest.mark.parametrize("http", ["", CONFIRM, 'bulk = "POST /things/bulk"'])
def test_a_key_that_the_api_changes(through: Through, api: Api, http: str) -> None:
    """No run finds the record again: it is said each time, and nothing is created once more."""
    api.habit = lambda record: {**record, "slug": record["slug"].lower()}
    through.manifest(http=http, options='on_drift = "overwrite"')
    things = [{"slug": "a", "v": 1}, {"slug": "B", "v": 2}]
    for _ in range(3):
        said = r"does not show 1 .*\n.*#/1 \(slug B\): .* given it another key: slug b;"
        with pytest.raises(RefusedError, match=said):
            through.run(things)
    assert sorted(row["slug"] for row in api.rows.values()) == ["a", "b"]
    assert through.run(things, plan=True).counts.unconfirmed == 1
    things[1]["slug"] = "b"
    assert counts(through.run(things)) == {"unchanged": 2, "released": 1}


def test_refused_records_are_named_and_the_others_written(through: Through, api: Api) -> None:
    """The API's own words, bounded; mended, the next run brings just that one."""
    api.refuse = {"b"}
    with pytest.raises(RefusedError) as raised:
        through.run()
    said = str(raised.value)
    assert "refused 1 of 3 records; the others are written" in said
    assert "things.json#/1 (slug b)" in said
    assert "422" in said
    assert "this one not" in said
    assert len(said) < 1500
    assert sorted(row["slug"] for row in api.rows.values()) == ["a", "c"]
    api.refuse = set()
    assert counts(through.run()) == {"created": 1, "unchanged": 2}


def test_an_api_that_fails_half_way(through: Through, api: Api) -> None:
    """Run again, and it goes on: nothing twice, nothing missing."""
    things: list[dict[str, Any]] = [{"slug": f"s{n}", "v": n} for n in range(20)]
    api.fail_after = 7
    with pytest.raises(InterruptedTargetError, match=r"things.json#/\d+ \(slug s\d+\): .* 500"):
        through.run(things)
    assert 0 < len(api.rows) < 20
    api.fail_after = None
    through.run(things)
    assert sorted(row["slug"] for row in api.rows.values()) == sorted(t["slug"] for t in things)


def test_a_record_that_a_broken_run_adopted_stays_somebodys(through: Through, api: Api) -> None:
    """It was about to be updated, not created: with a value that was never ours, prune does not delete it."""
    options = 'prune = true\nmax_prune = 1.0\nfields.v = { on_drift = "overwrite" }'
    through.manifest(options=options, http='delete = "DELETE /things/{live.id}"')
    api.add(slug="a", v=1, note="theirs")
    api.fail_after = 0
    with pytest.raises(InterruptedTargetError):
        through.run([{"slug": "a", "v": 2, "note": "ours"}])
    api.fail_after = None
    assert counts(through.run([{"slug": "a", "v": 2, "note": "ours"}])) == {
        "updated": 1,
        "drifted": 1,
    }
    assert through.run([]).counts.deleted == 0
    assert api.find("a")["note"] == "theirs"


def test_files_put_back_after_a_failure_are_compared_again(through: Through, api: Api) -> None:
    """Half of an update arrived; the old file is not taken for what the API holds."""
    things = [{"slug": f"s{n}", "v": 1} for n in range(8)]
    through.run(things)
    api.fail_after = len(api.writes) + 3
    with pytest.raises(InterruptedTargetError):
        through.run([{**thing, "v": 2} for thing in things])
    api.fail_after = None
    through.run(things)
    assert {row["v"] for row in api.rows.values()} == {1}


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials(through: Through, api: Api, status: int) -> None:
    """At once, naming the settings."""
    api.status = status
    with pytest.raises(CredentialsError, match="API_TOKEN"):
        through.run()


def test_an_api_that_is_gone(through: Through, client: httpx.Client) -> None:
    """A closed connection means: run again."""
    client.base_url = "http://127.0.0.1:9"
    with pytest.raises(InterruptedTargetError, match="no answer from the API"):
        through.run()


def test_a_key_that_is_there_twice(through: Through, api: Api) -> None:
    """Nobody can tell which is meant: named, and nothing written."""
    api.add(slug="b", v=2)
    api.add(slug="b", v=3)
    with pytest.raises(RefusedError, match="slug b"):
        through.run()
    assert api.writes == []


def test_lists_in_an_envelope_and_in_pages(through: Through, api: Api) -> None:
    """`items` points into an envelope; half a list would make doubles of the rest."""
    through.manifest(http='items = "/items"')
    api.wrapped = {"next": None, "total": 0}
    assert counts(through.run()) == {"created": 3}
    api.wrapped = {"next": "/things?page=2"}
    with pytest.raises(RefusedError, match="pages"):
        through.run(verify=True)
    api.wrapped = {}
    api.headers = {"Link": '</things?page=2>; rel="next"'}
    with pytest.raises(RefusedError, match="pages"):
        through.run(verify=True)


@pytest.mark.parametrize(
    "said",
    [{"hasMore": True}, {"nextPageToken": "x"}, {"links": {"next": "/things?page=2"}}],
)
def test_a_page_may_say_so_in_many_ways(through: Through, api: Api, said: dict[str, Any]) -> None:
    """JSON:API's links, Google's tokens, either spelling."""
    through.manifest(http='items = "/items"')
    api.wrapped = dict.fromkeys(said)
    assert counts(through.run()) == {"created": 3}
    api.wrapped = said
    with pytest.raises(RefusedError, match="answers in pages"):
        through.run(verify=True)


@pytest.mark.parametrize("name", ["total", "count", "totalElements"])
def test_a_list_that_shows_less_than_its_total(through: Through, api: Api, name: str) -> None:
    """As FastAPI's pagination has it: the first page, and how many there are."""
    through.manifest(http='items = "/items"')
    api.add(slug="x", v=1)
    api.wrapped = {name: 2, "page": 1, "size": 1}
    with pytest.raises(RefusedError, match="there are 2 records, and shows 1: say in"):
        through.run()
    assert api.writes == []
    api.wrapped = {name: 1, "page": 1, "size": 1}
    assert counts(through.run())["created"] == 3


def test_a_list_that_is_null_is_empty(through: Through, api: Api) -> None:
    """As Go writes it."""
    through.manifest(http='items = "/items"')
    api.wrapped = {"items": None}
    with pytest.raises(RefusedError, match="does not show 3 of 3 records"):
        through.run()
    api.wrapped = {}
    assert counts(through.run()) == {"unchanged": 3}


def test_a_list_that_is_none(through: Through, api: Api) -> None:
    """An object without `items`, or records without their key."""
    api.wrapped = {}
    with pytest.raises(RefusedError, match=r"is http\.items right"):
        through.run()
    api.wrapped = None
    api.rows[1] = {"id": 1, "slug": ["no", "key"]}
    with pytest.raises(RefusedError, match="shows no text or number there"):
        through.run()


ODD = {
    "not UTF-8": b'[{"id": 1, "slug": "\xff"}]',
    "nested without end": b"[" * 100_000 + b"]" * 100_000,
    "no number": b'[{"id": 1, "slug": "a", "v": 1e99999999999999999999}]',
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_an_answer_that_no_parser_takes(through: Through, answer: bytes) -> None:
    """It is said what the API answered."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=answer))
    through.client = httpx.Client(transport=transport, base_url="http://api.test")
    with pytest.raises(RefusedError, match="the API answered 200 with invalid JSON"):
        through.run()


def test_an_answer_to_a_write_that_is_not_json(through: Through, api: Api) -> None:
    """What is there all the same is ours, with what the API made of it; a delete is done."""
    delete = 'delete = "DELETE /things/{live.id}"'
    through.manifest(options="prune = true\nmax_prune = 1.0", http=delete)
    api.text = "OK"
    api.habit = lambda record: {**record, "v": 7}
    assert counts(through.run()) == {"created": 3, "unconfirmed": 3}
    assert counts(through.run(verify=True)) == {"unchanged": 3, "unconfirmed": 3}
    assert through.run(THINGS[:1]).counts.deleted == 2
    assert [row["slug"] for row in api.rows.values()] == ["a"]


def test_a_live_value_that_no_jsonb_holds(through: Through, api: Api) -> None:
    """The record is named, and nothing is written."""
    api.add(slug="a", v="\0")
    api.add(slug="theirs\0", v=1)
    api.add(slug="b", v=2)
    with pytest.raises(RefusedError, match=r"\(slug a\): PostgreSQL cannot compare it") as raised:
        through.run()
    assert len(raised.value.faults) == 2
    assert api.writes == []


def test_an_update_that_nobody_described(seeds: Seeds, client: httpx.Client, api: Api) -> None:
    """Said when it is needed, with an example."""
    through = Through(seeds, client)
    seeds.write(
        MANIFEST.format(options="", http="", update="", find=LIST).replace('update = ""\n', "")
    )
    through.run()
    things = [*changed(v=5), {"slug": "new", "v": 1}]
    for plan in (True, False):
        with pytest.raises(ManifestError, match=r"http.update is missing"):
            through.run(things, plan=plan)
    assert api.find("b")["v"] == 2
    assert len(api.rows) == 3, "nothing is written before that is said"


def test_templates(through: Through, api: Api) -> None:
    """Values are quoted into the path; one that is not there is a fault of that record."""
    through.manifest(update="PUT /things/{live.id}?of={slug}")
    through.run([{"slug": "a/b c", "v": 1}])
    api.refuse = {"a/b c"}
    with pytest.raises(RefusedError):
        through.run([{"slug": "a/b c", "v": 2}])
    assert api.writes[-1].endswith("?of=a%2Fb%20c")
    through.manifest(update="PUT /things/{live.uuid}")
    with pytest.raises(RefusedError, match="has no usable uuid"):
        through.run([{"slug": "a/b c", "v": 3}])


def test_numbers_keep_their_digits(through: Through, api: Api) -> None:
    """What no float can hold passes through, and is no reason to fail."""
    through.run('[{"slug": "a", "v": 12345678901234567890.12345678901234567890, "w": 1e-400}]')
    assert len(api.rows) == 1
    assert counts(through.run('[{"slug": "a", "v": 1, "w": 2}]'))["updated"] == 1


PAGES = {
    "link": "pages = { link = true }",
    "next": 'items = "/items"\npages = { next = "/next" }',
    "cursor": 'items = "/items"\npages = { next = "/next", cursor = "start" }',
    "offset": 'pages = { offset = "start", limit = "size", size = 2 }',
}


@pytest.mark.parametrize("way", PAGES)
def test_a_list_in_pages_is_followed(through: Through, api: Api, way: str) -> None:
    """All of it counts: nothing is created twice, and an edit on the last page is seen."""
    api.paged = way
    through.manifest(http=PAGES[way])
    assert counts(through.run()) == {"created": 3}
    assert len(api.rows) == 3
    assert counts(through.run(verify=True)) == {"unchanged": 3}
    api.find("c")["v"] = 99
    assert counts(through.run(verify=True)) == {"unchanged": 3, "drifted": 1}


def test_a_list_that_does_not_follow(through: Through, api: Api) -> None:
    """The same page again, or a page at another server, is an error and nothing is written."""
    through.run()
    api.paged = "deaf"
    through.manifest(http=PAGES["offset"])
    with pytest.raises(RefusedError, match="does not follow start"):
        through.run(verify=True)
    api.paged = ""
    api.wrapped = {"next": "http://elsewhere.test/things"}
    through.manifest(http=PAGES["next"])
    with pytest.raises(RefusedError, match=r"another server, elsewhere\.test"):
        through.run(verify=True)
    api.wrapped = {"next": "/things"}
    with pytest.raises(RefusedError, match="leads back"):
        through.run(verify=True)
    assert len(api.writes) == 3


@pytest.mark.parametrize("way", ["pages = { link = true }", 'pages = { next = "/nxt" }'])
def test_pages_that_are_followed_the_wrong_way(through: Through, api: Api, way: str) -> None:
    """What the first page says all the same would else be created again."""
    api.paged = "next"
    for thing in THINGS:
        api.add(**thing)
    through.manifest(http=f'items = "/items"\n{way}')
    with pytest.raises(RefusedError, match=r"answers in pages; say in http\.pages"):
        through.run()
    assert api.writes == []


@pytest.mark.parametrize("url", ["http://[::1", "/things?\x01", "/" + "x" * 70_000])
def test_a_next_page_that_is_no_url(through: Through, api: Api, url: str) -> None:
    api.wrapped = {"next": url}
    through.manifest(http=PAGES["next"])
    with pytest.raises(RefusedError, match="the next page cannot be asked for: "):
        through.run()


def test_a_busy_api_is_asked_again(
    through: Through, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 was not taken: everything is sent again when the API says, creations too, once each."""
    monkeypatch.setattr(retry, "MAX_DELAY_SECONDS", 0.1)
    api.busy = 7
    assert counts(through.run()) == {"created": 3}
    assert sorted(row["slug"] for row in api.rows.values()) == ["a", "b", "c"]


def test_a_lost_answer_is_no_double(through: Through, api: Api) -> None:
    """With an idempotency key, a creation whose answer is lost is repeated, and is one record."""
    through.manifest(http="idempotency_key = true")
    api.lost = 2
    assert counts(through.run()) == {"created": 3}
    assert sorted(row["slug"] for row in api.rows.values()) == ["a", "b", "c"]
    assert len(api.writes) == 5
