"""`${env:NAME}` in records: listed, strict, and noticed when it changes."""

from __future__ import annotations

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
