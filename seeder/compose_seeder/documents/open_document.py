"""A source's bytes to its document: compression by content, format by name."""

from __future__ import annotations

from compose_seeder.documents.batch import Document
from compose_seeder.documents.csv_document import CsvDocument
from compose_seeder.documents.json_document import JsonDocument
from compose_seeder.documents.json_lines import JsonLines
from compose_seeder.sources.content import Pieces
from compose_seeder.sources.decompress import check_utf8, decompress


def open_document(name: str, pieces: Pieces) -> Document:
    """Return a source's document.

    Args:
        name: file name; `.ndjson` and `.jsonl` hold one object a line, `.csv` rows below a header.
        pieces: the bytes as they were read; gzip and zstd are known by their first bytes.

    Raises:
        SourceError: the bytes cannot be decompressed, or are too large.
        RecordError: the text is not UTF-8.
    """
    stem = name.removesuffix(".gz").removesuffix(".zst")
    text = decompress(name, pieces)
    check_utf8(name, text)
    if stem.endswith(".csv"):
        return CsvDocument(name, text)
    if stem.endswith((".ndjson", ".jsonl")):
        return JsonLines(name, text)
    return JsonDocument(name, text)
