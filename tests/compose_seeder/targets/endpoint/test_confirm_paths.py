"""The answers of confirming requests: which part of them is meant, and where it goes."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder.errors import ManifestError, RefusedError
from compose_seeder.http_client.call import AnswerError
from compose_seeder.manifest.http_options import Confirm
from compose_seeder.targets.endpoint.confirm_paths import part_of, path_of, put_part, without_part
from tests.support.endpoint_seeds import Through
from tests.support.seed_folder import counts
from tests.support.small_api import Api

THING = [{"slug": "a", "v": 1, "texts": {"en": "A", "ru": "B"}}]
PER_LANGUAGE = """confirm = [
  "GET /things/{live.id}",
  { request = "GET /things/{live.id}/texts/ru", items = "/data", into = "texts.ru" },
]"""


@pytest.mark.parametrize(
    ("into", "fields", "path"),
    [
        (None, [], ()),
        ("texts", [], ("texts",)),
        ("texts.ru", ["texts"], ("texts", "ru")),
        ("texts.ru", ["texts.ru"], ("texts.ru",)),
    ],
)
def test_paths(into: str | None, fields: list[str], path: tuple[str, ...]) -> None:
    """A dot leads into a field, unless a field is called so."""
    assert path_of(into, fields) == path


def test_parts_of_answers() -> None:
    """By pointer, and by a field of an array's objects; a pointer that leads nowhere is said."""
    answer = {"data": {"rows": [{"lang": "en", "name": "A"}]}}
    rows = Confirm(request="GET /x", items="/data/rows", into="texts", by="lang")
    assert part_of(rows, answer) == {"en": {"name": "A"}}
    with pytest.raises(AnswerError, match="nothing at items = /data/rows"):
        part_of(rows, {"data": {}})
    assert part_of(rows, {"data": None}) is None


def test_parts_in_their_places() -> None:
    """Beside what is there already; an absent part is an object without it."""
    assert put_part({"en": "A"}, ("ru",), "B") == {"en": "A", "ru": "B"}
    assert put_part(None, ("a", "b"), 1) == {"a": {"b": 1}}
    assert without_part({"t": {"en": "A", "ru": "B"}}, ("t", "ru")) == {"t": {"en": "A"}}
    assert without_part({}, ("t", "ru")) == {"t": {}}


@pytest.fixture
def apart(api: Api) -> Api:
    """Return the API, which shows Russian texts with a request of their own."""
    read, write = api._read, api._write

    def without(row: Any) -> Any:
        return {**row, "texts": {k: v for k, v in row["texts"].items() if k != "ru"}}

    def reading(path: str) -> tuple[int, Any]:
        if path.endswith("/texts/ru"):
            texts = api.rows[int(path.split("/")[2])]["texts"]
            return (200, {"data": texts["ru"]}) if "ru" in texts else (404, {"detail": "none"})
        status, shown = read(path)
        return status, [*map(without, shown)] if isinstance(shown, list) else without(shown)

    def writing(method: str, path: str, body: Any) -> tuple[int, Any]:
        status, row = write(method, path, body)
        return status, without(row)

    api._read, api._write = reading, writing  # type: ignore[method-assign]
    return api


def test_one_language_is_read_by_itself(through: Through, apart: Api) -> None:
    """It is compared like the others: an edit of it stays, and a change of the file is written."""
    through.manifest(http=PER_LANGUAGE)
    assert counts(through.run(THING)) == {"created": 1}
    assert counts(through.run(THING, verify=True)) == {"unchanged": 1}
    apart.find("a")["texts"]["ru"] = "by hand"
    through.run([{**THING[0], "texts": {"en": "C", "ru": "B"}}])
    assert apart.find("a")["texts"] == {"en": "C", "ru": "by hand"}
    plan = through.run([{**THING[0], "v": 2, "texts": {"en": "C", "ru": "B"}}], verify=True)
    assert counts(plan) == {"updated": 1, "drifted": 1}


def test_a_part_that_is_not_there(through: Through, apart: Api) -> None:
    """404 for one language is no error: the API has dropped it, and that is said."""
    apart.habit = lambda record: {**record, "texts": {"en": record["texts"]["en"]}}
    through.manifest(http=PER_LANGUAGE)
    plan = through.run(THING)
    assert plan.not_kept == ("slug a: texts.ru",)
    assert counts(through.run(THING, verify=True)) == {"unchanged": 1, "unconfirmed": 1}


@pytest.mark.parametrize("into", ["txts", "texts.de", "v.ru"])
def test_an_into_that_no_record_has(through: Through, api: Api, into: str) -> None:
    """A fault of the manifest, before anything is sent."""
    through.manifest(http=f'confirm = [{{ request = "GET /things/{{live.id}}", into = "{into}" }}]')
    with pytest.raises(ManifestError, match=f"into = {into}, but no record has that field"):
        through.run(THING)
    assert api.requests == []


def test_items_that_lead_nowhere(through: Through) -> None:
    """The record counts as refused: nobody knows what the API kept."""
    through.manifest(http='confirm = [{ request = "GET /things/{live.id}", items = "/data" }]')
    with pytest.raises(RefusedError, match="nothing at items = /data"):
        through.run(THING)
