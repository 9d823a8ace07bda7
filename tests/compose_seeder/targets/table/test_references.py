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
    """It does not pass through a float."""
    number = "0.12345678901234567890123"
    parents(seeds, "text", "'a'", number)
    seeds.write(REFERS, creatures=[{"slug": "a", "of": "a"}]).run()
    assert seeds.rows("SELECT parent::text FROM creatures") == [(number,)]


def test_a_row_whose_id_is_null_is_no_answer(seeds: Seeds) -> None:
    """The record is named, and nothing is written; a null in the file stays a null."""
    parents(seeds, "text", "'none'", "NULL")
    seeds.write(REFERS, creatures=[{"slug": "a", "of": None}, {"slug": "b", "of": "none"}])
    with pytest.raises(RecordError, match="slug none, but id of that row is null") as raised:
        seeds.run()
    assert [fault.where for fault in raised.value.faults] == ["creatures.json#/1"]
    assert seeds.rows("SELECT FROM creatures") == []


@pytest.mark.parametrize("number", ["1.10", "1.1", "true", "1", "100", "1.0"])
@pytest.mark.parametrize("own", ["", "INSERT INTO creatures VALUES ('own')"])
def test_numbers_of_a_text_column_are_told_apart_by_their_text(
    seeds: Seeds, number: str, own: str
) -> None:
    """Numbers that Python calls equal lead to different rows, whichever of them comes first."""
    parents(seeds, "text", "''", "0").do(own or "SELECT 1")
    values = ["1.1", "1.10", "true", "1", "1.0", "100"]
    for n, value in enumerate(values, 1):
        seeds.do("INSERT INTO parents VALUES (%s, %s)", value, n)
    values.sort(key=lambda value: value != number)
    rows = ", ".join(f'{{"slug": "{value}", "of": {value}}}' for value in values)
    seeds.write(REFERS, creatures=f"[{rows}]").run()
    query = "SELECT c.slug, p.slug FROM creatures c JOIN parents p ON p.id = c.parent"
    assert dict(seeds.rows(query)) == {value: value for value in values}


@pytest.mark.parametrize(
    ("type_", "rows"), [("text", 4), ("numeric", 0), ("float8", 0), ("citext", 4)]
)
def test_keys_are_equal_where_their_column_says_so(seeds: Seeds, type_: str, rows: int) -> None:
    """As text, 1.1 and 1.10 are two keys; as numbers they are one, which is found before anything is written."""
    seeds.do(
        f"CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE creatures (slug {type_}, hp int)"
    )
    keys = ["1.1", "1.10", "1", "1.0"]
    records = ", ".join(f'{{"slug": {key}, "hp": {n}}}' for n, key in enumerate(keys))
    seeds.write(table(), creatures=f"[{records}]")
    if rows:
        assert counts(seeds.run()) == {"created": rows}
        assert seeds.rows("SELECT slug FROM creatures ORDER BY hp") == [(key,) for key in keys]
        assert counts(seeds.run(verify=True)) == {"unchanged": rows}
    else:
        with pytest.raises(RecordError, match="the same key"):
            seeds.run()
        assert seeds.rows("SELECT FROM creatures") == []


def test_children_go_to_the_parent_whose_number_is_written_alike(seeds: Seeds) -> None:
    """1.1, 1.10 and true, 1 are other parents; a text is one however its letters are escaped."""
    seeds.do("CREATE TABLE creatures (slug text, parts jsonb)")
    manifest = (
        table(records="/creatures")
        + '\n[dataset.nest]\nparts = { records = "/parts", match = { of = "slug" } }\n'
    )
    keys = ["1.1", "1.10", "true", "1", '"\u00e9"']
    creatures = ", ".join(f'{{"slug": {key}}}' for key in keys)
    children = ["1.10", "1", '"\\u00e9"']
    parts = ", ".join(f'{{"of": {key}, "n": {n}}}' for n, key in enumerate(children))
    seeds.write(manifest, creatures=f'{{"creatures": [{creatures}], "parts": [{parts}]}}').run()
    found = dict(seeds.rows("SELECT slug, parts FROM creatures"))
    alone: dict[str, object] = {key.strip('"'): [] for key in keys}
    assert found == alone | {"1.10": [{"n": 0}], "1": [{"n": 1}], "\u00e9": [{"n": 2}]}


def test_a_plan_finds_a_new_row_in_another_spelling(seeds: Seeds) -> None:
    """As the run does: 7 and "7" are one number."""
    seeds.do(
        "CREATE TABLE parents (id serial, slug int); CREATE TABLE creatures (slug text, parent int)"
    )
    seeds.write(
        table("parents") + "\n" + REFERS,
        parents=[{"slug": 7}],
        creatures=[{"slug": "a", "of": "7"}],
    )
    assert counts(seeds.plan()) == {"created": 1}
    assert counts(seeds.run()) == {"created": 1}


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


@pytest.mark.parametrize(
    ("type_", "slug", "of"),
    [
        ("uuid", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "6F9619FF-8B86-D011-B42D-00CF4FC964FF"),
        ("int", 7, "7.0"),
        ("numeric", 1.5, "1.50"),
        ("citext", "Forest", "FOREST"),
        ("date", "2024-02-29", "20240229"),
        ("text", "a", "a"),
    ],
)
def test_a_plan_finds_what_an_earlier_dataset_creates(
    seeds: Seeds, type_: str, slug: Any, of: Any
) -> None:
    """By the type of the column, as the run does; what no dataset creates is not found."""
    seeds.do(
        f"CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE parents (slug {type_} UNIQUE, id serial);"
        "CREATE TABLE creatures (slug text, parent numeric)"
    )
    creatures = [{"slug": "a", "of": of}]
    seeds.write(table("parents") + "\n" + REFERS, parents=[{"slug": slug}], creatures=creatures)
    assert counts(seeds.plan()) == {"created": 1}
    assert counts(seeds.run()) == {"created": 1}
    seeds.do("TRUNCATE parents, creatures; DROP SCHEMA compose_init CASCADE")
    seeds.source("creatures", [{"slug": "a", "of": "6f9619ff-8b86-d011-b42d-00cf4fc96400"}])
    with pytest.raises(RecordError, match="no row has it"):
        seeds.plan()
