"""References by natural key: looked up in the types of the columns."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder.errors import ManifestError, RecordError
from tests.support.seed_folder import Seeds, counts, table

REFERS = (
    table()
    + """
[dataset.refs]
parent = { from = "of", table = "parents", match = "slug", take = "id" }
"""
)


def parents(seeds: Seeds, type_: str, slug: str, id_: str = "5::numeric") -> Seeds:
    """One parent, with a natural key of a type."""
    seeds.do(
        f"CREATE EXTENSION IF NOT EXISTS citext; CREATE TYPE mood AS ENUM ('sad');"
        f"CREATE TABLE parents AS SELECT {slug}::{type_} AS slug, {id_} AS id;"
        "CREATE TABLE creatures (slug text, parent numeric)"
    )
    return seeds


@pytest.mark.parametrize(
    ("type_", "slug", "of"),
    [
        ("int", "7", 7),
        ("int", "7", "7"),
        ("text", "7", 7),
        ("numeric", "0.1", 0.10),
        ("uuid", "'6f9619ff-8b86-d011-b42d-00cf4fc964ff'", "6F9619FF-8B86-D011-B42D-00CF4FC964FF"),
        ("citext", "'Forest'", "FOREST"),
        ("date", "'2024-02-29'", "20240229"),
        ("char(5)", "'abc'", "abc"),
        ("mood", "'sad'", "sad"),
    ],
)
def test_a_natural_key_is_read_as_its_columns_type(
    seeds: Seeds, type_: str, slug: str, of: Any
) -> None:
    """As the values of records are: by CSV, all of them are text."""
    parents(seeds, type_, slug).write(REFERS, creatures=[{"slug": "a", "of": of}])
    assert counts(seeds.run()) == {"created": 1}
    assert seeds.rows("SELECT parent FROM creatures") == [(5,)]
    assert counts(seeds.run(verify=True)) == {"unchanged": 1}


def test_what_the_type_does_not_take_is_not_there(seeds: Seeds) -> None:
    """Each by itself: the others are found."""
    parents(seeds, "int", "7")
    seeds.write(
        REFERS, creatures=[{"slug": str(n), "of": of} for n, of in enumerate(["x", 7, 1.5])]
    )
    with pytest.raises(RecordError) as raised:
        seeds.run()
    assert [fault.where for fault in raised.value.faults] == [
        "creatures.json#/0",
        "creatures.json#/2",
    ]


def test_an_id_keeps_its_digits(seeds: Seeds) -> None:
    """It does not pass through a float; and none is none."""
    number = "0.12345678901234567890123"
    parents(seeds, "text", "'a'", number)
    seeds.do("INSERT INTO parents VALUES ('none', NULL)")
    seeds.write(REFERS, creatures=[{"slug": "a", "of": "a"}, {"slug": "b", "of": "none"}])
    seeds.run()
    found = seeds.rows("SELECT parent::text FROM creatures ORDER BY slug")
    assert found == [(number,), (None,)]


def test_a_type_without_equality(seeds: Seeds) -> None:
    parents(seeds, "json", "'1'").write(REFERS, creatures=[{"slug": "a", "of": 1}])
    with pytest.raises(ManifestError, match="column slug of table parents has type json"):
        seeds.run()


@pytest.mark.parametrize("own", ["", "INSERT INTO creatures VALUES ('own')"])
def test_several_references_from_one_field(seeds: Seeds, own: str) -> None:
    """Each gets its value: into a table that is empty, and into one that is not."""
    parents(seeds, "text", "'a'").do("ALTER TABLE creatures ADD kind text;" + own)
    kind = 'kind = { from = "of", table = "parents", match = "slug", take = "slug" }'
    seeds.write(REFERS + kind, creatures=[{"slug": "x", "of": "a"}])
    assert counts(seeds.run()) == {"created": 1}
    assert seeds.rows("SELECT parent, kind FROM creatures WHERE slug = 'x'") == [(5, "a")]
    assert counts(seeds.run(verify=True)) == {"unchanged": 1}
