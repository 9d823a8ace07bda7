"""Elements of a document become records by a shape, and records become elements again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from compose_seeder.documents.batch import fields_of
from compose_seeder.documents.field_writing import NotInvertibleError
from compose_seeder.documents.json_document import JsonDocument
from compose_seeder.documents.shape import Shape, shape_of
from compose_seeder.documents.shaped_documents import ShapedDocuments
from compose_seeder.errors import ManifestError, RecordError
from compose_seeder.manifest.models import Dataset
from compose_seeder.manifest.parse import parse

Record = dict[str, Any]


def dataset(options: str, key: str = "slug") -> Dataset:
    """Return the dataset of a manifest with some keys."""
    text = f'[[dataset]]\nname = "d"\nsource = "d.json"\ntable = "d"\nkey = ["{key}"]\n{options}'
    return parse(text, "seeds.toml").datasets[0]


def shape(options: str, key: str = "slug") -> Shape:
    """Return the shape that some keys describe."""
    found = shape_of(dataset(options, key))
    assert found
    return found


def read(options: str, *files: Any, names: tuple[str, ...] = ("d.json",)) -> dict[str, Record]:
    """Return the records of documents by their places."""
    one = dataset(options)
    found = shape_of(one)
    assert found
    texts = [each if isinstance(each, str) else json.dumps(each) for each in files]
    parts = [
        (name, JsonDocument(name, lambda text=text: iter([text.encode()])))  # type: ignore[misc]
        for name, text in zip(names, texts, strict=True)
    ]
    documents = ShapedDocuments(one, found, parts)
    records = documents.array(one.records)
    batches = [
        (batch.where(n), json.loads(bytes(text)))
        for batch in documents.batches(one.records)
        for n, text in enumerate(batch.texts)
    ]
    as_read = {r.where: {k: json.loads(bytes(v)) for k, v in r.fields.items()} for r in records}
    assert as_read == dict(batches)
    return as_read


def problems(options: str, *files: Any) -> list[tuple[str, str, str]]:
    """Return what is wrong with a document."""
    with pytest.raises(RecordError) as raised:
        read(options, *files)
    return [(fault.where, fault.field, fault.problem) for fault in raised.value.faults]


def test_a_map_picks_renames_and_lifts() -> None:
    """Pointers lead through objects and arrays; `*` lifts all members that nothing else is read from."""
    options = """map = { slug = "/id", name = "/name/common", lon = "/at/0", "*" = "/more/*", "t_*" = "/t/*" }"""
    found = read(
        options,
        [
            {
                "id": "a",
                "name": {"common": "A", "x": 1},
                "at": [1.50, 2],
                "more": {"hp": 7, "ac": None},
            },
            {"id": "b", "name": {}, "at": None, "t": {"en": "B"}, "left": 1},
            {"id": "c", "name": None},
        ],
    )
    assert found == {
        "d.json#/0": {"slug": "a", "name": "A", "lon": 1.5, "hp": 7, "ac": None},
        "d.json#/1": {"slug": "b", "lon": None, "t_en": "B"},
        "d.json#/2": {"slug": "c", "name": None},
    }


def test_values_keep_every_digit() -> None:
    one = dataset('map = { slug = "/s", n = "/deep/n" }')
    found = shape_of(one)
    assert found
    text = b'[{"s": "a", "deep": {"n": 1.10000000000000000000001}}]'
    document = ShapedDocuments(
        one, found, [("d.json", JsonDocument("d.json", lambda: iter([text])))]
    )
    (record,) = document.array("")
    assert bytes(record.fields["n"]) == b"1.10000000000000000000001"


@pytest.mark.parametrize(
    ("options", "source", "has"),
    [
        ("", "d.json", False),
        ('records = "/a"', "d.json", False),
        ('columns = ["slug"]', "d.json", True),
        ('columns = ["slug"]', "d.csv", False),
        ("csv = { separator = ';' }", "d.csv", False),
        ('encoding = "cp1252"', "d.json", False),
        ('ignore = ["a*"]', "d.json", False),
        ('records = "/*"', "d.json", True),
        ("single = true", "d.json", True),
    ],
)
def test_what_has_no_shape_is_read_as_it_is(options: str, source: str, *, has: bool) -> None:
    """Without a step between the document and its readers."""
    text = f'[[dataset]]\nname = "d"\nsource = "{source}"\ntable = "d"\nkey = ["slug"]\n{options}'
    one = parse(text, "seeds.toml").datasets[0]
    assert (shape_of(one) is not None) == has


def test_a_field_is_renamed_and_the_others_stay() -> None:
    options = """map = { slug = "/code", "*" = "/*" }"""
    assert read(options, [{"code": "a", "n": 1}]) == {"d.json#/0": {"slug": "a", "n": 1}}


@pytest.mark.parametrize(
    ("options", "document", "expected"),
    [
        ("single = true", {"slug": "a"}, {"d.json": {"slug": "a"}}),
        ('single = true\nrecords = "/x"', {"x": {"slug": "a"}}, {"d.json#/x": {"slug": "a"}}),
        (
            'key_as = "slug"',
            {"a/b": {"n": 1}, "c": {}},
            {"d.json#/a~1b": {"n": 1, "slug": "a/b"}, "d.json#/c": {"slug": "c"}},
        ),
        ('key_as = "slug"', {"a": {"slug": "a"}}, {"d.json#/a": {"slug": "a"}}),
        (
            'key_as = "slug"\nvalue_as = "text"',
            {"a": "A"},
            {"d.json#/a": {"slug": "a", "text": "A"}},
        ),
        ('value_as = "slug"', ["a", "b"], {"d.json#/0": {"slug": "a"}, "d.json#/1": {"slug": "b"}}),
        (
            'columns = ["slug", "n"]',
            [["a", 1], ["b", None]],
            {"d.json#/0": {"slug": "a", "n": 1}, "d.json#/1": {"slug": "b", "n": None}},
        ),
        (
            'where = { kind = "x" }',
            [{"slug": "a", "kind": "x"}, {"slug": "b"}],
            {"d.json#/0": {"slug": "a", "kind": "x"}},
        ),
        (
            'where = { kind = ["x", "y"], on = true }',
            [{"slug": "a", "kind": "x", "on": True}, {"slug": "b", "kind": "y", "on": 1}],
            {"d.json#/0": {"slug": "a", "kind": "x", "on": True}},
        ),
        (
            'where = { "/in/kind" = 1 }',
            [{"slug": "a", "in": {"kind": 1}}, {"slug": "b", "in": 1}],
            {"d.json#/0": {"slug": "a", "in": {"kind": 1}}},
        ),
        (
            'constants = { source = "srd", n = 1 }',
            [{"slug": "a"}],
            {"d.json#/0": {"slug": "a", "source": "srd", "n": 1}},
        ),
        (
            'records = "/brands/*/items"\nouter = { brand = "/brands/*/name", at = "/brands/#", version = "/version" }',
            {
                "version": 3,
                "brands": [
                    {"name": "A", "items": [{"slug": "a"}]},
                    {"name": "B"},
                    {"items": [{"slug": "b"}]},
                ],
            },
            {
                "d.json#/brands/0/items/0": {"slug": "a", "brand": "A", "at": "0", "version": 3},
                "d.json#/brands/2/items/0": {"slug": "b", "at": "2", "version": 3},
            },
        ),
        (
            'records = "/*"\nkey_as = "slug"\nvalue_as = "text"\nouter = { lang = "/#" }',
            {"fr": {"hi": "Bonjour"}, "en": {"hi": "Hello"}},
            {
                "d.json#/fr/hi": {"slug": "hi", "text": "Bonjour", "lang": "fr"},
                "d.json#/en/hi": {"slug": "hi", "text": "Hello", "lang": "en"},
            },
        ),
        (
            'records = "/*/**"\nkey_as = "slug"\nvalue_as = "text"\nouter = { lang = "/#" }',
            {"fr": {"a": {"b": {"c": "1"}, "d": [2]}, "e": None}, "en": {}},
            {
                "d.json#/fr/a/b/c": {"slug": "a.b.c", "text": "1", "lang": "fr"},
                "d.json#/fr/a/d": {"slug": "a.d", "text": [2], "lang": "fr"},
                "d.json#/fr/e": {"slug": "e", "text": None, "lang": "fr"},
            },
        ),
        (
            'records = "/*/*"\nsingle = true\nouter = { a = "/#", b = "/*/#" }',
            {"x": {"y": {"slug": "s"}}},
            {"d.json#/x/y": {"slug": "s", "a": "x", "b": "y"}},
        ),
    ],
)
def test_documents(options: str, document: Any, expected: dict[str, Record]) -> None:
    """Where the records of a document are, and what is added to them; each place is that of the file."""
    assert read(options, document) == expected


def test_files_give_values() -> None:
    """The parts of a file's path, relative to the manifest."""
    options = (
        "single = true\n"
        'constants = { slug = "{file.stem}", lang = "{file.folder}", top = "{file.folder[0]}", at = "{file.path}",'
        ' file = "{file.name}: {x}" }'
    )
    names = ("poems/fr/le.lac.json.gz", "poems/en/tyger.json")
    assert read(options, {}, {}, names=names) == {
        "poems/fr/le.lac.json.gz": {
            "slug": "le.lac",
            "lang": "fr",
            "top": "poems",
            "at": "poems/fr/le.lac.json.gz",
            "file": "le.lac.json.gz: {x}",
        },
        "poems/en/tyger.json": {
            "slug": "tyger",
            "lang": "en",
            "top": "poems",
            "at": "poems/en/tyger.json",
            "file": "tyger.json: {x}",
        },
    }


@pytest.mark.parametrize(
    ("options", "document", "where", "field", "said"),
    [
        (
            'map = { slug = "/id", hp = "/hp" }',
            [{"id": "a", "hpp": 1}],
            "d.json",
            "",
            "map.hp reads /hp, which no record has (did you mean hpp?)",
        ),
        (
            'map = { slug = "/id", "*" = "/fields/*" }',
            [{"id": "a"}],
            "d.json",
            "",
            "map.* reads /fields/*, which no record has",
        ),
        (
            'map = { slug = "/id", n = "/name/x" }',
            [{"id": "a", "name": "A"}],
            "d.json#/0",
            "n",
            "map.n reads /name/x, but /name is text",
        ),
        (
            'map = { slug = "/id", "*" = "/f/*" }',
            [{"id": "a", "f": [1]}],
            "d.json#/0",
            "*",
            "map.* reads /f/*, but /f is an array",
        ),
        (
            'map = { slug = "/id", "*" = "/f/*" }',
            [{"id": "a", "f": {"slug": 1}}],
            "d.json#/0",
            "slug",
            "map lifts /f/slug to slug, which is also the field of /id",
        ),
        (
            'map = { slug = "/id", "*" = "/f/*", "n_*" = "/n/*" }',
            [{"id": "a", "f": {"n_x": 1}, "n": {}}],
            "d.json#/0",
            "n_x",
            "which is also the field of /n/*",
        ),
        (
            "constants = { n = 1 }",
            [{"slug": "a", "n": 2}],
            "d.json#/0",
            "n",
            "constants.n gives the record this field, but the record has it too",
        ),
        (
            'key_as = "slug"',
            {"a": {"slug": "b"}},
            "d.json#/a",
            "slug",
            "key_as gives the record this field",
        ),
        ('key_as = "slug"', '{"a": {}, "a": {}}', "d.json", "", "has a twice"),
        (
            'map = { slug = "/id" }',
            '[{"id": "a", "id": "b"}]',
            "d.json#/0",
            "id",
            "occurs twice in one record",
        ),
        (
            'map = { slug = "/x/id" }',
            '[{"x": {"id": "a", "id": "b"}}]',
            "d.json#/0",
            "x/id",
            "occurs twice in one record",
        ),
        (
            'where = { model = "x" }',
            [{"slug": "a", "model": "y"}],
            "d.json",
            "",
            'none has model = "x"; there is "y"',
        ),
        (
            'where = { model = "x" }',
            [{"slug": "a"}],
            "d.json",
            "",
            "where names model, but no record has that field",
        ),
        ('value_as = "slug"', {"a": 1}, "d.json", "", "is an object, and no array of records"),
        (
            'key_as = "slug"',
            [1],
            "d.json",
            "",
            "is an array, and no object whose members are the records",
        ),
        (
            'key_as = "slug"',
            {"a": "A"},
            "d.json#/a",
            "",
            'is text, but must be an object; name the field that gets it, as in value_as = "name"',
        ),
        (
            "constants = { n = 1 }",
            [["a"]],
            "d.json#/0",
            "",
            "is an array, but must be an object; name its values in the manifest, as in columns =",
        ),
        (
            'columns = ["slug"]',
            [["a", 1]],
            "d.json#/0",
            "",
            "has 2 values, but columns has 1 names",
        ),
        ('columns = ["slug"]', [{}], "d.json#/0", "", "is an object, but columns expects an array"),
        ('records = "/x/*"', {"x": {}, "y": 1}, "", "", ""),
        (
            'records = "/**"\nkey_as = "slug"\nvalue_as = "text"',
            {"a": {"b": 1}, "a.b": 2},
            "d.json#/a.b",
            "",
            "is the second value with the key a.b",
        ),
        ('records = "/**"\nkey_as = "slug"', "[1]", "d.json", "", "is an array"),
        (
            'records = "/x/*/y"\nouter = { n = "/x/*/n" }',
            '{"x": [{"n": 1, "n": 2, "y": [{"slug": "a"}]}]}',
            "d.json#/x/0",
            "",
            "has n twice; remove one of them",
        ),
        (
            'columns = ["slug", "in"]\nwhere = { "/in/a" = 1 }',
            '[["a", {"a": 1, "a": 2}]]',
            "d.json#/0",
            "in/a",
            "occurs twice in one record",
        ),
        (
            'value_as = "slug"',
            '[{"a": 1, "a": 2}]',
            "d.json#/0",
            "slug/a",
            "occurs twice in one record",
        ),
        (
            'records = "/brands/*/items"',
            {"brands": [{}, {"item": []}]},
            "d.json#/brands/0",
            "",
            "has no items",
        ),
        (
            'records = "/brands/*/items"',
            {"brands": [{"items": {}}]},
            "d.json#/brands/0/items",
            "",
            "is an object, and no array of records",
        ),
        (
            'outer = { n = "/m/n" }\nrecords = "/x"',
            {"x": [{"slug": "a"}]},
            "d.json",
            "",
            "outer.n reads /m/n, which no record has",
        ),
        (
            'constants = { n = "{file.folder}" }',
            [{"slug": "a"}],
            "d.json",
            "",
            "constants has {file.folder}, but the file is in no such folder",
        ),
    ],
)
def test_what_is_wrong_is_said(
    options: str, document: Any, where: str, field: str, said: str
) -> None:
    """With the place in the file, and the rule."""
    if not said:
        assert read(options, document) == {}
        return
    found = problems(options, document)
    assert found[0][:2] == (where, field)
    assert said in found[0][2]


def test_every_element_that_is_wrong_is_named() -> None:
    """Of all files."""
    one = dataset('map = { slug = "/x/id" }')
    found = shape_of(one)
    assert found
    texts = [b'[{"x": 1}, {"x": {"id": "a"}}, {"x": "b"}]', b'[{"x": 1}]', b"{"]
    parts = [
        (f"{n}.json", JsonDocument(f"{n}.json", lambda text=text: iter([text])))  # type: ignore[misc]
        for n, text in enumerate(texts)
    ]
    with pytest.raises(RecordError) as raised:
        list(ShapedDocuments(one, found, parts).batches(""))
    assert [fault.where for fault in raised.value.faults] == [
        "0.json#/0",
        "0.json#/2",
        "1.json#/0",
        "2.json:1:2",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('map = { slug = "/id", "*" = "/f" }', "map.* reads /f: "),
        ('map = { slug = "/id", n = "/f/*" }', "map.n reads /f/*: "),
        ('map = { slug = "/id", "n*" = "/*/x" }', "map.n* reads /*/x: "),
        ('map = { slug = "/id", "a*" = "/*", "b*" = "/*" }', "both lift /*"),
        ('map = { name = "/id" }', "key slug is a field that no record gets; add it to map"),
        ('columns = ["a"]', "key slug is a field that no record gets; add it to columns"),
        ('value_as = "a"', "key slug is a field that no record gets"),
        ('map = { slug = "/id" }\nconstants = { slug = "x" }', "slug gets a value twice"),
        ('single = true\nkey_as = "slug"', "single and key_as exclude each other"),
        ('value_as = "slug"\ncolumns = ["slug"]', "value_as and columns exclude each other"),
        ('columns = ["slug", "slug"]', "columns has slug twice"),
        ('records = "/**"', "records has **, which stands for all levels below"),
        ('records = "/**/a"\nkey_as = "slug"', "records has **, which stands for all levels below"),
        ('constants = { a = "{file.stam}" }', "constants.a has {file.stam}, which no file has"),
        ('records = "/x/*"\nouter = { a = "/y/*/n" }', "up to its last * both must be the same"),
        ('records = "/x"\nouter = { a = "/x/#" }', "up to its last * both must be the same"),
    ],
)
def test_a_manifest_that_is_wrong(options: str, said: str) -> None:
    """Is refused before a file is read."""
    with pytest.raises(ManifestError) as raised:
        dataset(options)
    assert said in str(raised.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=2)
    ),
    max_leaves=4,
)
NAMES = st.sampled_from(["x", "y", "z", "name", "n_x", "0"])
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)
ELEMENTS = st.fixed_dictionaries(
    {"id": st.text(max_size=3)},
    optional={
        "name": st.none() | OBJECTS,
        "fields": OBJECTS,
        "at": st.lists(st.integers(), max_size=3),
        "more": VALUES,
    },
)
SHAPES = [
    'map = { slug = "/id", "*" = "/*" }',
    'map = { slug = "/id", "*" = "/fields/*" }',
    'map = { slug = "/id", common = "/name/x", "f_*" = "/fields/*", "n_*" = "/name/*" }',
    'map = { slug = "/id", lon = "/at/0", lat = "/at/1", "*" = "/*" }',
    'map = { slug = "/id", one = "/fields/x/y", other = "/fields/x/z", "*" = "/fields/*" }',
    'map = { slug = "/id", again = "/id", more = "/more" }\nconstants = { source = "srd" }',
    'map = { slug = "/id", "*" = "/*" }\nkey_as = "member"',
]


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def as_value(text: Raw | bytes) -> Any:
    return json.loads(bytes(text))


@pytest.mark.parametrize("options", SHAPES)
@given(element=ELEMENTS, changes=ELEMENTS)
def test_what_was_read_is_written_back(options: str, element: Record, changes: Record) -> None:
    """As it was where nothing differs; and what differs is read again as it was written."""
    one = shape(options)
    added = one.added("d.json", None)

    def fields_of_element(value: Record) -> dict[str, Raw] | None:
        reading = one.read(one.object_of(raw(value)))
        if reading.problems or reading.fields.keys() & added.keys() or "member" in reading.fields:
            return None
        own = {"member": raw("m")} if one.key_as else {}
        return {**reading.fields, **added, **own}

    fields, others = fields_of_element(element), fields_of_element(changes)
    if fields is None or others is None:
        return
    name, again = one.invert(fields, added, raw(element))
    assert as_value(again) == element
    assert name == ("m" if one.key_as else None)
    for given_fields, before in ((fields, None), (others, raw(element)), (others, None)):
        try:
            _, written = one.invert(given_fields, added, before)
        except NotInvertibleError:
            continue
        read_again = one.read(one.object_of(written))
        assert not read_again.problems
        found = {**read_again.fields, **added}
        expected = {name: value for name, value in given_fields.items() if name != "member"}
        assert {n: as_value(v) for n, v in found.items()} == {
            n: as_value(v) for n, v in expected.items()
        }


@given(values=st.lists(VALUES, min_size=2, max_size=2))
def test_arrays_and_bare_values_are_written_back(values: list[Any]) -> None:
    one = shape('columns = ["slug", "n"]')
    assert as_value(one.invert(one.object_of(raw(values)), {})[1]) == values
    bare = shape('key_as = "slug"\nvalue_as = "text"')
    fields = {**bare.object_of(raw(values)), "slug": raw("a")}
    assert [bare.invert(fields, {})[0], as_value(bare.invert(fields, {})[1])] == ["a", values]


def test_a_condition_is_written_back() -> None:
    """A new record gets what `where` selects it by; one that it would not select any more is refused."""
    one = shape('where = { model = "m" }\nmap = { slug = "/pk", "*" = "/fields/*" }')
    fields = fields_of(b'{"slug": 1, "n": 2}')
    assert as_value(one.invert(fields, {})[1]) == {"pk": 1, "fields": {"n": 2}, "model": "m"}
    other = shape('where = { kind = "x" }')
    with pytest.raises(NotInvertibleError, match="where would not select"):
        other.invert(fields_of(b'{"slug": 1, "kind": "y"}'), {})


@pytest.mark.parametrize(
    ("options", "fields", "said"),
    [
        ('map = { slug = "/id" }', {"slug": 1, "n": 2}, "no rule of map reads n"),
        (
            'map = { slug = "/id", all = "" }',
            {"slug": 1},
            "map.all reads a value that other rules read parts of",
        ),
        (
            'map = { slug = "/id", n = "/id" }',
            {"slug": 1, "n": 2},
            "slug and n are read from one member, /id, and differ",
        ),
        (
            'map = { slug = "/id", n = "/a/1" }',
            {"slug": 1, "n": 2},
            "the array /a would lack an element",
        ),
        ("constants = { n = 1 }", {"slug": 1, "n": 2}, "n does not come from the record itself"),
        ("constants = { n = 1 }", {"slug": 1}, "n cannot be removed: it is a constant"),
        ('key_as = "slug"', {"slug": 1}, "slug must be text"),
        ('value_as = "slug"', {"slug": 1, "n": 2}, "the element holds slug and nothing else"),
        ('columns = ["slug"]', {"slug": 1, "n": 2}, "columns does not name n"),
    ],
)
def test_what_cannot_be_written_back_is_said(options: str, fields: Record, said: str) -> None:
    """By the rule that stands in its way."""
    one = shape(options)
    own = {name: raw(value) for name, value in fields.items()}
    with pytest.raises(NotInvertibleError) as raised:
        one.invert(own, one.added("d.json", None))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('map = { slug = "/id" }', ""),
        ('map = { slug = "/id", all = "" }', "map.all reads a value"),
        ('constants = { slug = "{file.stem}" }', "a new record would have no file"),
        ('records = "/a/*/b"', "a new record would have no place"),
    ],
)
def test_a_shape_says_whether_new_records_have_a_place(options: str, said: str) -> None:
    assert (said in shape(options).one_way) if said else shape(options).one_way == ""
