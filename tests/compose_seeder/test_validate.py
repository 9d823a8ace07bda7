"""`check`: what files alone can have wrong, all of it at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compose_seeder import check
from compose_seeder.errors import ManifestError, RecordError, SeedError, SourceError
from compose_seeder.sources import Sources
from tests.support.seed_folder import Seeds, table

ENDPOINT = """
[[dataset]]
name = "e"
source = "e.json"
endpoint = "/e"
key = ["slug"]
[dataset.http]
create = "POST /e"
get = "GET /e/{slug}"
"""
REF = 'refs.habitat_id = { from = "habitat", table = "habitats", match = "slug", take = "id" }\n'


@pytest.fixture
def files(tmp_path: Path) -> Seeds:
    """Return a folder without a database."""
    return Seeds(tmp_path, None)  # type: ignore[arg-type]


def checked(files: Seeds) -> tuple[dict[str, int], list[str]]:
    """Return the number of records by dataset, and the warnings."""
    doubts: list[str] = []
    return check(files.manifest, Sources(), doubts.append), doubts


def wrong(files: Seeds, error: type[SeedError] = RecordError) -> str:
    with pytest.raises(error) as raised:
        checked(files)
    return str(raised.value)


def test_faults_of_every_dataset_at_once(files: Seeds) -> None:
    """Sources, schemas, keys and templates: each is named, whatever the others have."""
    manifest = "\n".join(
        [
            table("one"),
            table("two", sha256="0" * 64),
            table("three"),
            table("four", schema="schema.json"),
            ENDPOINT + 'update = "PUT /e/{slag}"\n',
        ]
    )
    files.write(
        manifest,
        one=[{"slug": "a"}, {"slug": "a"}],
        two=[],
        four=[{"slug": 1}, {}],
        schema={"properties": {"slug": {"type": "string"}}},
        e=[{"slug": "a"}],
    )
    said = wrong(files, SourceError)
    for part in (
        "one.json#/1 (slug a): the key occurs twice; one.json#/0 has it as well",
        "two.json does not match its checksum",
        "three.json cannot be read",
        'four.json#/0 (slug 1), field slug: the value is not of type "string"',
        "four.json#/1, field slug: is missing, it is part of the key",
        "dataset e: http.update names {slag}, but no record has that field (did you mean slug?)",
    ):
        assert part in said


@pytest.mark.parametrize("request_", ['create = "POST /e/{slag}"', 'confirm = "GET /e/{slag}"'])
def test_a_template_that_names_no_field(files: Seeds, request_: str) -> None:
    """It could be sent for no record."""
    manifest = ENDPOINT.replace('create = "POST /e"', request_)
    if "create" not in request_:
        manifest += 'create = "POST /e"\n'
    files.write(manifest, e=[{"slug": "a"}])
    assert "names {slag}, but no record has that field (did you mean slug?)" in wrong(
        files, ManifestError
    )


def test_a_template_may_name_what_one_record_has(files: Seeds) -> None:
    """And what the API's own record has, which nobody knows offline."""
    files.write(
        ENDPOINT + 'update = "PUT /e/{x}/{live.id}"\n', e=[{"slug": "a"}, {"slug": "b", "x": 1}]
    )
    assert checked(files) == ({"e": 2}, [])


def test_a_reference_to_what_is_made_later(files: Seeds) -> None:
    """On an empty database it can never be found: the order is wrong."""
    manifest = table("creatures") + "\n" + REF + table("habitats")
    files.write(
        manifest,
        creatures=[{"slug": "a", "habitat": "sea"}, {"slug": "b", "habitat": None}],
        habitats=[{"slug": "sea"}],
    )
    assert wrong(files) == (
        "dataset creatures has records that are wrong:\n"
        "  creatures.json#/0, field habitat: refers to habitats.slug sea, which only the later dataset habitats"
        " creates; put habitats before creatures in the manifest"
    )


def test_a_reference_to_what_no_dataset_makes(files: Seeds) -> None:
    """It may be there already: a doubt, with the nearest, and no fault."""
    files.write(
        table("habitats") + "\n" + table("creatures") + "\n" + REF,
        habitats=[{"slug": "forest"}],
        creatures=[{"slug": "a", "habitat": "forrest"}],
    )
    assert checked(files) == (
        {"habitats": 1, "creatures": 1},
        [
            (
                "dataset creatures: habitat refers to habitats.slug forrest (did you mean forest?), which dataset"
                " habitats does not create; the rows must exist already"
            )
        ],
    )


@pytest.mark.parametrize(
    ("options", "doubt"),
    [
        ({"ignore": ["idd"]}, "ignore names idd, but no record has that field (did you mean id?)"),
        ({"fields": None}, "fields.nme names nme, but no record has that field (did you mean name?)"),
        ({"refs": None}, "refs.h_id.from names nme, but no record has that field (did you mean name?)"),
    ],
)  # fmt: skip
def test_names_that_no_record_has(files: Seeds, options: dict[str, Any], doubt: str) -> None:
    """Right where the next file has them, or where [defaults] says it for all; so no fault."""
    more = {
        "fields": "\nfields.nme = { secret = true }\n",
        "refs": '\nrefs.h_id = { from = "nme", table = "h", match = "slug", take = "id" }\n',
    }
    (name,) = options
    options = {} if name in more else options
    files.write(
        table(**options) + more.get(name, ""), creatures=[{"slug": "a", "id": 1, "name": 2}]
    )
    assert checked(files) == ({"creatures": 1}, [f"dataset creatures: {doubt}"])


def test_nothing_is_doubted_of_an_empty_file(files: Seeds) -> None:
    """No record has any field, and that says nothing."""
    files.write(table(ignore=["id"]), creatures=[])
    assert checked(files) == ({"creatures": 0}, [])
