"""The dialects of CSV: recognised where that is certain, else declared."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder.errors import ManifestError, RecordError
from tests.support.seed_folder import Seeds, counts, table


@pytest.fixture
def creatures(seeds: Seeds) -> Seeds:
    """Create a table with several types, and a manifest that reads CSV."""
    seeds.do("CREATE TABLE creatures (slug text, hp int, tags text[], price numeric, note text)")
    return seeds.write(table().replace(".json", ".csv"))


def write(seeds: Seeds, text: str) -> None:
    """Write the file."""
    (seeds.folder / "creatures.csv").write_bytes(text.encode())


def declared(seeds: Seeds, options: str, text: str) -> None:
    """Write a file, and a manifest that says how it is written."""
    seeds.write(table().replace(".json", ".csv") + f"\ncsv = {{ {options} }}\n")
    write(seeds, text)


@pytest.mark.parametrize(
    "text",
    [
        "slug;hp;tags\na;1;{x}\n",
        "slug\thp\ttags\na\t1\t{x}\n",
        "slug|hp|tags\na|1|{x}\n",
        "sep=;\r\nslug;hp;tags\r\na;1;{x}\r\n",
        '"slug";"hp";"tags"\n"a";"1";"{x}"\n',
    ],
)
def test_a_separator_is_recognised(creatures: Seeds, text: str) -> None:
    """Where the header has one sign that can be it."""
    write(creatures, text)
    assert counts(creatures.run()) == {"created": 1}
    assert creatures.rows("SELECT slug, hp, tags FROM creatures") == [("a", 1, ["x"])]


def test_what_is_in_quotes_is_no_separator(creatures: Seeds) -> None:
    write(creatures, '"slug";"a,b";hp\na;;1\n')
    with pytest.raises(RecordError, match="field a,b: table creatures has no such column"):
        creatures.run()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "cp1252", "cp437"])
def test_encodings(creatures: Seeds, encoding: str) -> None:
    """A byte order mark says which; without one, the manifest says it."""
    declares = {} if encoding in {"utf-16", "utf-8-sig"} else {"encoding": encoding}
    creatures.write(table(**declares).replace(".json", ".csv"))
    text = "slug,hp\nélan,1\n" + "".join(f"ü{n},2\n" for n in range(9))
    (creatures.folder / "creatures.csv").write_bytes(text.encode(encoding))
    assert counts(creatures.run()) == {"created": 10}
    assert creatures.rows("SELECT slug FROM creatures WHERE hp = 1") == [("élan",)]


def test_json_in_another_encoding(seeds: Seeds) -> None:
    """As for CSV: UTF-16 has its mark, others are declared."""
    seeds.do("CREATE TABLE creatures (slug text)")
    for encoding, options in ("utf-16", {}), ("latin-1", {"encoding": "latin-1"}):
        seeds.write(table(**options))
        (seeds.folder / "creatures.json").write_bytes('[{"slug": "é"}]'.encode(encoding))
        seeds.run()
        assert seeds.rows("SELECT slug FROM creatures") == [("é",)]


def test_an_encoding_that_is_not_the_files(creatures: Seeds) -> None:
    """Is named with the line."""
    (creatures.folder / "creatures.csv").write_bytes(b"slug\na\n\xe9\n")
    with pytest.raises(RecordError, match=r'creatures.csv:3: is not UTF-8: .* encoding = "cp1252"'):
        creatures.run()
    creatures.write(table(encoding="cp1252").replace(".json", ".csv"))
    (creatures.folder / "creatures.csv").write_bytes(b"slug\na\n\x81\n")
    with pytest.raises(RecordError, match=r"creatures.csv:3: is not cp1252"):
        creatures.run()
    creatures.write(table(encoding="utf-17").replace(".json", ".csv"))
    with pytest.raises(ManifestError, match="encoding utf-17 is not known"):
        creatures.run()


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ('separator = ":"', "slug:hp\na:1\n", [("a", 1, None)]),
        ('separator = ";"', 'slug;hp;note\na;1;"b,c"\n', [("a", 1, "b,c")]),
        ('quote = "\'"', "slug,note\na,'x, ''y'''\n", [("a", None, "x, 'y'")]),
        ("escape = '\\'", 'slug,note\na,"x \\"y\\""\n', [("a", None, 'x "y"')]),
        ('null = "NULL"', 'slug,hp,note\na,NULL,""\nb,1,\n', [("a", None, ""), ("b", 1, "")]),
        ('null = ["", "n/a"]', "slug,hp,note\na,n/a,\n", [("a", None, None)]),
        ("null = []", "slug,note\na,\n", [("a", None, "")]),
        (
            "quoted_empty = true",
            'slug,hp,note\r\na,,""\r\n"b","2",\r\nc,3,"x ""y"",\nz"\r\n\r\nd,4,""""\r\n',
            [("a", None, ""), ("b", 2, None), ("c", 3, 'x "y",\nz'), ("d", 4, '"')],
        ),
    ],
)
def test_a_dialect_is_declared(
    creatures: Seeds, options: str, text: str, expected: list[tuple[Any, ...]]
) -> None:
    declared(creatures, options, text)
    creatures.run()
    assert creatures.rows("SELECT slug, hp, note FROM creatures ORDER BY slug") == expected
    assert counts(creatures.run(verify=True)) == {"unchanged": len(expected)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('slug,note\na,"x\n', "creatures.csv:2: is not valid CSV: unexpected end of data"),
        ('slug,note\na,x"y\n', "creatures.csv:2: is not valid CSV: unexpected end of data"),
        ('slug,note\na,x"y"\n', "creatures.csv:2: is not valid CSV: a quote stands in the middle"),
        ("slug,note\na\n", "creatures.csv:2: has 1 values, but the header has 2 names"),
    ],
)
def test_quoted_empty_texts_of_a_wrong_file(creatures: Seeds, text: str, said: str) -> None:
    declared(creatures, "quoted_empty = true", text)
    with pytest.raises(RecordError) as raised:
        creatures.run()
    assert said in str(raised.value)


def test_a_comma_before_decimals(creatures: Seeds) -> None:
    """In the columns that the manifest names; what would mean two things is refused."""
    text = "slug;price;note\na;1,5;1,5\nb;-1.234,50;x\nc;1 234;\nd;12;\ne;;\nf;1,5e3;\n"
    declared(creatures, 'decimal_comma = ["price"]', text)
    creatures.run()
    assert creatures.rows("SELECT slug, price::text, note FROM creatures ORDER BY slug") == [
        ("a", "1.5", "1,5"),
        ("b", "-1234.50", "x"),
        ("c", "1234", None),
        ("d", "12", None),
        ("e", None, None),
        ("f", "1500", None),
    ]
    for value in ("1.5", "1.23,4", "1,2,3"):
        write(creatures, f"slug;price\na;{value}\n")
        with pytest.raises(
            RecordError, match=r"creatures.csv:2, field price: found 1.*csv.decimal"
        ):
            creatures.run()
    declared(creatures, 'decimal_comma = ["prise"]', text)
    with pytest.raises(
        RecordError, match=r"csv.decimal_comma names prise, but the file has no such"
    ):
        creatures.run()


def test_a_file_without_a_header(creatures: Seeds) -> None:
    creatures.write(table().replace(".json", ".csv") + '\ncolumns = ["slug", "hp"]')
    write(creatures, "a,1\nb,2\n")
    assert counts(creatures.run()) == {"created": 2}
    write(creatures, "a,1\nb\n")
    with pytest.raises(
        RecordError, match=r"creatures.csv:2: has 1 values, but columns has 2 names"
    ):
        creatures.run()


@pytest.mark.parametrize(
    ("options", "name"), [({}, "creatures.tsv"), ({"format": "tsv"}, "creatures.txt")]
)
def test_tab_separated_values(creatures: Seeds, options: dict[str, str], name: str) -> None:
    """By the ending, whatever the header has; and by `format`."""
    creatures.write(table(**options).replace("creatures.json", name))
    (creatures.folder / name).write_text('slug\thp\n"a,b"\t1\n')
    creatures.run()
    assert creatures.rows("SELECT slug, hp FROM creatures") == [("a,b", 1)]


def test_a_shape_of_rows(creatures: Seeds) -> None:
    """`map`, `where` and `constants` read rows as records; a number in `where` is the text in the file."""
    options = 'where = { kind = 1 }\nmap = { slug = "/The Name", hp = "/Hit points" }'
    creatures.write(table().replace(".json", ".csv") + f"\n{options}")
    write(creatures, "The Name,Hit points,kind\na,1,1\nb,2,2\n")
    assert counts(creatures.run()) == {"created": 1}
    write(creatures, "The Name,Hit Points,kind\na,1,1\n")
    with pytest.raises(RecordError, match=r"map.hp reads /Hit points, which no .*mean Hit Points"):
        creatures.run()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('separator = ",,"', "csv.separator: "),
        ("separator = '\"'", "csv: separator, quote and escape must be different characters"),
        ('quoted_empty = true, null = "x"', "csv.quoted_empty needs the empty text as null"),
        ("seperator = ','", "unknown key csv.seperator (did you mean separator?)"),
    ],
)
def test_a_dialect_that_is_wrong(creatures: Seeds, options: str, said: str) -> None:
    declared(creatures, options, "slug\n")
    with pytest.raises(ManifestError) as raised:
        creatures.run()
    assert said in str(raised.value)


def test_a_dialect_of_a_file_that_has_none(seeds: Seeds) -> None:
    seeds.write(table() + "\ncsv = { separator = ';' }", creatures=[])
    with pytest.raises(ManifestError, match="csv is for CSV and TSV, and source is neither"):
        seeds.run()
