"""Members that an API shows and does not take: it refuses an update for them, and gets it without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from compose_seeder.targets.endpoint.refused_members import find_lost, find_refused, leave_out
from tests.support.endpoint_seeds import Through
from tests.support.seed_folder import counts
from tests.support.small_api import Api

UPDATES = ["PUT /things/{live.id}", "PATCH /things/{live.id}"]
EXTRA = '{"type": "extra_forbidden", "loc": ["body", "t", "en", "id"], "msg": "Extra inputs are not permitted"}'


class Strict(Api):
    """Gives each text an id, and takes none, as many frameworks do."""

    def answer(
        self, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[int, Any]:
        """Refuse a text with an id, or one that is too long."""
        texts = (body or {}).get("t", {})
        refused = [lang for lang, text in texts.items() if "id" in text]
        if refused:
            self.requests.append(f"refused {method} {path}")
            return 422, {"detail": [f"t.{lang}.id: extra fields not permitted" for lang in refused]}
        if any(len(text["name"]) > 9 for text in texts.values()):
            return 422, {"detail": "t.fr.name is too long"}
        return super().answer(method, path, body, headers)


@pytest.fixture
def api() -> Strict:
    """Return an API that takes no member of its own."""
    strict = Strict()
    strict.habit = lambda record: {
        **record,
        "t": {lang: {"id": 1, **text} for lang, text in record.get("t", {}).items()},
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


def test_which_members_are_refused() -> None:
    """Those that the answer names and the file never does."""
    body = {"slug": "a", "id": 1, "t": {"en": {"id": 2, "name": "x"}, "links": {"self": "/a"}}}
    assert find_refused(body, {"slug", "t", "en", "name"}, EXTRA) == {"id"}
    assert find_refused(body, {"slug", "t", "en", "name", "id"}, EXTRA) == set()
    assert find_refused(body, {"slug"}, '{"id": ["is too large"]}') == set()
    left: dict[tuple[str | int, ...], Any] = {}
    spared = leave_out(body, {"id"}, left)
    assert spared == {"slug": "a", "t": {"en": {"name": "x"}, "links": {"self": "/a"}}}
    assert left == {("id",): 1, ("t", "en", "id"): 2}


def test_what_is_lost_by_leaving_it_out() -> None:
    """A value that was there before and is not shown now, where the answer shows its field."""
    left = {("t", "en", "note"): "by hand", ("t", "en", "id"): 1, ("u", "id"): 2, ("l", 0, "id"): 3}
    assert list(find_lost(left, {"t": {"en": {"id": 9}}, "l": []})) == [("t", "en", "note")]
