"""Nested values of an endpoint's records: what the file changes is written, what people did stays."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.endpoint_seeds import Through
from tests.support.seed_folder import counts, outcomes
from tests.support.small_api import Api

UPDATES = ["PUT /things/{live.id}", "PATCH /things/{live.id}"]


def thing(**fields: Any) -> list[dict[str, Any]]:
    return [{"slug": "a", **fields}]


@pytest.mark.parametrize("update", UPDATES)
def test_a_change_travels_with_what_people_added(through: Through, api: Api, update: str) -> None:
    """Whatever the request: the language that somebody added is sent along, the one that the file drops is not."""
    through.manifest(update=update)
    through.run(thing(t={"en": "A", "ru": "B"}))
    api.find("a")["t"]["fr"] = "by hand"
    assert counts(through.run(thing(t={"en": "C"}))) == {"updated": 1}
    assert api.find("a")["t"] == {"en": "C", "fr": "by hand"}
    assert counts(through.run(thing(t={"en": "C"}), verify=True)) == {"unchanged": 1}


@pytest.mark.parametrize("update", UPDATES)
def test_one_member_is_edited_and_another_changes(through: Through, api: Api, update: str) -> None:
    """The plan names both; the edit outlives this run and the next ones."""
    through.manifest(update=update)
    through.run(thing(t={"en": "A", "ru": "B"}))
    api.find("a")["t"]["ru"] = "by hand"
    planned = through.run(thing(t={"en": "C", "ru": "B"}), plan=True)
    [change] = planned.records
    members = change.fields["t"]["members"]
    assert {path: part["outcome"] for path, part in members.items()} == {
        "t.en": "update",
        "t.ru": "drift",
    }
    for _ in range(2):
        through.run(thing(t={"en": "C", "ru": "B"}))
    assert api.find("a")["t"] == {"en": "C", "ru": "by hand"}
    plan = through.run(thing(t={"en": "D", "ru": "E"}))
    assert counts(plan) == {"updated": 1, "conflicts": 1}
    assert api.find("a")["t"] == {"en": "D", "ru": "by hand"}
    assert counts(through.run(thing(t={"en": "D", "ru": "E"}), verify=True))["conflicts"] == 1


def test_elements_keep_what_the_api_gave_them(through: Through, api: Api) -> None:
    """Ids of elements travel with them, in whatever order the file has them now."""

    def give_ids(record: dict[str, Any]) -> dict[str, Any]:
        taken = [one.get("id", 0) for one in record["parts"]]
        free = iter(range(max(taken, default=0) + 1, 99))
        return {
            **record,
            "parts": [{"id": one.get("id") or next(free), **one} for one in record["parts"]],
        }

    api.habit = give_ids
    through.run(thing(parts=[{"n": "x"}, {"n": "y"}]))
    assert counts(through.run(thing(parts=[{"n": "x"}, {"n": "y"}]), verify=True)) == {
        "unchanged": 1
    }
    through.run(thing(parts=[{"n": "new"}, {"n": "y"}]))
    assert api.find("a")["parts"] == [{"id": 1, "n": "new"}, {"id": 2, "n": "y"}]
    through.run(thing(parts=[{"n": "y"}, {"n": "z"}, {"n": "new"}]))
    assert api.find("a")["parts"] == [
        {"id": 2, "n": "y"},
        {"id": 3, "n": "z"},
        {"id": 1, "n": "new"},
    ]
    assert counts(through.run(thing(parts=[]))) == {"updated": 1}
    assert api.find("a")["parts"] == []


def test_a_field_that_leaves_the_file_and_comes_back(through: Through, api: Api) -> None:
    """It is ours all the same: the change that it comes back with is written, and an edit stays."""
    api.habit = lambda row: {**row, **({"t": {"id": 7, **row["t"]}} if "t" in row else {})}
    through.manifest(update=UPDATES[1])
    through.run([{"slug": slug, "t": {"en": "A", "ru": "B"}} for slug in "ab"])
    through.run([{"slug": slug, "v": 1} for slug in "ab"])
    api.find("b")["t"]["en"] = "by hand"
    through.run([{"slug": slug, "v": 1, "t": {"en": "C"}} for slug in "ab"])
    assert api.find("a")["t"] == {"id": 7, "en": "C"}
    assert api.find("b")["t"] == {"id": 7, "en": "by hand"}


def test_a_record_that_leaves_the_file_with_somebodys_addition(through: Through, api: Api) -> None:
    """Prune keeps it: a language that was added to it is an edit, and the API's own id is none."""
    api.habit = lambda record: {**record, "t": {"id": 7, **record["t"]}}
    through.manifest(
        options="prune = true\nmax_prune = 1.0", http='delete = "DELETE /things/{live.id}"'
    )
    both = [{"slug": "a", "t": {"en": "A"}}, {"slug": "b", "t": {"en": "B"}}]
    through.run(both)
    api.find("a")["t"]["fr"] = "by hand"
    plan = through.run([])
    assert (plan.counts.deleted, counts(plan)) == (1, {"released": 1, "conflicts": 1})
    assert [row["slug"] for row in api.rows.values()] == ["a"]


def test_a_member_that_the_api_does_not_remove(through: Through, api: Api) -> None:
    """As with JSON Merge Patch, where a member that is not sent stays: it is named."""
    through.run(thing(t={"en": "A", "ru": "B"}))
    kept = api.find("a")["t"]
    api.habit = lambda record: {**record, "t": {**kept, **record["t"]}}
    plan = through.run(thing(t={"en": "C"}))
    assert plan.not_kept == ("slug a: t.ru",)


@pytest.mark.parametrize("update", UPDATES)
def test_on_drift_decides_for_members_too(through: Through, api: Api, update: str) -> None:
    """With overwrite an edited member is undone, and one that nobody named stays."""
    through.manifest(options='on_drift = "overwrite"', update=update)
    through.run(thing(t={"en": "A", "ru": "B"}))
    api.find("a")["t"] = {"ru": "by hand", "fr": "added"}
    plan = through.run(thing(t={"en": "A", "ru": "B"}), verify=True)
    assert outcomes(plan)["a"] == {"t": "drift"}
    assert api.find("a")["t"] == {"en": "A", "ru": "B", "fr": "added"}


def test_an_adopted_value_is_somebodys(through: Through, api: Api) -> None:
    """Its equal members are ours from then on, and the others stay as they are."""
    api.add(slug="a", t={"en": "A", "ru": "theirs"})
    assert counts(through.run(thing(t={"en": "A", "ru": "B"}))) == {"unchanged": 1, "drifted": 1}
    through.run(thing(t={"en": "C", "ru": "D"}))
    assert api.find("a")["t"] == {"en": "C", "ru": "theirs"}


def test_a_ledger_of_an_earlier_format(
    through: Through, api: Api, connection: psycopg.Connection[Any]
) -> None:
    """It has names without values: where live is as applied, the whole value is, and a change is written."""
    through.run([{"slug": slug, "t": {"en": "A", "ru": "B"}, "s": "x"} for slug in "abc"])
    connection.execute(
        """UPDATE compose_init.record SET shown = NULL, structure = '{"t": {"en": null, "ru": null}}'"""
    )
    api.find("b")["t"]["ru"] = "by hand"
    api.find("c")["t"]["ru"] = "by hand"
    things = [
        {"slug": "a", "t": {"en": "A"}, "s": {"x": 1}},
        {"slug": "b", "t": {"en": "C", "ru": "B"}, "s": "x"},
        {"slug": "c", "t": {"en": "A", "ru": "B"}, "s": "x"},
    ]
    through.run(things)
    found = [{name: api.find(slug)[name] for name in "ts"} for slug in "abc"]
    assert found == [
        {"t": {"en": "A"}, "s": {"x": 1}},
        {"t": {"en": "A", "ru": "by hand"}, "s": "x"},
        {"t": {"en": "A", "ru": "by hand"}, "s": "x"},
    ]


def test_the_ledger_holds_no_value(through: Through, connection: psycopg.Connection[Any]) -> None:
    """Neither of a secret field nor of any other."""
    through.manifest(options="fields.t = { secret = true }")
    through.run(thing(t={"en": "very secret"}, s="plain"))
    row = connection.execute(
        "SELECT structure::text, shown::text FROM compose_init.record"
    ).fetchone()
    assert row is not None
    assert "en" in row[0]
    assert "very secret" not in "".join(row)
    assert "plain" not in "".join(row)


def test_the_parts_of_a_secret_field_are_not_shown(through: Through, api: Api) -> None:
    through.manifest(options="fields.t = { secret = true }")
    through.run(thing(t={"en": "A", "ru": "B"}))
    api.find("a")["t"]["ru"] = "by hand"
    plan = through.run(thing(t={"en": "very secret", "ru": "B"}), plan=True)
    assert "very secret" not in str(plan.records)
    assert "by hand" not in str(plan.records)


def test_keys_are_told_apart_as_json_does(through: Through, api: Api) -> None:
    """As true is not 1, and 1.10 is 1.1."""
    through.run('[{"slug": true, "v": 1}, {"slug": 1, "v": 2}, {"slug": 1.10, "v": 3}]')
    assert len(api.rows) == 3
    assert counts(
        through.run('[{"slug": true, "v": 5}, {"slug": 1, "v": 2}, {"slug": 1.1, "v": 6}]')
    ) == {
        "updated": 2,
        "unchanged": 1,
    }
    assert len(api.rows) == 3
