"""A source's bytes to its document: compression by content, format by name or as the manifest says."""

from __future__ import annotations

from compose_seeder.documents.csv_document import CsvDocument
from compose_seeder.documents.elements import Document
from compose_seeder.documents.json_document import JsonDocument
from compose_seeder.documents.json_lines import JsonLines
from compose_seeder.documents.wrong_format import refuse_binary
from compose_seeder.documents.yaml_document import YamlDocument
from compose_seeder.manifest.shape_options import ShapeOptions
from compose_seeder.sources.content import Pieces
from compose_seeder.sources.decompress import check_utf8, decompress
from compose_seeder.sources.encoding import to_utf8
from compose_seeder.sources.format import format_of

DEFAULTS = ShapeOptions()

SMALL_BYTES = 1 << 16
"""The size up to which a text is read once and kept: of many small files, opening them takes most of the time."""


def open_document(name: str, pieces: Pieces, options: ShapeOptions = DEFAULTS) -> Document:
    """Return a source's document.

    Args:
        name: file name; its ending is that of the format.
        pieces: the bytes as they were read; gzip and zstd are known by their first bytes.
        options: of the dataset: how the file is written, where its name does not say so.

    Raises:
        SourceError: the bytes cannot be decompressed, or are too large.
        RecordError: the file is no text, or not in its encoding.
    """
    plain = _kept_if_small(decompress(name, pieces))
    refuse_binary(name, next(plain(), b""))
    text = to_utf8(name, plain, options.encoding)
    check_utf8(name, text)
    match format_of(name, options.format):
        case "csv" | "tsv":
            return CsvDocument(name, text, options.csv_options(name), options.columns)
        case "lines":
            return JsonLines(name, text)
        case "yaml":
            return YamlDocument(name, text)
        case _:
            return JsonDocument(name, text)


def _kept_if_small(pieces: Pieces) -> Pieces:
    text = pieces()
    first = next(text, b"")
    if len(first) > SMALL_BYTES or next(text, None) is not None:
        return pieces
    return lambda: iter([first] if first else [])
