"""The examples of docs/shapes.md: files, a manifest, tables, and the rows that come out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/shapes.md"

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(
    r"^`([\w./-]+\.\w+)`[^\n]*:[^\n]*\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
ENCODING = re.compile(r"saved as (UTF-16|UTF-8 with BOM|Windows-1252)")
CODECS = {"UTF-16": "utf-16", "UTF-8 with BOM": "utf-8-sig", "Windows-1252": "cp1252"}
ROWS = re.compile(
    r"^`(\w+)` then holds:\n\n\| (.*?) \|\n\|[- |]+\|\n((?:\|.*\|\n?)+)", re.MULTILINE
)


@dataclass(frozen=True)
class Example:
    """One section of the page.

    Attributes:
        title: of the section.
        files: the bytes of each file, by its path; the manifest among them.
        sql: creates the tables.
        table: whose rows are shown.
        columns: that are shown.
        rows: as text, in their order.
    """

    title: str
    files: dict[str, bytes]
    sql: str
    table: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]

    @property
    def datasets(self) -> int:
        """How many datasets the manifest has."""
        return self.files["seeds.toml"].count(b"[[dataset]]")


def examples() -> list[Example]:
    """Return the examples of the page."""
    _, *sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [_example(section) for section in sections]


def _example(section: str) -> Example:
    fences = dict(FENCE.findall(section))
    files = {}
    for found in NAMED.finditer(section):
        encoding = ENCODING.search(found[0].partition("\n")[0])
        codec = CODECS[encoding[1]] if encoding else "utf-8"
        files[found[1]] = found[2].encode(codec)
    files["seeds.toml"] = fences["toml"].encode()
    shown = ROWS.search(section)
    assert shown, section
    rows = [tuple(_cells(line)) for line in shown[3].splitlines()]
    return Example(
        section.partition("\n")[0],
        files,
        fences["sql"],
        shown[1],
        tuple(_cells(f"| {shown[2]} |")),
        rows,
    )


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
