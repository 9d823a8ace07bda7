"""What a message proposes works."""

from __future__ import annotations

import re
from typing import Any

import pytest

from compose_seeder import check
from compose_seeder.errors import RecordError
from compose_seeder.sources import Sources
from tests.support.seed_folder import Seeds, counts, table

RECORD = {"slug": "a", "n": 1}
DJANGO = [
    {"model": "app.beast", "pk": 1, "fields": {"slug": "a", "n": 1}},
    {"model": "app.city", "pk": 1, "fields": {"slug": "b", "size": 1}},
]


def message(seeds: Seeds, content: Any, options: str = "", key: str = "slug") -> str:
    """Return what a run says, which `check` says as well."""
    seeds.write(f"{table(key=key)}\n{options}", creatures=content)
    said = []
    for act in (lambda: check(seeds.manifest, Sources()), seeds.run):
        with pytest.raises(RecordError) as raised:
            act()
        said.append(str(raised.value))
    assert said[0] == said[1]
    return said[0]


@pytest.fixture
def creatures(seeds: Seeds) -> Seeds:
    seeds.do("CREATE TABLE creatures (id int, slug text, n int)")
    return seeds


@pytest.mark.parametrize(
    ("content", "proposed"),
    [
        ({"fr": {"slug": "x"}, "items": [RECORD]}, 'records = "/items"'),
        ({"data": [1], "items": [RECORD]}, 'records = "/items"'),
        ({"data": {"items": [RECORD]}, "n": 1}, 'records = "/data/items"'),
        ({"type": "FeatureCollection", "features": [RECORD]}, 'records = "/features"'),
        ({"a/b": [RECORD]}, 'records = "/a~1b"'),
        ({"goblin": {"n": 1}, "ogre": {"n": 2}}, 'key_as = "slug"'),
        (RECORD, "single = true"),
        (["a", "b"], None),
        ([["a", 1], ["b", 2]], None),
    ],
)
def test_what_is_proposed_works(creatures: Seeds, content: Any, proposed: str | None) -> None:
    said = message(creatures, content)
    if proposed is None:
        found = re.search(r'as in (value_as = "name"|columns = \["code", "name"\])', said)
        assert found
        proposed = found[1].replace('["code", "name"]', '["slug", "n"]').replace('"name"', '"slug"')
    else:
        assert proposed in said
    creatures.write(f"{table()}\n{proposed}")
    assert counts(creatures.run())["created"] >= 1


def test_nothing_is_proposed_that_fails(creatures: Seeds) -> None:
    """A pointer is not answered with another one that leads nowhere."""
    said = message(creatures, {"fr": {"yes": "Oui"}, "en": {"yes": "Yes"}})
    assert 'records = "' not in said
    assert 'records = "' not in message(creatures, {"fr": ["Oui"], "n": 1})
    said = message(creatures, {"fr": {"yes": "Oui"}}, 'records = "/fr"')
    assert "creatures.json#/fr: there is no array of records; the document has /fr, and no" in said
    assert 'records = "' not in said
    assert "has /a0, /a1, /a2, /a3, /a4, /a5, /a6, /a7, …" in message(
        creatures, {f"a{n}": n for n in range(99)}
    )


def test_a_pointer_that_is_nearly_right(creatures: Seeds) -> None:
    content = {"data": {"beasts": [RECORD], "towns": [RECORD]}}
    assert 'records = "/data/towns"' in message(creatures, content, 'records = "/data/town"')


@pytest.mark.parametrize("key", ["slug", "id"])
def test_a_fixture_of_django(creatures: Seeds, key: str) -> None:
    """`where` and `map` are proposed, as they have to be."""
    said = message(creatures, DJANGO, key=key)
    found = re.search(r"write (where = \{.*?\}) and (map = \{.*?\})", said)
    assert found
    creatures.write(f"{table(key=key)}\n{found[1]}\n{found[2]}")
    assert counts(creatures.run()) == {"created": 1}
    assert creatures.rows("SELECT id, slug, n FROM creatures") == [(1, "a", 1)]


def test_a_fixture_of_django_by_its_number(seeds: Seeds) -> None:
    """Where the key is there, so that the columns are what does not fit."""
    seeds.do("CREATE TABLE creatures (pk int, slug text, n int)")
    seeds.write(table(key="pk"), creatures=DJANGO[:1])
    with pytest.raises(RecordError) as raised:
        seeds.run()
    assert 'where = { model = "app.beast" } and map = {' in str(raised.value)


def test_columns_that_are_deeper_in_a_record(creatures: Seeds) -> None:
    """`map` is proposed, and not to ignore the field that has them."""
    content = [{"id": 1, "attributes": {"slug": "a", "n": 1}}]
    said = message(creatures, content)
    assert 'it is at /attributes/slug; write map = { slug = "/attributes/slug", … }' in said
    creatures.write(table(key="id"), creatures=content)
    with pytest.raises(RecordError) as raised:
        creatures.run()
    found = re.search(r"write (map = \{.*?\})", str(raised.value))
    assert found
    creatures.write(f"{table(key='id')}\n{found[1]}")
    assert counts(creatures.run()) == {"created": 1}
    assert creatures.rows("SELECT id, slug, n FROM creatures") == [(1, "a", 1)]
