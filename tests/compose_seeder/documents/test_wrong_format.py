"""A file that is not what its name says is called by its name, and what is proposed works."""

from __future__ import annotations

import io
import re
import zipfile

import pytest

from compose_seeder import check
from compose_seeder.errors import RecordError
from compose_seeder.sources import Sources
from tests.support.seed_folder import Seeds, counts, table


def workbook() -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return found.getvalue()


def archive() -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as opened:
        opened.writestr("creatures.json", "[]")
    return found.getvalue()


@pytest.mark.parametrize(
    ("ending", "text", "means"),
    [
        ("json", "- slug: a\n  hp: 1\n", "YAML; give it the ending .yaml"),
        ("json", "# mine\n- {slug: a, hp: 1}\n", "YAML; give it the ending .yaml"),
        ("json", "slug,hp\na,1\n", "CSV; give it the ending .csv"),
        ("json", "slug;hp\r\na;1\r\n", "CSV; give it the ending .csv"),
        ("json", '{"slug": "a"}\n{"slug": "b"}\n', "one JSON object on each line; give it the"),
        ("ndjson", '[\n  {"slug": "a"}\n]\n', "JSON; give it the ending .json"),
        ("ndjson", "- slug: a\n- slug: b\n", "YAML; give it the ending .yaml"),
        ("csv", '[{"slug": "a", "hp": 1}]', "JSON; give it the ending .json"),
        ("csv", '{"slug": "a", "hp": 1}\n{"slug": "b", "hp": 1}', "one JSON object on each line"),
    ],
)
def test_the_format_that_it_is(seeds: Seeds, ending: str, text: str, means: str) -> None:
    """The same in `check`, and with what is proposed the records are there."""
    seeds.do("CREATE TABLE creatures (slug text, hp int)")
    name = f"creatures.{ending}"
    seeds.write(table().replace("creatures.json", name))
    (seeds.folder / name).write_text(text)
    for act in (seeds.run, lambda: check(seeds.manifest, Sources())):
        with pytest.raises(RecordError) as raised:
            act()
        assert f"looks like {means}" in str(raised.value)
    found = re.search(r"set (format = \S+) in the manifest", str(raised.value))
    assert found
    seeds.write(table().replace("creatures.json", name) + f"\n{found[1]}")
    assert counts(seeds.run())["created"] >= 1


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("creatures.xlsx", workbook(), "is a workbook of Excel or LibreOffice; save the sheet as"),
        ("creatures.csv", workbook(), "is a workbook of Excel or LibreOffice; save the sheet as"),
        ("creatures.json", archive(), "is a ZIP archive; unpack it"),
        ("creatures.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "is an Excel workbook"),
        ("creatures.json", b"<!DOCTYPE html><html>", "looks like XML or HTML; is it the page of"),
        ("creatures.csv", b"<html><body>", "looks like XML or HTML"),
        ("creatures.json", b"PAR1" + bytes(99), "is a Parquet file"),
        ("creatures.json", b"just words", "creatures.json:1:1: is not valid JSON"),
        ("creatures.json", b'[{"slug": "a",}]', "trailing comma"),
    ],
)
def test_what_cannot_be_read(seeds: Seeds, name: str, data: bytes, said: str) -> None:
    """Is named, with the way out; what is no other format keeps its own message."""
    seeds.do("CREATE TABLE creatures (slug text, hp int)")
    seeds.write(table().replace("creatures.json", name))
    (seeds.folder / name).write_bytes(data)
    with pytest.raises(RecordError) as raised:
        seeds.run()
    assert said in str(raised.value)
