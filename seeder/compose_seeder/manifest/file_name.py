"""Parts of a file's name as a value: `{file.stem}`, `{file.folder}`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

PART = re.compile(r"\{file\.([^{}]*)\}")

NUMBERED = re.compile(r"folder\[(\d+)\]")

ENDINGS = (".gz", ".zst", ".json", ".ndjson", ".jsonl", ".csv", ".tsv", ".yaml", ".yml")
"""The endings that say how a file is read, and not what it is."""

KNOWN = "{file.name}, {file.stem}, {file.path}, {file.folder} and {file.folder[0]}"


def names_file(text: object) -> bool:
    """Tell if a constant has a part of the file's name in it."""
    return isinstance(text, str) and PART.search(text) is not None


def unknown_parts(text: object) -> Iterator[str]:
    """Yield the parts in a constant that no file's name has."""
    if isinstance(text, str):
        for found in PART.finditer(text):
            if found[1] not in {"name", "stem", "path", "folder"} and not NUMBERED.fullmatch(
                found[1]
            ):
                yield found[0]


def stem_of(name: str) -> str:
    """Return a file's name without its folders, and without the endings that say how it is read."""
    stem = PurePosixPath(name).name
    while ending := next((one for one in ENDINGS if stem.lower().endswith(one)), ""):
        stem = stem[: -len(ending)]
    return stem


def fill_parts(text: str, name: str) -> str:
    """Return a constant with the parts of a file's name in it.

    Args:
        text: the constant.
        name: the file's path, relative to the manifest.

    Raises:
        LookupError: the path has no such folder.
    """
    path = PurePosixPath(name)
    folders = path.parts[:-1]

    def part(found: re.Match[str]) -> str:
        if found[1] == "name":
            return path.name
        if found[1] == "stem":
            return stem_of(name)
        if found[1] == "path":
            return name
        number = NUMBERED.fullmatch(found[1])
        position = int(number[1]) if number else len(folders) - 1
        if not 0 <= position < len(folders):
            raise LookupError(found[0])
        return folders[position]

    return PART.sub(part, text)
