"""A shape in a whole run: noticed when it changes, and ordinary for everything after it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from msgspec.json import encode

from compose_seeder import check
from compose_seeder.errors import ManifestError, RecordError
from compose_seeder.inputs import resolve_inputs
from compose_seeder.manifest.parse import load
from compose_seeder.sources import Sources
from tests.support.endpoint_seeds import Through
from tests.support.seed_folder import Seeds, counts, table

BEASTS = [
    {"id": "a", "fields": {"hp": 1, "ac": 2, "meta_x": 1}},
    {"id": "b", "fields": {"hp": 3, "ac": 4, "meta_y": 2}},
]
MAP = 'map = { slug = "/id", "*" = "/fields/*" }\nignore = ["meta_*"]'


@pytest.fixture
def creatures(seeds: Seeds) -> Seeds:
    seeds.do("CREATE TABLE creatures (slug text, hp int, ac int)")
    return seeds.write(f"{table()}\n{MAP}", creatures=BEASTS)


def test_a_changed_shape_is_noticed(creatures: Seeds) -> None:
    """The file stays as it is; what the new map reads is written, and nothing else."""
    assert counts(creatures.run()) == {"created": 2}
    assert counts(creatures.run()) == {"unchanged": 2}
    swapped = 'map = { slug = "/id", hp = "/fields/ac", ac = "/fields/ac" }'
    creatures.write(f"{table()}\n{swapped}")
    assert counts(creatures.run()) == {"updated": 2}
    assert creatures.rows("SELECT * FROM creatures ORDER BY slug") == [("a", 2, 2), ("b", 4, 4)]
    creatures.write(f'{table()}\n{swapped}\nwhere = {{ id = "a" }}')
    assert counts(creatures.run()) == {"unchanged": 1, "released": 1}
    creatures.write(f"{table()}\n{swapped}")
    assert counts(creatures.run(plan=True)) == {"unchanged": 2}


def test_a_column_is_renamed_and_the_file_is_not(creatures: Seeds) -> None:
    """What was edited before stays an edit."""
    creatures.run()
    creatures.do("UPDATE creatures SET hp = 99 WHERE slug = 'a'")
    creatures.do("ALTER TABLE creatures RENAME hp TO hit_points")
    renamed = MAP.replace('"*"', 'hit_points = "/fields/hp", "*"')
    creatures.write(f"{table()}\n{renamed}")
    assert counts(creatures.run()) == {"drifted": 1, "unchanged": 2}
    assert creatures.rows("SELECT hit_points FROM creatures ORDER BY slug") == [(99,), (3,)]


def test_a_dataset_without_a_shape_has_the_fingerprint_that_it_had(seeds: Seeds) -> None:
    """New keys of the manifest are no change of a manifest that does not use them."""
    seeds.write(table(), creatures=[])
    sources = Sources()
    manifest, _ = load(seeds.manifest, sources)
    (inputs,) = resolve_inputs(seeds.manifest, manifest, sources).values()
    new = {"single", "key_as", "value_as", "columns", "where", "map_", "outer", "constants"}
    new |= {"format", "encoding", "csv"}
    dumped = manifest.datasets[0].model_dump(mode="json", exclude=new)
    entry = encode(dumped, order="deterministic") + b"source"
    assert inputs.fingerprint("source") == hashlib.sha256(entry).hexdigest()
    assert manifest.datasets[0].told_by_texts == new


def test_a_secret_is_not_shown(seeds: Seeds) -> None:
    """Not a value, and not a name within one, wherever it stands in the file."""
    seeds.do("CREATE TABLE creatures (slug text, token jsonb)")
    options = (
        'map = { slug = "/id", token = "/auth/token" }\nfields = { token = { secret = true } }'
    )
    seeds.write(f"{table()}\n{options}")
    for text in (
        '[{"id": "a", "auth": {"token": {"hush": 1, "hush": 2}}}]',
        '[{"id": "a", "auth": {"token": {"x": "hush\\u0000"}}}]',
        '[{"id": "a", "auth": "hush"}]',
        '[{"id": ["x"], "auth": {"token": "hush"}}]',
    ):
        seeds.source("creatures", text)
        for act in (seeds.run, lambda: check(seeds.manifest, Sources())):
            with pytest.raises(RecordError) as raised:
                act()
            assert "hush" not in str(raised.value)
    seeds.write(f'{table()}\n{options}\nwhere = {{ "/auth/token" = "x" }}')
    seeds.source("creatures", [{"id": "a", "auth": {"token": "hush"}}])
    with pytest.raises(RecordError) as raised:
        seeds.run()
    assert "hush" not in str(raised.value)


def test_variables_in_shaped_records(seeds: Seeds) -> None:
    """In values, also of constants and names of members."""
    seeds.do("CREATE TABLE creatures (slug text, n text, source text)")
    options = (
        'key_as = "slug"\nmap = { n = "/in/n" }\nenv = ["HOST"]\n'
        'constants = { source = "https://${env:HOST}/" }'
    )
    seeds.write(f"{table()}\n{options}", creatures={"a": {"in": {"n": "at ${env:HOST}"}}})
    from compose_seeder import seed  # noqa: PLC0415 - with variables of its own

    seed(seeds.connection, seeds.manifest, Sources({}, {"HOST": "h"}))
    assert seeds.rows("SELECT * FROM creatures") == [("a", "at h", "https://h/")]


def test_a_schema_and_children_and_references_see_shaped_records(seeds: Seeds) -> None:
    seeds.do("CREATE TABLE kinds (id int, name text); INSERT INTO kinds VALUES (7, 'beast')")
    seeds.do("CREATE TABLE creatures (slug text, kind_id int, texts jsonb)")
    options = (
        'records = "/all"\nschema = "s.json"\nmap = { slug = "/id", kind = "/deep/kind" }\n'
        'refs = { kind_id = { from = "kind", table = "kinds", match = "name", take = "id" } }\n'
        'nest = { texts = { records = "/texts", match = { of = "slug" }, by = "lang" } }'
    )
    all_ = {
        "all": [{"id": "a", "deep": {"kind": "beast"}}],
        "texts": [{"of": "a", "lang": "en", "name": "A"}],
    }
    seeds.write(f"{table()}\n{options}", creatures=all_)
    seeds.source("s", {"properties": {"slug": {}, "kind": {}}, "additionalProperties": False})
    assert check(seeds.manifest, Sources()) == {"creatures": 1}
    seeds.run()
    assert seeds.rows("SELECT * FROM creatures") == [("a", 7, {"en": {"name": "A"}})]


def test_children_of_records_that_are_not_selected_are_left_out(seeds: Seeds) -> None:
    seeds.do("CREATE TABLE creatures (slug text, kind text, texts jsonb)")
    options = (
        'records = "/all"\nwhere = { kind = "x" }\n'
        'nest = { texts = { records = "/texts", match = { of = "slug" } } }'
    )
    all_ = {
        "all": [{"slug": "a", "kind": "x"}, {"slug": "b", "kind": "y"}],
        "texts": [{"of": "a", "n": 1}, {"of": "b", "n": 2}],
    }
    seeds.write(f"{table()}\n{options}", creatures=all_)
    assert counts(seeds.run()) == {"created": 1}
    assert seeds.rows("SELECT slug, texts FROM creatures") == [("a", [{"n": 1}])]


def test_an_endpoint_gets_shaped_records(through: Through) -> None:
    """With what happens to each record as for any other."""
    through.manifest(options='key_as = "slug"\nmap = { v = "/stats/v" }')
    things = {"a": {"stats": {"v": 1}}, "b": {"stats": {"v": 2}}}
    assert counts(through.run(things)) == {"created": 2}
    assert counts(through.run(things, verify=True)) == {"unchanged": 2}
    things["b"]["stats"]["v"] = 3
    assert counts(through.run(things)) == {"updated": 1, "unchanged": 1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('ignore = ["sl*"]', "key slug is also in ignore"),
        ('ignore = ["h*"]\nfields = { hp = { once = true } }', "fields.hp is also in ignore"),
        (
            "where = { a = 2024-01-01 }",
            "where.a: must be a text, a number, true or false, or a list",
        ),
        ("where = { a = [] }", "where.a: must be a text, a number, true or false, or a list"),
        ("constants = { a = [1] }", "constants.a: must be a text, a number, true or false"),
        (
            'map = { slug = "Name" }',
            'map.slug: must be a JSON Pointer, which begins with /, as in "/Name"',
        ),
        ('records = "a/*"', 'records: must be a JSON Pointer, which begins with /, as in "/a/*"'),
    ],
)
def test_a_manifest_that_is_wrong(seeds: Seeds, options: str, said: str) -> None:
    seeds.write(f"{table()}\n{options}", creatures=[])
    with pytest.raises(ManifestError) as raised:
        seeds.run()
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == len(["seeds.toml is wrong:", "the fault"])


def test_an_ignored_pattern_that_no_record_has(seeds: Seeds) -> None:
    """Is a warning of `check`, as for a name."""
    seeds.write(f'{table()}\nignore = ["meta_*", "n*"]', creatures=[{"slug": "a", "n": 1}])
    warnings: list[Any] = []
    check(seeds.manifest, Sources(), warnings.append)
    assert len(warnings) == 1
    assert "ignore names meta_*, but no record has that field" in warnings[0]
