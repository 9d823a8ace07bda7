"""What a file is that is not what its name says: called by its name, with the way out, which has been tried."""

from __future__ import annotations

import csv
from io import StringIO

from msgspec import DecodeError, Raw
from msgspec.json import decode

from compose_seeder.documents.batch import fields_of
from compose_seeder.documents.csv_dialect import UncertainSeparatorError, recognise_separator
from compose_seeder.documents.pointer_pattern import kind_of
from compose_seeder.errors import Fault, RecordError
from compose_seeder.manifest.csv_options import CsvOptions
from compose_seeder.sources.format import Format

MAX_BYTES = 1 << 26
"""The size up to which a text is tried as something else."""

BINARY = {
    b"PAR1": "a Parquet file; export it as CSV or JSON",
    b"SQLite format 3\0": "an SQLite database; export its tables as CSV or JSON",
    b"%PDF": "a PDF; a table in it must be exported as CSV",
    b"BZh": "compressed with bzip2; use gzip or zstd",
    b"\xfd7zXZ\0": "compressed with xz; use gzip or zstd",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it, or use gzip or zstd",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an Excel workbook; save the sheet as “CSV UTF-8”, and name that file",
}
"""What begins with which bytes."""

SPREADSHEETS = (b"xl/", b"[Content_Types].xml", b"vnd.oasis.opendocument.spreadsheet")

ENDINGS: dict[Format, str] = {
    "json": ".json",
    "lines": ".ndjson",
    "csv": ".csv",
    "tsv": ".tsv",
    "yaml": ".yaml",
}


NAMES: dict[Format, str] = {
    "json": "JSON",
    "lines": "one JSON object on each line",
    "csv": "CSV",
    "tsv": "TSV",
    "yaml": "YAML",
}


def refuse_binary(name: str, first: bytes) -> None:
    """Refuse a file that is no text.

    Args:
        name: of the file.
        first: its first bytes, decompressed.

    Raises:
        RecordError: it is a workbook, an archive or another file that cannot be read.
    """
    what = next((said for start, said in BINARY.items() if first.startswith(start)), "")
    if first.startswith(b"PK\x03\x04"):
        is_sheet = any(sign in first[:4096] for sign in SPREADSHEETS)
        what = (
            "a workbook of Excel or LibreOffice; save the sheet as “CSV UTF-8”, and name that file"
            if is_sheet
            else "a ZIP archive; unpack it, and name the file in it"
        )
    if what:
        raise RecordError("a seed file cannot be read", [Fault(name, "", "", f"is {what}")])


def other_format(data: bytes, given: Format) -> str:
    """Return what a text is that cannot be read in a format, with the way out; "" where nobody can tell.

    Args:
        data: the text.
        given: the format in which it cannot be read.
    """
    start = data[:64].lstrip()[:1]
    if start == b"<":
        return "is not what the manifest expects, but looks like XML or HTML; is it the page of an error?"
    if not data.strip() or len(data) > MAX_BYTES:
        return ""
    tries: dict[Format, bool] = {
        "json": start in b"[{" and _is_json(data),
        "lines": start == b"{" and _is_lines(data),
    }
    if start not in b"[{\"'":
        tries |= {"yaml": _is_yaml(data), "csv": _is_csv(data)}
    found = next((one for one, fits in tries.items() if fits and one != given), None)
    if found is None:
        return ""
    return (
        f"is not {NAMES[given]}, but looks like {NAMES[found]}; give it the ending {ENDINGS[found]}, or set"
        f' format = "{found}" in the manifest'
    )


def _is_json(data: bytes) -> bool:
    try:
        decode(data, type=Raw)
    except (DecodeError, RecursionError):
        return False
    return True


def _is_lines(data: bytes) -> bool:
    lines = [line for line in data.split(b"\n") if line.strip()]
    try:
        return len([fields_of(line) for line in lines]) > 1
    except (DecodeError, RecursionError):
        return False


def _is_yaml(data: bytes) -> bool:
    from compose_seeder.documents.yaml_to_json import to_json  # noqa: PLC0415 - heavy, and seldom

    try:
        return kind_of(to_json("", data).text) in {"an object", "an array"}
    except RecordError:
        return False


def _is_csv(data: bytes) -> bool:
    """Tell if all lines have the same number of cells, and more than one."""
    try:
        text = data.decode("utf-8-sig")
        separator = recognise_separator(text.partition("\n")[0], CsvOptions())
        rows = [row for row in csv.reader(StringIO(text), delimiter=separator, strict=True) if row]
    except (UnicodeDecodeError, UncertainSeparatorError, csv.Error):
        return False
    return len(rows) > 1 and {len(row) for row in rows} == {len(rows[0])} and len(rows[0]) > 1
