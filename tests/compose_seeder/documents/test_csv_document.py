"""CSV with a header as records."""

from __future__ import annotations

import gzip

import pytest

from compose_seeder.errors import RecordError, RefusedError
from tests.support.seed_folder import Seeds, counts, table


@pytest.fixture
def creatures(seeds: Seeds) -> Seeds:
    """Create a table with several types, and a manifest that reads CSV."""
    seeds.do("CREATE TABLE creatures (slug text, hp int, born date, data jsonb, tags text[])")
    return seeds.write(table().replace(".json", ".csv"))


def write(seeds: Seeds, text: str) -> None:
    """Write the file."""
    (seeds.folder / "creatures.csv").write_bytes(text.encode())


def test_rows_become_records(creatures: Seeds) -> None:
    """Quotes, line breaks inside of values, CRLF, a byte order mark; empty is null; types are the table's."""
    write(
        creatures,
        "\ufeffslug,hp,born,data\r\n"
        'goblin,7,2026-01-31,"{""a"": [1]}"\r\n'
        "\r\n"
        '"two\nlines, ""quoted""",,,\r\n',
    )
    assert counts(creatures.run()) == {"created": 2}
    assert creatures.rows("SELECT slug, hp, born::text, data FROM creatures ORDER BY slug") == [
        ("goblin", 7, "2026-01-31", {"a": [1]}),
        ('two\nlines, "quoted"', None, None, None),
    ]
    assert counts(creatures.run(verify=True)) == {"unchanged": 2}
    write(creatures, "slug,hp\ngoblin,8\n")
    assert counts(creatures.run()) == {"updated": 1, "released": 1}


def test_json_is_read_as_json(creatures: Seeds) -> None:
    """As COPY does: structures, numbers to every digit, and null; what is none is named by line."""
    text = 'slug,data\na,"[1, {""b"": null}]"\nb,12345678901234567890.5\nc,null\nd,"""x"""\n'
    write(creatures, text)
    assert counts(creatures.plan()) == {"created": 4}
    assert counts(creatures.run()) == {"created": 4}
    found = creatures.rows("SELECT data::text FROM creatures ORDER BY slug")
    assert [row[0] for row in found] == ['[1, {"b": null}]', "12345678901234567890.5", None, '"x"']
    assert counts(creatures.run(verify=True)) == {"unchanged": 4}
    write(creatures, text.replace("[1,", "[2,"))
    assert counts(creatures.run()) == {"updated": 1, "unchanged": 3}
    write(creatures, text + "e,so\nf,{\n")
    with pytest.raises(RecordError) as raised:
        creatures.run()
    assert [(fault.where, fault.field) for fault in raised.value.faults] == [
        ("creatures.csv:6", "data"),
        ("creatures.csv:7", "data"),
    ]
    assert "expected jsonb, found so: is not valid JSON" in str(raised.value)
    write(creatures, 'slug,data\nlarge,"[1e999]"\n')
    assert counts(creatures.run())["created"] == 1
    write(creatures, 'slug,data\ne,"{""x"": {""y"": 1, ""y"" : 2}}"\n')
    with pytest.raises(RecordError, match=r"creatures.csv:2 .*field data/x/y: occurs twice"):
        creatures.run()


def test_compressed(creatures: Seeds) -> None:
    """By its first bytes, as JSON."""
    creatures.write(table().replace(".json", ".csv.gz"))
    text = b"slug,tags\ngoblin,{a,b}\n".replace(b"{a,b}", b'"{a,b}"')
    (creatures.folder / "creatures.csv.gz").write_bytes(gzip.compress(text))
    assert counts(creatures.run()) == {"created": 1}
    assert creatures.rows("SELECT tags FROM creatures") == [(["a", "b"],)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "creatures.csv:1: is empty"),
        ("slug,hp,slug\na,1,b\n", "creatures.csv:1, field slug: occurs twice in the header"),
        ("slug;hp|x\na;1\n", "creatures.csv:1: the separator may be a semicolon or a vertical bar"),
        ("slug;hp\na;1,5\n", "name it in csv.decimal_comma"),
        ("slug,hp\na,7.5\n", "expected integer, found"),
        ("slug,\na,1\n", "creatures.csv:1: column 2 has no name"),
        ("slug,hp\na,1\nb\nc,1,2\n", "creatures.csv:3: has 1 values, but the header has 2 names"),
        ("slug,hp\na,1\nb\nc,1,2\n", "creatures.csv:4: has 3 values"),
        ('slug,hp\n"a,1\n', "creatures.csv:2: is not valid CSV: unexpected end of data"),
        ("slug,hp\na,x\n", "(slug a), field hp: expected integer, found"),
        ('slug,tags\na,"[1,2]"\n', 'expected text[], found "[1,2]": an array is written {1,2}'),
        ('slug,tags\na,"{1,2"\n', 'expected text[], found "{1,2": malformed array literal'),
        ("slug,hit\na,1\n", "field hit: table creatures has no such column"),
        (
            "slug,hp\n,1\n",
            "field slug: must be text or a number, it is part of the key; found null",
        ),
        ("slug,hp\na,1\na,2\n", "creatures.csv:3 (slug a): the key occurs twice"),
    ],
)
def test_what_is_wrong_is_said(creatures: Seeds, text: str, said: str) -> None:
    """With file and line; nothing is written."""
    write(creatures, text)
    with pytest.raises(RecordError) as raised:
        creatures.run()
    assert said in str(raised.value)
    assert creatures.rows("SELECT 1 FROM creatures") == []


def test_files_of_spreadsheets_and_data_frames(creatures: Seeds) -> None:
    """A first line that names the comma, and whole numbers with a point, in arrays and references as well."""
    creatures.do("ALTER TABLE creatures ADD levels bigint[]")
    write(creatures, 'sep=,\r\nslug,hp,levels\r\na,7.0,"{1.0,2}"\r\nb,-1.50e2,\r\n')
    assert counts(creatures.run()) == {"created": 2}
    assert creatures.rows("SELECT hp, levels FROM creatures ORDER BY slug") == [
        (7, [1, 2]),
        (-150, None),
    ]
    assert counts(creatures.run(verify=True)) == {"unchanged": 2}
    write(creatures, 'slug,hp,levels\na,7,"{1,2}"\nb,-150,\n')
    assert counts(creatures.run(verify=True)) == {"unchanged": 2}


@pytest.mark.parametrize(
    ("column", "header", "said"),
    [
        ("note text NOT NULL DEFAULT 'x'", 'slug,note\na,""\n', "drop_null leaves it to the"),
        ("note text NOT NULL", "slug\na\n", "a JSON file can hold an empty text"),
    ],
)
def test_an_empty_value_is_null(creatures: Seeds, column: str, header: str, said: str) -> None:
    """Where that is wrong, the way out is named."""
    creatures.do(f"ALTER TABLE creatures ADD {column}")
    write(creatures, header)
    with pytest.raises(RefusedError, match=said):
        creatures.run()
