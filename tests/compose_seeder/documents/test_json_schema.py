"""A JSON Schema of the user's own: every record that it does not allow, before anything is written."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder import check
from compose_seeder.errors import ManifestError, RecordError, SourceError
from compose_seeder.sources import Sources
from tests.support.seed_folder import Seeds, counts, table

SCHEMA = {
    "type": "object",
    "required": ["slug", "hp"],
    "additionalProperties": False,
    "properties": {
        "slug": {"type": "string", "pattern": "^[a-z-]+$"},
        "hp": {"type": "integer", "minimum": 1},
        "size": {"enum": ["tiny", "small", "large"]},
        "token": {"type": "string", "minLength": 8},
        "speed": {"type": "object", "properties": {"fly": {"type": "integer"}}},
        "day": {"type": "string", "format": "date"},
    },
}
GOOD = {"slug": "a", "hp": 1}


@pytest.fixture
def conforming(seeds: Seeds) -> Seeds:
    """Create a table, and a dataset that names a schema."""
    seeds.do(
        "CREATE TABLE creatures (slug text, hp int, size text, token text, speed jsonb, day date)"
    )
    secret = "[dataset.fields]\ntoken = { secret = true }\n"
    seeds.write(table(schema="schema.json") + "\n" + secret, creatures=[GOOD], schema=SCHEMA)
    return seeds


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"hp": 0}, ("field hp: the value is less than the minimum of 1; found 0; the rule is"
                    " schema.json#/properties/hp/minimum")),
        ({"hp": 1.5}, ('field hp: the value is not of type "integer"; found 1.5; the rule is'
                      " schema.json#/properties/hp/type")),
        ({"size": "tinny"}, ('field size: the value is not one of "tiny", "small" or "large" (did you mean tiny?);'
                            ' found "tinny"; the rule is schema.json#/properties/size/enum')),
        ({"sise": 1}, ("field sise: is not a field of the schema (did you mean size?);"
                      " the rule is schema.json#/additionalProperties")),
        ({"token": "s3cret"}, ("field token: the value is shorter than 8 characters; the rule is"
                              " schema.json#/properties/token/minLength")),
        ({"speed": {"fly": "x"}}, ('field speed/fly: the value is not of type "integer"; found "x"; the rule is'
                                  " schema.json#/properties/speed/properties/fly/type")),
        ({"day": "30.1."}, ('field day: the value is not a "date"; found "30.1."; the rule is'
                           " schema.json#/properties/day/format")),
    ],
)  # fmt: skip
def test_what_a_schema_does_not_allow(conforming: Seeds, wrong: dict[str, Any], said: str) -> None:
    """By record, field and rule; a secret value is not shown; nothing is written; `check` says the same."""
    conforming.source("creatures", [{"slug": "ok", "hp": 1}, GOOD | wrong])
    for act in (conforming.run, lambda: check(conforming.manifest, Sources())):
        with pytest.raises(RecordError) as raised:
            act()
        assert [str(fault) for fault in raised.value.faults] == [
            f"creatures.json#/1 (slug a), {said}"
        ]
    assert conforming.rows("SELECT 1 FROM creatures") == []


def test_what_is_missing_is_named(conforming: Seeds) -> None:
    """A required field that is not there, and every record at once."""
    conforming.source("creatures", [{"slug": f"{'a' * n}"} for n in range(1, 31)])
    with pytest.raises(RecordError, match="field hp: is missing; the rule is") as raised:
        conforming.run()
    assert len(raised.value.faults) == 30
    assert str(raised.value).endswith("… and 10 more")


def test_a_schema_that_changes_is_looked_at_again(conforming: Seeds) -> None:
    """Its content is part of what decides whether there is anything to do."""
    conforming.run()
    before = conforming.run()
    assert counts(before) == {"unchanged": 1}
    conforming.source("schema", SCHEMA | {"required": ["slug", "hp", "size"]})
    with pytest.raises(RecordError, match="field size: is missing"):
        conforming.run()


@pytest.mark.parametrize(
    ("schema", "error", "said"),
    [
        ({"type": "objekt"}, ManifestError, "dataset creatures: schema schema.json is not a valid JSON Schema: "),
        ("{", ManifestError, "schema schema.json is not valid JSON"),
        ({"$ref": "https://example.com/x"}, ManifestError, "refers to https://example.com/x, but must be one file"),
        (None, SourceError, "schema.json cannot be read"),
    ],
)  # fmt: skip
def test_a_schema_that_is_none(
    conforming: Seeds, schema: Any, error: type[Exception], said: str
) -> None:
    """The manifest's fault, and nothing is fetched from elsewhere."""
    if schema is None:
        (conforming.folder / "schema.json").unlink()
    else:
        conforming.source("schema", schema)
    for act in (conforming.run, lambda: check(conforming.manifest, Sources())):
        with pytest.raises(error, match=said):
            act()


def test_a_schema_stays_in_the_folder(conforming: Seeds) -> None:
    """As every path of a manifest does."""
    conforming.write(table(schema="../schema.json"))
    with pytest.raises(
        ManifestError, match=r"schema \.\./schema\.json: leaves the manifest's folder"
    ):
        conforming.run()
