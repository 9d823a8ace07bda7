"""How a source's bytes are read: the format by the ending of its name, or as the manifest says."""

from __future__ import annotations

from typing import Literal

Format = Literal["json", "lines", "csv", "tsv", "yaml"]

ENDINGS: dict[str, Format] = {
    ".json": "json",
    ".geojson": "json",
    ".ndjson": "lines",
    ".jsonl": "lines",
    ".csv": "csv",
    ".tsv": "tsv",
    ".yaml": "yaml",
    ".yml": "yaml",
}
"""The ending of a name, and the format; a name with any other ending is read as JSON."""

COMPRESSED = (".gz", ".zst")


def format_of(name: str, declared: Format | None = None) -> Format:
    """Return the format of a file.

    Args:
        name: of the file; an ending for its compression may follow.
        declared: what the manifest says.
    """
    if declared:
        return declared
    stem = name.removesuffix(".gz").removesuffix(".zst").lower()
    return next((found for ending, found in ENDINGS.items() if stem.endswith(ending)), "json")
