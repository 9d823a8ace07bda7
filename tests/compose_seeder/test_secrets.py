"""Fields that are secret: in no message, and in no traceback that a library's caller may log."""

from __future__ import annotations

import json
import traceback
from contextlib import suppress
from typing import Any

import pytest

from compose_seeder import check
from compose_seeder.errors import SeedError
from compose_seeder.sources import Sources
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


STATES = ["P0001", "22P02", "23502", "23505", "23514", "25006", "40001", "40P01", "42501", "42P01"]
STATES += ["0A000", "53100", "53300", "54000", "55P03", "57014", "57P01", "58030", "XX000"]
NAMES = ", TABLE = new.token, COLUMN = new.token, CONSTRAINT = new.token, DETAIL = new.token, HINT = new.token"


@pytest.mark.parametrize("names", ["", NAMES])
@pytest.mark.parametrize("state", STATES)
def test_a_trigger_that_raises_as_postgresql_does(seeds: Seeds, state: str, names: str) -> None:
    """Its words are its own, whatever SQLSTATE and names it gives them; the state is shown."""
    raises = RAISES.replace("new.token;", f"new.token USING ERRCODE = '{state}'{names};")
    seeds.do(f"CREATE TABLE things (slug text, token text);{raises}")
    seeds.write(table("things") + RULES, things=[{"slug": "a", "token": SECRET}])
    assert SECRET not in said(seeds)


@pytest.mark.parametrize("state", ["P0001", "22P02", "42501", "57014"])
@pytest.mark.parametrize(
    "more",
    [
        "ALTER TABLE things ADD CHECK (f(token) = 1)",
        "ALTER TABLE things ADD n int GENERATED ALWAYS AS (f(token)) STORED",
        "CREATE INDEX ON things (f(token))",
        "CREATE DOMAIN d AS text CHECK (f(VALUE) = 1); ALTER TABLE things ALTER token TYPE d",
    ],
)
def test_a_function_that_raises(seeds: Seeds, more: str, state: str) -> None:
    """In a constraint, a generated column, an index or a domain; in a plan as well."""
    seeds.do(
        "CREATE TABLE things (slug text, token text); CREATE FUNCTION f(t text) RETURNS int IMMUTABLE LANGUAGE plpgsql"
        f" AS $$ BEGIN RAISE 'no %', t USING ERRCODE = '{state}'; END $$; {more}"
    )
    seeds.write(table("things") + RULES, things=[{"slug": "a", "token": SECRET}])
    assert SECRET not in said(seeds)
    with suppress(SeedError):
        seeds.plan()


def test_words_of_postgresql_are_shown(seeds: Seeds) -> None:
    """A constraint, a missing privilege or a time limit has no values in its words."""
    seeds.do(
        "CREATE TABLE things (slug text, token text, CONSTRAINT short CHECK (length(token) < 3))"
    )
    seeds.write(table("things") + RULES, things=[{"slug": "a", "token": SECRET}])
    assert "short" in said(seeds)


@pytest.mark.parametrize("rule", [RULES, RULES.replace("token =", "tokens =")])
@pytest.mark.parametrize(
    ("records", "text"),
    [
        ("", '[{"slug": "a", "token": {"NAME": 1, "NAME": 2}}]'),
        ("", '[{"slug": "a", "token": [{"a": {"NAME": 1, "NAME": 2}}]}]'),
        ("/t", '{"t": [{"slug": "a"}], "c": [{"of": "a", "id": "x", "NAME": 1, "NAME": 2}]}'),
        (
            "/t",
            '{"t": [{"slug": "a"}], "c": [{"of": "a", "id": "x", "v": {"NAME": 1, "NAME": 2}}]}',
        ),
    ],
)
def test_a_name_in_a_secret_that_json_allows(
    seeds: Seeds, records: str, text: str, rule: str
) -> None:
    """A name that is there twice: of a field that is no secret, it is shown."""
    seeds.do("CREATE TABLE things (slug text, token jsonb)")
    nest = "[dataset.nest]\ntoken = { records = '/c', match = { of = 'slug' }, by = 'id' }"
    options = {"records": records} if records else {}
    manifest = table("things", **options) + rule + (nest if records else "")
    seeds.write(manifest, things=text.replace("NAME", SECRET))
    found = said(seeds)
    with pytest.raises(SeedError) as raised:
        check(seeds.manifest, Sources())
    assert (SECRET in found, SECRET in str(raised.value)) == (rule != RULES,) * 2


@pytest.mark.parametrize("secret", ["kind_id", "kind"])
def test_references_that_no_dataset_creates(seeds: Seeds, secret: str) -> None:
    """`check` warns of them, and names a later dataset that does."""
    refs = f"\n[dataset.fields]\n{secret} = {{ secret = true }}\n[dataset.refs]\n"
    refs += "kind_id = { from = 'kind', table = 'kinds', match = 'slug', take = 'id' }\n"
    things, kinds = [{"slug": "a", "kind": SECRET}], [{"slug": f"{SECRET}s"}]
    warnings: list[str] = []
    seeds.write(table("kinds") + "\n" + table("things") + refs, things=things, kinds=kinds)
    check(seeds.manifest, Sources(), warnings.append)
    assert len(warnings) > 0
    assert SECRET not in "".join(warnings)
    seeds.write(table("things") + refs + table("kinds"), things=things, kinds=[{"slug": SECRET}])
    with pytest.raises(SeedError) as raised:
        check(seeds.manifest, Sources())
    assert SECRET not in str(raised.value)
