"""`${env:NAME}` in records: listed, strict, and noticed when it changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from compose_seeder import Options, check, examine, seed
from compose_seeder.errors import ManifestError, RecordError
from compose_seeder.reconcile.plan import Plan
from compose_seeder.sources import Sources
from tests.support.seed_folder import Seeds, counts, table

RECORDS = [
    {"slug": "owner", "value": "mailto:${env:OWNER}"},
    {"slug": "literal", "value": "$${env:OWNER}"},
    {"slug": "plain", "value": "${OWNER}"},
]


def run(seeds: Seeds, **environ: str) -> Plan:
    (plans, _) = seed(seeds.connection, seeds.manifest, Sources(variables=environ), Options())
    return plans[0]


@pytest.fixture(name="texts")
def _texts(seeds: Seeds) -> Seeds:
    """Create a table of texts, one of which names a variable."""
    seeds.do("CREATE TABLE texts (slug text, value text)")
    return seeds.write(table("texts", env=["OWNER"]), texts=RECORDS)


def stored(seeds: Seeds) -> dict[str, str]:
    return dict(seeds.rows("SELECT slug, value FROM texts"))


def test_a_value_comes_from_the_environment(texts: Seeds) -> None:
    """Whatever characters it has; what is escaped, or is something else, stays as it is."""
    odd = 'a"b\\c\n${env:X}é'
    assert counts(run(texts, OWNER=odd)) == {"created": 3}
    assert stored(texts) == {
        "owner": f"mailto:{odd}",
        "literal": "${env:OWNER}",
        "plain": "${OWNER}",
    }


def test_a_changed_variable_is_noticed(texts: Seeds) -> None:
    """Without a change of the file; the same value is the unchanged run."""
    run(texts, OWNER="ann")
    assert counts(run(texts, OWNER="ann", OTHER="x")) == {"unchanged": 3}
    assert counts(run(texts, OWNER="bob")) == {"updated": 1, "unchanged": 2}
    assert stored(texts)["owner"] == "mailto:bob"


def test_the_fingerprints_of_a_run_tell_it(texts: Seeds) -> None:
    """For who keeps them; the value is not in them."""
    manifest = texts.manifest
    sources = [Sources(variables={"OWNER": owner}) for owner in ("ann", "bob")]
    found = [seed(texts.connection, manifest, one, Options())[1] for one in sources]
    assert found[0]["env:OWNER"] != found[1]["env:OWNER"]
    assert found[0]["env:OWNER"] == sources[0].recorded("env:OWNER").fingerprint()
    assert "ann" not in str(found[0].values())


@pytest.mark.parametrize("name", ["OWNER", "OTHER"])
@pytest.mark.parametrize("inner", [True, False])
def test_no_variable_stands_in_a_name(texts: Seeds, name: str, inner: bool) -> None:
    """Listed or not: a field would be another one in each environment."""
    record = f'{{"name": "x", "${{env:{name}}}": 1}}'
    texts.source("texts", f'[{{"name": "x", "text": {record}}}]' if inner else f"[{record}]")
    with pytest.raises(
        RecordError, match="has a variable in a name; only values may have variables"
    ):
        run(texts, OWNER="ann")


def test_a_variable_that_is_no_text(texts: Seeds) -> None:
    """Bytes that are not UTF-8, which Python keeps as halves of pairs."""
    with pytest.raises(ManifestError, match="OWNER holds bytes that are not UTF-8"):
        run(texts, OWNER="\udcff")


def test_a_value_from_a_file(texts: Seeds, tmp_path: Path) -> None:
    """As Compose mounts secrets."""
    (tmp_path / "owner").write_text("carol\n")
    run(texts, OWNER_FILE=str(tmp_path / "owner"))
    assert stored(texts)["owner"] == "mailto:carol"


@pytest.mark.parametrize("environ", [{}, {"OWNER": ""}])
def test_what_is_not_set_is_an_error(texts: Seeds, environ: dict[str, str]) -> None:
    """Of every dataset at once, before anything is begun."""
    again = table("texts", env=["TOWN"]).replace('"texts"', '"again"', 1)
    texts.write(table("texts", env=["OWNER", "TOWN"]) + "\n" + again)
    sources = Sources(variables=environ)
    with pytest.raises(ManifestError) as raised:
        examine(texts.manifest, sources)
    assert "dataset texts: env names OWNER, TOWN, which the environment" in str(raised.value)
    assert "dataset again: env names TOWN" in str(raised.value)
    with pytest.raises(ManifestError, match="dataset texts: env names OWNER"):
        run(texts, **environ)
    assert stored(texts) == {}


def test_what_is_not_listed_is_an_error(texts: Seeds) -> None:
    """By record and field, in a first run, a later one and a check; nothing is written."""
    wrong: list[dict[str, Any]] = [
        *RECORDS,
        {"slug": "a", "value": "${env:PATH}"},
        {"slug": "b", "value": "${env:}"},
    ]
    said = "names ${env:PATH}, which the dataset's env does not list; add PATH to env"
    for before in (0, 3):
        texts.source("texts", wrong)
        with pytest.raises(RecordError) as raised:
            run(texts, OWNER="ann")
        faults = raised.value.faults
        assert [(fault.where, fault.field) for fault in faults] == [
            ("texts.json#/3", "value"),
            ("texts.json#/4", "value"),
        ]
        assert said in str(raised.value)
        with pytest.raises(RecordError, match="does not list"):
            check(texts.manifest, Sources(variables={"OWNER": "ann"}))
        assert len(stored(texts)) == before
        texts.source("texts", RECORDS)
        run(texts, OWNER="ann")


def test_without_env_it_is_text(texts: Seeds) -> None:
    """A dataset opts in."""
    texts.write(table("texts"))
    run(texts, OWNER="ann")
    assert stored(texts)["owner"] == "mailto:${env:OWNER}"


@pytest.fixture
def structured(seeds: Seeds) -> Seeds:
    """Create a table of columns with a structure, and a dataset that reads CSV."""
    seeds.do("CREATE TABLE texts (slug text, note text, j jsonb, tags text[])")
    return seeds.write(table("texts", env=["OWNER"]).replace(".json", ".csv"))


@pytest.mark.parametrize("owner", ['x","admin":true,"y":"z', "a\\b\n{}[1]", "7", "null"])
def test_a_value_is_text_in_a_csv_file(structured: Seeds, owner: str) -> None:
    """It adds no field to JSON in a cell, whatever characters it has, and a text column gets it as it is."""
    rows = 'slug,note,j\na,"say ""${env:OWNER}""","{""owner"": ""by ${env:OWNER}"", ""n"": 1}"\n'
    (structured.folder / "texts.csv").write_text(rows)
    assert counts(run(structured, OWNER=owner)) == {"created": 1}
    ((note, json),) = structured.rows("SELECT note, j FROM texts")
    assert (note, json) == (f'say "{owner}"', {"owner": f"by {owner}", "n": 1})
    assert counts(run(structured, OWNER="ann")) == {"updated": 1}


@pytest.mark.parametrize(
    ("cell", "owner", "said"),
    [
        ('j,"{""a"": ${env:OWNER}}"', "1", 'outside of a text; write "${env:OWNER}"'),
        ("j,${env:OWNER}", '{"admin": true}', 'outside of a text; write "${env:OWNER}"'),
        ('j,"{""${env:OWNER}"": 1}"', "x", "has a variable in a name"),
        ("tags,{${env:OWNER}}", "a,b", "would change the structure"),
        ("tags,{${env:OWNER}}", "null", "would change the structure"),
        ("tags,${env:OWNER}", "{a}", "would change the structure"),
        ('tags,"{""${env:OWNER}""}"', 'a","b', "would change the structure"),
    ],
)
def test_a_value_cannot_change_a_structure(
    structured: Seeds, cell: str, owner: str, said: str
) -> None:
    """In JSON it stands within a text; in an array it holds nothing that divides elements."""
    field, _, value = cell.partition(",")
    (structured.folder / "texts.csv").write_text(f"slug,{field}\na,{value}\n")
    with pytest.raises(RecordError, match=re.escape(said)) as raised:
        run(structured, OWNER=owner)
    assert [(fault.where, fault.field) for fault in raised.value.faults] == [("texts.csv:2", field)]
    assert structured.rows("SELECT 1 FROM texts") == []


def test_a_value_within_an_array(structured: Seeds) -> None:
    """An element in quotes takes commas and braces."""
    (structured.folder / "texts.csv").write_text('slug,tags\na,"{""${env:OWNER}"",x}"\n')
    run(structured, OWNER="a, {b}")
    assert structured.rows("SELECT tags FROM texts") == [(["a, {b}", "x"],)]


def test_a_variable_outside_of_a_text_is_no_json(seeds: Seeds) -> None:
    """One object a line is read before the values are in it."""
    seeds.do("CREATE TABLE texts (slug text, value int)")
    seeds.write(table("texts", env=["OWNER"]).replace(".json", ".ndjson"))
    (seeds.folder / "texts.ndjson").write_text('{"slug": "a", "value": ${env:OWNER}}\n')
    with pytest.raises(RecordError, match="is not valid JSON"):
        run(seeds, OWNER="7")
