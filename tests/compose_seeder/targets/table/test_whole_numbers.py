"""Whole numbers with a point are integers, in JSON as in the column."""

from __future__ import annotations

import pytest

from compose_seeder.errors import RecordError
from compose_seeder.targets.table.whole_numbers import as_integers
from tests.support.seed_folder import Seeds, counts, table


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"7.0", b"7"),
        (b"-70.00e-1", b"-7"),
        (b"7.50", b"7.50"),
        (b'"7.0"', b'"7"'),
        (b'"v7.0"', b'"v7.0"'),
        (b"[7.0, [8.0, null], 1.5]", b"[7, [8, null], 1.5]"),
        (b'"{7.0,8}"', b'"{7,8}"'),
        (b"1.0e400", b"1.0e400"),
        (b"9007199254740993.0", b"9007199254740993"),
    ],
)
def test_numbers_without_a_fraction(text: bytes, expected: bytes) -> None:
    """Every digit is kept, and what is no whole number stays as it is."""
    assert as_integers(text) == expected


def test_records(seeds: Seeds) -> None:
    """In a key, a value and a domain; a fraction is wrong, and other types keep their digits."""
    seeds.do(
        "CREATE DOMAIN points AS int; CREATE TABLE things (n int, hp points, price numeric, data jsonb)"
    )
    seeds.write(table("things").replace('"slug"', '"n"'))
    (seeds.folder / "things.json").write_text(
        '[{"n": 1.0, "hp": 7.0, "price": 7.0, "data": 7.0}, {"n": 2, "hp": null}]'
    )
    assert counts(seeds.run()) == {"created": 2}
    assert seeds.rows("SELECT n, hp, price::text, data::text FROM things ORDER BY n") == [
        (1, 7, "7.0", "7.0"),
        (2, None, None, None),
    ]
    (seeds.folder / "things.json").write_text('[{"n": 1, "hp": 7.5}, {"n": 2}]')
    with pytest.raises(RecordError, match=r"field hp: expected points, found 7\.5"):
        seeds.run()


def test_references(seeds: Seeds) -> None:
    """A natural key of an integer column is found by its value."""
    seeds.do("CREATE TABLE owners (id text, n int); INSERT INTO owners VALUES ('ann', 7)")
    seeds.do("CREATE TABLE things (slug text, owner text)")
    ref = '[dataset.refs]\nowner = { from = "number", table = "owners", match = "n", take = "id" }'
    seeds.write(table("things") + "\n" + ref)
    (seeds.folder / "things.json").write_text('[{"slug": "a", "number": 7.0}]')
    assert counts(seeds.run()) == {"created": 1}
    assert seeds.rows("SELECT owner FROM things") == [("ann",)]
