"""Several files as one dataset."""

from __future__ import annotations

import gzip
import json

import pytest

from compose_seeder.errors import ManifestError, RecordError
from tests.support.seed_folder import Seeds, counts, table


def monsters(seeds: Seeds) -> None:
    """Three files of one dataset, each decoded by its own name."""
    seeds.do("CREATE TABLE creatures (slug text, hp int)")
    seeds.write(table().replace('"creatures.json"', '"creatures/*"'))
    folder = seeds.folder / "creatures"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps([{"slug": "goblin", "hp": 7}]))
    (folder / "b.ndjson.gz").write_bytes(gzip.compress(b'{"slug": "orc", "hp": 15}\n'))
    (folder / "c.csv").write_text("slug,hp\nwolf,11\n")


def test_they_are_one_dataset(seeds: Seeds) -> None:
    """Created, known again, and one more file seen."""
    monsters(seeds)
    assert counts(seeds.run()) == {"created": 3}
    assert counts(seeds.run()) == {"unchanged": 3}
    (seeds.folder / "creatures" / "d.json").write_text('[{"slug": "bat", "hp": 1}]')
    assert counts(seeds.run()) == {"created": 1, "unchanged": 3}
    (seeds.folder / "creatures" / "a.json").write_text('[{"slug": "goblin", "hp": 8}]')
    assert counts(seeds.run()) == {"updated": 1, "unchanged": 3}
    assert seeds.rows("SELECT slug, hp FROM creatures ORDER BY slug") == [
        ("bat", 1),
        ("goblin", 8),
        ("orc", 15),
        ("wolf", 11),
    ]


def test_faults_of_all_files_at_once(seeds: Seeds) -> None:
    """Each with its own file; a key in two of them occurs twice."""
    monsters(seeds)
    folder = seeds.folder / "creatures"
    (folder / "a.json").write_text("[1]")
    (folder / "d.ndjson").write_text("{\n")
    with pytest.raises(RecordError) as raised:
        seeds.run()
    places = [fault.where for fault in raised.value.faults]
    assert places == ["creatures/a.json#/0", "creatures/d.ndjson:1:2"]
    (folder / "d.ndjson").unlink()
    (folder / "a.json").write_text('[{"slug": "orc", "hp": 1}]')
    with pytest.raises(RecordError, match=r"twice|already") as raised:
        seeds.run()
    assert "b.ndjson.gz:1" in str(raised.value)


def test_a_pattern_has_no_pin(seeds: Seeds) -> None:
    """One checksum cannot be that of several."""
    monsters(seeds)
    with (seeds.folder / "seeds.toml").open("a") as file:
        file.write(f'\nsha256 = "{"0" * 64}"\n')
    with pytest.raises(ManifestError, match="sha256 is the checksum of one file"):
        seeds.run()
