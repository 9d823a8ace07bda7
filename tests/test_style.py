"""Words that were replaced by standard terms do not come back: see docs/style.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("init", "seeder", "docs", "deploy", "examples")
ENDINGS = {".py", ".sql", ".md", ".sh"}

RETIRED = {
    "anew": "again",
    "mend": "fix",
    "mended": "fixed",
    "mends": "fixes",
    "misfit": "type error",
    "misfits": "type errors",
    "breach": "constraint violation",
    "breaches": "constraint violations",
    "halving": "bisect",
    "sieve": "unchanged records",
    "sift": "unchanged records",
    "sifted": "unchanged records",
    "crew": "worker pool",
    "stumbled": "error",
}
"""The words, each with the term to use instead."""


def texts() -> dict[str, str]:
    """Return code and documentation, by path."""
    paths = [ROOT / "README.md", ROOT / "Makefile"]
    for folder in FOLDERS:
        paths += [path for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


@pytest.mark.parametrize("word", RETIRED)
def test_a_retired_word_stays_away(word: str) -> None:
    """As a word of its own or as a part of an identifier."""
    pattern = re.compile(rf"(?<![a-z]){word}(?![a-z])", re.IGNORECASE)
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
        for path, text in texts().items()
        for match in pattern.finditer(text)
    ]
    assert found == [], f"use {RETIRED[word]!r}"
