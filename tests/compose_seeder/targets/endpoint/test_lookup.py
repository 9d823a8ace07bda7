"""Records that are found by their key, one request each, where an API has no list."""

from __future__ import annotations

from contextlib import suppress

import pytest

from compose_seeder.errors import ManifestError, RefusedError
from compose_seeder.manifest.parse import parse
from tests.support.endpoint_seeds import THINGS, Through
from tests.support.seed_folder import counts
from tests.support.small_api import Api

BY_PATH = 'get = "GET /things/of/{slug}"'
BY_QUERY = 'get = "GET /things?slug={slug}"'


@pytest.mark.parametrize("find", [BY_PATH, BY_QUERY])
def test_found_by_key(through: Through, api: Api, find: str) -> None:
    """404 or an empty array is absent; what is there is compared, and an edit by hand kept."""
    through.manifest(find=find)
    api.add(slug="b", v=2)
    assert counts(through.run()) == {"created": 2, "unchanged": 1}
    assert sorted(row["slug"] for row in api.rows.values()) == ["a", "b", "c"]
    api.requests.clear()
    assert counts(through.run()) == {"unchanged": 3}
    assert api.requests == []
    api.find("c")["v"] = 99
    assert counts(through.run(verify=True)) == {"unchanged": 3, "drifted": 1}
    assert len(api.requests) == 3


def test_an_array_is_looked_through_for_the_key(through: Through, api: Api) -> None:
    """A query may find what only begins like the key; one that finds the key twice is an error."""
    through.manifest(find=BY_QUERY)
    api.add(slug="a2", v=7)
    assert counts(through.run()) == {"created": 3}
    api.add(slug="a", v=1)
    with pytest.raises(RefusedError, match=r"\(slug a\): the target holds the key 2 times"):
        through.run(verify=True)


def test_an_answer_that_is_not_the_record(through: Through, api: Api) -> None:
    """A wrong pointer or another record would make doubles of all: errors, and nothing is written."""
    api.add(slug="a", v=1)
    through.manifest(find=BY_PATH, http='items = "/data"')
    with pytest.raises(RefusedError, match=r"is http\.items right"):
        through.run()
    api.rows[2] = {"id": 2, "slug": "x"}
    through.manifest(find='get = "GET /things/2?{slug}"')
    with pytest.raises(RefusedError, match="another record: slug x"):
        through.run()
    api.rows[2] = {"id": 2, "error": "none such"}
    with pytest.raises(RefusedError, match="no text or number in slug"):
        through.run()
    assert api.writes == []


@pytest.mark.parametrize(
    ("http", "said"),
    [
        ('list = "GET /e"\nget = "GET /e/{slug}"', "http.list and http.get exclude each other"),
        ('get = "GET /e/all"', "http.get must name a field of the key"),
        ('get = "GET /e/{slug}/{live.id}"', "http.get names {live"),
        ('get = "GET /e/{slug}"\npages = { link = true }', "http.pages needs http.list"),
        ('get = "GET /e/{slug}"\nempty = 404', "http.empty needs http.list"),
        ('list = "GET /e"\nbulk = "POST /e/{slug}"', "http.bulk creates many records"),
        ('list = "GET /e"\nbulk = { request = "POST /e", sise = 3 }', "did you mean size"),
        ("", "http.list or http.get is missing"),
    ],
)
def test_what_a_manifest_cannot_say(http: str, said: str) -> None:
    """Said when it is read."""
    text = f"""
        [[dataset]]
        name = "one"
        source = "one.json"
        endpoint = "/e"
        key = ["slug"]
        [dataset.http]
        create = "POST /e"
        {http}
    """
    with pytest.raises(ManifestError) as raised:
        parse(text, "seeds.toml")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ('"a/b c"', "a%2Fb%20c"),
        ('"50%25 ü"', "50%2525%20%C3%BC"),
        ('"?#&+"', "%3F%23%26%2B"),
        ("7", "7"),
        ("2.50", "2.50"),
        ("1e2", "100"),
        ("true", "true"),
    ],
)
def test_any_key_stands_in_a_path(through: Through, api: Api, key: str, path: str) -> None:
    """Quoted, and numbers as an API reads them."""
    through.manifest(find=BY_PATH)
    with suppress(RefusedError):  # the API compares the path with the text of the key
        through.run(f'[{{"slug": {key}, "v": 1}}]')
    assert api.requests[:3] == [
        f"GET /things/of/{path}",
        "POST /things",
        f"GET /things/of/{path}",
    ]


def test_a_key_that_is_too_long_for_a_url(through: Through) -> None:
    """A fault of that record, and quoted in part."""
    through.manifest(find=BY_PATH)
    with pytest.raises(RefusedError, match="cannot be sent: URL too long") as raised:
        through.run([{"slug": "x" * 70_000, "v": 1}])
    assert len(str(raised.value)) < 1000


def test_prune_needs_a_list(through: Through) -> None:
    """The ledger cannot ask for what it knows by a hash."""
    through.manifest(find=BY_PATH, options="prune = true")
    with pytest.raises(ManifestError, match=r"prune needs http\.list"):
        through.run(THINGS)
