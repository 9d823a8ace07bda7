"""Members that an API shows and does not take: it refuses an update for them, and gets it without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from compose_seeder.errors import RefusedError
from compose_seeder.targets.endpoint.refused_members import (
    Shape,
    find_lost,
    find_refused,
    leave_out,
)
from tests.support.endpoint_seeds import Through
from tests.support.seed_folder import counts
from tests.support.small_api import Api

UPDATES = ["PUT /things/{live.id}", "PATCH /things/{live.id}"]


class Strict(Api):
    """Gives each text an id, and takes none, as many frameworks do.

    Attributes:
        own: the members of a text that are the API's own; it gives each the value 1.
        others: members that it refuses as well, and that are lost then.
        says: its answer to a body with such members, in other words than usual.
        is_silent: an answer to a request that writes has no body.
    """

    own: tuple[str, ...] = ("id",)
    others: tuple[str, ...] = ()
    says: Any = None
    is_silent = False

    def answer(
        self, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[int, Any]:
        """Refuse a text with a member of the API's own, or one that is too long."""
        texts = (body or {}).get("t", {})
        named = [
            f"t.{lang}.{name}"
            for lang, text in texts.items()
            for name in self.own + self.others
            if name in text
        ]
        if named:
            self.requests.append(f"refused {method} {path}")
            said = {"detail": [f"{name}: extra fields not permitted" for name in named]}
            return 422, self.says(body) if self.says else said
        if any(len(text["name"]) > 9 for text in texts.values()):
            return 422, {"detail": "t.fr.name is too long"}
        if len((body or {}).get("note", "")) > 9:
            return 422, {"detail": "note is too long"}
        status, document = super().answer(method, path, body, headers)
        return status, None if self.is_silent and method != "GET" else document


@pytest.fixture
def api() -> Strict:
    """Return an API that takes no member of its own."""
    strict = Strict()
    strict.habit = lambda record: {
        **record,
        "t": {
            lang: {**dict.fromkeys(strict.own, 1), **text}
            for lang, text in record.get("t", {}).items()
        },
    }
    return strict


def things(name: str) -> list[dict[str, Any]]:
    return [{"slug": slug, "t": {"en": {"name": name}}} for slug in "ab"]


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("adopted", [False, True], ids=["created", "adopted"])
def test_an_id_that_the_api_does_not_take(
    through: Through, api: Strict, update: str, adopted: bool
) -> None:
    """The update is sent once more without it, and the next ones without it at once; people's texts go along."""
    through.manifest(update=update)
    if adopted:
        for slug in "ab":
            api.add(slug=slug, t={"en": {"id": 1, "name": "old"}})
    through.run(things("old"))
    api.find("a")["t"]["fr"] = {"id": 2, "name": "by hand"}
    assert counts(through.run(things("new"))) == {"updated": 2}
    assert api.find("a")["t"] == {
        "en": {"id": 1, "name": "new"},
        "fr": {"id": 1, "name": "by hand"},
    }
    assert sum(request.startswith("refused") for request in api.requests) <= 2  # both began at once


def test_a_value_that_is_refused(through: Through, api: Strict) -> None:
    """A refusal for a value leaves nothing out: what people wrote would be lost."""
    through.run(things("old"))
    api.find("a")["t"]["fr"] = {"name": "too long for the API"}
    with pytest.raises(Exception, match="too long"):
        through.run(things("new"))
    assert api.find("a")["t"]["fr"] == {"name": "too long for the API"}


def test_a_value_that_is_refused_beside_an_id(through: Through, api: Strict) -> None:
    """Another fault of the same answer, and the body that it says back, are no reason to leave a value out."""
    api.says = lambda body: {
        "detail": [
            {"type": "extra_forbidden", "loc": ["body", "t", "en", "id"], "msg": "not permitted"},
            {"type": "string_too_long", "loc": ["body", "note"], "msg": "at most 9 characters"},
        ],
        "body": body,
    }
    through.run(things("old"))
    api.find("a")["note"] = "too long for the API"
    with pytest.raises(RefusedError, match="refused 1 of 2"):
        through.run(things("new"))
    assert api.find("a")["note"] == "too long for the API"
    assert [api.find(slug)["t"]["en"]["name"] for slug in "ab"] == ["old", "new"]


def test_an_api_that_names_one_member_at_a_time(through: Through, api: Strict) -> None:
    """Each record is sent until the answer names nothing more to leave out."""
    api.own = ("id", "made", "rank")
    api.says = lambda body: next(
        {"detail": f"unknown field `{name}`, expected one of `name`, `note`"}
        for name in api.own
        if name in body["t"]["en"]
    )
    for slug in "ab":
        api.add(slug=slug, note="by hand", t={"en": {**dict.fromkeys(api.own, 1), "name": "old"}})
    through.run(things("old"))
    assert counts(through.run(things("new"))) == {"updated": 2}
    assert api.find("a") == {
        "id": 1,
        "slug": "a",
        "note": "by hand",
        "t": {"en": {"id": 1, "made": 1, "rank": 1, "name": "new"}},
    }


def test_what_is_lost_where_an_answer_has_no_body(through: Through, api: Strict) -> None:
    """The list shows it then."""
    through.manifest(update="PATCH /things/{live.id}")
    through.run(things("old"))
    api.others = ("note",)
    api.find("a")["t"]["en"]["note"] = "by hand"
    api.is_silent = True
    plan = through.run(things("new"))
    assert plan.not_kept == ("slug a: t.en.note",)


@pytest.mark.parametrize("update", UPDATES)
def test_an_id_where_the_file_has_ids_elsewhere(through: Through, api: Strict, update: str) -> None:
    """The key may have the name of a part's member that the API does not take."""
    through.manifest(update=update.replace("{live.id}", "{id}"))
    old, new = ([{"id": 1, **record} for record in things(name)[:1]] for name in ("old", "new"))
    through.run(old)
    assert counts(through.run(new)) == {"updated": 1}
    assert api.find("a") == {"id": 1, "slug": "a", "t": {"en": {"id": 1, "name": "new"}}}


NAMED: set[Shape] = {("slug",), ("t",), ("tags",), ("t", "en", "name"), ("t", "fr", "name")} | {
    ("tags", None, "name")
}
BODY = {
    "slug": "a",
    "id": 1,
    "note": "by hand",
    "message": "by hand",
    "t": {"en": {"id": 2, "name": "x", "note": "y"}, "fr": {"id": 3, "name": "y"}},
    "tags": [{"id": 4, "name": "z"}],
    "author": {"id": 5},
    "links": {"self": "/a"},
}
HERE = {("t", "en", "id")}
TOP = {("id",)}
ANYWHERE = {*HERE, ("t", "fr", "id"), ("tags", None, "id")}
"""Where the answer gives no place: in the fields of the file first."""

ANSWERS = {
    '{"detail": [{"type": "extra_forbidden", "loc": ["body", "t", "en", "id"], "msg": "no"}]}': HERE,
    '{"detail": [{"loc": ["body", "id"], "msg": "extra fields not permitted"}]}': TOP,
    '[{"loc": ["tags", 0, "id"], "msg": "extra fields not permitted"}]': {("tags", None, "id")},
    '{"json": {"t": {"en": {"id": ["Unknown field."]}}, "note": ["Too long."]}}': HERE,
    '{"id": ["This field is read-only."], "note": ["Too long."]}': TOP,
    '{"message": ["t.en.property id should not exist", "note must be shorter"]}': HERE,
    '{"message": "\\"t.en.id\\" is not allowed"}': HERE,
    "t.en: unknown field `id`, expected one of `name`, `note` at line 1": HERE,
    'Unrecognized field "id", not marked as ignorable (2 known properties: "name", "note"])': ANYWHERE,
    '{"error": "found unpermitted parameter: :id"}': ANYWHERE,
    '[{"code": "unrecognized_keys", "keys": ["id"], "path": ["t", "en"], "message": "Unrecognized key: id"}]': HERE,
    '[{"params": {"additionalProperty": "id"}, "message": "must NOT have additional properties"}]': ANYWHERE,
    "author.id is immutable": {("author", "id")},
    "t.en.name: extra fields not permitted": set(),
    '{"id": ["is too large"]}': set(),
    '{"message": "\\"note\\" is not allowed to be empty"}': set(),
    '{"loc": ["note"], "msg": "unexpected value; permitted: 1"}': set(),
    "unknown country in note": set(),
}


@pytest.mark.parametrize(("answer", "refused"), ANSWERS.items())
def test_which_members_are_refused(answer: str, refused: set[Shape]) -> None:
    """Those that a fault of the answer names for being there, as frameworks say it, and the file never names."""
    assert find_refused(BODY, NAMED, answer) == refused


def test_what_is_left_out() -> None:
    """Scalars at the places that were refused, in each element of a list."""
    left: dict[tuple[str | int, ...], Any] = {}
    body = {"id": 1, "t": {"en": {"id": 2}}, "tags": [{"id": 3, "name": "x"}, {"id": {"of": 4}}]}
    spared = leave_out(body, {("t", "en", "id"), ("tags", None, "id")}, left)
    assert spared == {"id": 1, "t": {"en": {}}, "tags": [{"name": "x"}, {"id": {"of": 4}}]}
    assert left == {("t", "en", "id"): 2, ("tags", 0, "id"): 3}


def test_what_is_lost_by_leaving_it_out() -> None:
    """A value that was there before and is not shown now, where the answer shows its field."""
    left = {("t", "en", "note"): "by hand", ("t", "en", "id"): 1, ("u", "id"): 2, ("l", 0, "id"): 3}
    shown = {"t": {"en": {"id": 9}}, "l": [{"name": "new"}, {"id": 4}]}
    assert list(find_lost(left, shown)) == [("t", "en", "note")]
    assert list(find_lost(left, {"l": [{"name": "new"}, {"id": None}]})) == [("l", 0, "id")]
