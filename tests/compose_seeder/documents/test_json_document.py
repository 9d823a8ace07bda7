"""Sources decoded: JSON, lines, compression, pointers, and what is said where they are wrong."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
import zstandard

from compose_seeder.documents.open_document import open_document
from compose_seeder.errors import RecordError, SourceError
from compose_seeder.sources.decompress import decompress

LINES = b'{"a": 1}\n\n{"a": 2}\n'


def fields(name: str, data: bytes, pointer: str = "") -> list[dict[str, str]]:
    """Return the records, with their values as raw text."""
    records = open_document(name, lambda: iter([data])).array(pointer)
    return [{key: bytes(raw).decode() for key, raw in record.fields.items()} for record in records]


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        (b'[{"a": 1}, {"a": 2}]', ""),
        (b'{"x": {"y/z~": [{"a": 1}, {"a": 2}]}}', "/x/y~1z~0"),
        (b'\xef\xbb\xbf[{"a": 1}, {"a": 2}]', ""),
    ],
)
def test_an_array_is_found_by_pointer(data: bytes, pointer: str) -> None:
    """The document itself by default, RFC 6901's escapes, a byte order mark skipped."""
    assert fields("s.json", data, pointer) == [{"a": "1"}, {"a": "2"}]


@pytest.mark.parametrize("name", ["s.ndjson", "s.jsonl.gz", "s.jsonl.zst"])
def test_lines_are_records(name: str) -> None:
    """One object a line, empty lines skipped, compressed or not."""
    pack = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress}
    data = pack.get(name.rsplit(".", 1)[1], bytes)(LINES)
    assert fields(name, data) == [{"a": "1"}, {"a": "2"}]


def test_numbers_keep_every_digit() -> None:
    """Raw text stays raw: no number is read as a float on the way."""
    numbers = ["1e400", "0.12345678901234567890", "123456789012345678901234567890", "1.0"]
    data = "[" + ", ".join(f'{{"n": {number}}}' for number in numbers) + "]"
    assert [record["n"] for record in fields("s.json", data.encode())] == numbers


def test_several_zstd_frames_are_one_document() -> None:
    """A file put together from compressed parts is read to its end."""
    compress = zstandard.ZstdCompressor().compress
    assert len(fields("s.ndjson", compress(LINES) + compress(LINES))) == 4


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_cut_off_file_is_not_taken_for_a_short_one(compress: Any) -> None:
    """Half an upload is an error even where the part that is there holds whole lines."""
    packed = compress(LINES * 100_000)
    with pytest.raises(SourceError, match="cannot be decompressed"):
        fields("s.ndjson", packed[:-12])


def test_rubbish_in_zstd_clothes_is_refused() -> None:
    """The first bytes promise zstd and the rest does not hold it."""
    with pytest.raises(SourceError, match="cannot be decompressed"):
        fields("s.json", b"\x28\xb5\x2f\xfd" + b"\xff" * 40)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_what_unpacks_too_large_is_refused(compress: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that becomes a huge one does not fill the memory."""
    monkeypatch.setattr("compose_seeder.sources.decompress.MAX_BYTES", 1 << 20)
    with pytest.raises(SourceError, match="larger than 1 MiB"):
        fields("s.ndjson", compress(b" " * (8 << 20)))


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_bomb_does_not_go_off_at_once(compress: Any) -> None:
    """What a few bytes unpack_ids to is seen in pieces, so that the bound is seen before memory is full."""
    packed = compress(b" " * (96 << 20))
    assert max(map(len, decompress("s.json", lambda: iter([packed]))())) <= 1 << 25


@pytest.mark.parametrize(
    ("data", "pointer", "said"),
    [
        (b'[\n  {"a": 1},\n  {"a": }\n]', "", r"s\.json:3:9: is not valid JSON"),
        (b'{"monsters": []}', "/monster", "no array of records; the document has /monsters"),
        (b'{"monsters": {}}', "/monsters", r"s\.json#/monsters: there is no array"),
        (b"[]", "/monsters", "the document is not an object"),
        (b'[{"a": 1}, 2, [3]]', "", r"#/1: is not a JSON object.*\n.*#/2: is not"),
        (rb'[{"a": {"b": 1, "b": 2, "c": "\u0022:"}}]', "", "field a/b: occurs twice"),
        (rb'[{"a": {"b": 1, "b": 2, "c": "\"\u003a"}}]', "", "field a/b: occurs twice"),
        ("[{}, {}]\n\n[é".encode("latin-1"), "", r"s\.json:3: is not UTF-8"),
    ],
)
def test_what_is_wrong_is_placed(data: bytes, pointer: str, said: str) -> None:
    """A person finds the place: line and column, pointer, or element."""
    with pytest.raises(RecordError, match=said):
        fields("s.json", data, pointer)


def test_wrong_lines_are_named_by_number() -> None:
    """All of them at once; a pointer into lines is the manifest's fault."""
    with pytest.raises(RecordError, match=r"s\.jsonl:2:5: .*\n.*s\.jsonl:3: "):
        fields("s.jsonl", b'{"a": 1}\n{"a"\n[]\n')
    with pytest.raises(RecordError, match="have no pointer"):
        fields("s.jsonl", LINES, "/a")
