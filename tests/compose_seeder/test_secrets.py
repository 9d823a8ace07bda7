"""Fields that are secret: in no message, and in no traceback that a library's caller may log."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest

from compose_seeder.errors import SeedError
from tests.support.seed_folder import Seeds, table

SECRET = "s3cretVALUE"
RULES = "\n[dataset.fields]\ntoken = { secret = true }\n"
RAISES = (
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no % here', new.token; END $$;"
    "CREATE TRIGGER f BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION f()"
)


def said(seeds: Seeds, **options: Any) -> str:
    with pytest.raises(SeedError) as raised:
        seeds.run(**options)
    return "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("type_", "more"),
    [
        ("text UNIQUE", ""),
        ("text CHECK (length(token) < 3)", ""),
        ("text, EXCLUDE USING btree (token WITH =)", ""),
        ("text) PARTITION BY LIST (token", ""),
        ("text REFERENCES kinds", ""),
        ("text", RAISES),
        ("int", ""),
        ("varchar(3)", ""),
        ("jsonb NOT NULL CHECK (token ? 'a')", ""),
    ],
)
def test_what_a_table_refuses(seeds: Seeds, type_: str, more: str) -> None:
    """PostgreSQL's own words have the values of the row, or of its key."""
    seeds.do(
        f"CREATE TABLE kinds (id text PRIMARY KEY); CREATE TABLE things (slug text, token {type_});{more}"
    )
    two = [{"slug": slug, "token": SECRET} for slug in "ab"]
    seeds.write(table("things") + RULES, things=two)
    assert SECRET not in said(seeds)


def test_drift_that_stops_the_run(seeds: Seeds) -> None:
    """The field is named, and neither value."""
    seeds.do("CREATE TABLE things (slug text, token text)")
    seeds.write(table("things", on_drift="fail") + RULES, things=[{"slug": "a", "token": SECRET}])
    seeds.run()
    seeds.do("UPDATE things SET token = 'their-' || token")
    assert SECRET not in said(seeds, verify=True)


@pytest.mark.parametrize("by", [[SECRET, SECRET], [[SECRET], "x"]])
def test_children_at_fault(seeds: Seeds, by: list[Any]) -> None:
    """What they are nested by may be a secret itself."""
    seeds.do("CREATE TABLE things (slug text, token jsonb)")
    nest = "[dataset.nest]\ntoken = { records = '/keys', match = { of = 'slug' }, by = 'id' }"
    keys = [{"of": "a", "id": one} for one in by]
    seeds.write(
        table("things", records="/things") + RULES + nest,
        things={"things": [{"slug": "a"}], "keys": keys},
    )
    assert SECRET not in said(seeds)


@pytest.mark.parametrize(
    "rule",
    [
        {"properties": {}, "additionalProperties": False},
        {"additionalProperties": {"type": "string"}},
        {"unevaluatedProperties": False},
        {"propertyNames": {"maxLength": 2}},
    ],
)
def test_a_name_inside_of_a_secret(seeds: Seeds, rule: Any) -> None:
    """A schema's words would name it, and so would the place of a value below it."""
    (seeds.folder / "rules.json").write_text(json.dumps({"properties": {"token": rule}}))
    for token in ({SECRET: 1}, {SECRET: 1, f"{SECRET}2": 2}):
        things = [{"slug": "a", "token": token}]
        seeds.write(table("things", schema="rules.json") + RULES, things=things)
        assert SECRET not in said(seeds)


def test_a_name_that_stands_twice_in_a_secret(seeds: Seeds) -> None:
    """JSON in CSV is read where the table's columns are known."""
    seeds.do("CREATE TABLE things (slug text, token jsonb)")
    seeds.write(table("things").replace(".json", ".csv") + RULES)
    name = f'""{SECRET}""'
    (seeds.folder / "things.csv").write_text(f'slug,token\na,"{{{name}: 1, {name}: 2}}"\n')
    assert "field token: occurs twice" in (text := said(seeds))
    assert SECRET not in text


def test_a_trigger_that_raises_as_a_constraint_does(seeds: Seeds) -> None:
    """Its words are its own, whatever its SQLSTATE is."""
    raises = RAISES.replace("new.token;", "new.token USING ERRCODE = 'unique_violation';")
    seeds.do(f"CREATE TABLE things (slug text, token text);{raises}")
    seeds.write(table("things") + RULES, things=[{"slug": "a", "token": SECRET}])
    assert SECRET not in said(seeds)
