"""Patterns: one source that stands for several files or objects.

    monsters/**/*.json ─▶ a folder, and a pattern within it ─▶ the files that match, by name

`*` and `?` stay within a folder, `[…]` is one of some characters, `**/` goes through all folders below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from compose_seeder.errors import ManifestError, SourceError
from compose_seeder.safe_url import scheme_of
from compose_seeder.sources.content import Opened, join_fingerprints
from compose_seeder.sources.source import Source

WILDCARDS = "*?["
"""The characters that make a source a pattern."""

PREFIX, SEPARATOR = "glob:", "//"
"""Of a pattern's location; the folder's own name may hold wildcards."""

PARTS = re.compile(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])")
SPECIAL = re.compile(r"[\\\[^&~|]")
"""Characters with a meaning in the brackets of a regular expression, and none in those of a pattern."""

EXPRESSIONS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Folder(Protocol):
    """A place that can be listed."""

    @property
    def location(self) -> str:
        """The path or URL, without a `/` at its end."""

    def files(self, depth: int | None) -> Iterable[tuple[str, Source]]:
        """Find the files, each with its path within the folder.

        Args:
            depth: how many folders deep the pattern reaches; without end where it is None.

        Raises:
            SourceError: the folder cannot be listed.
        """


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of names within a folder."""

    text: str

    def __str__(self) -> str:
        """Return the pattern as the manifest has it."""
        return self.text

    def matches(self, name: str) -> bool:
        """Tell if a path within the folder matches."""
        return bool(re.fullmatch(self._expression, name))

    @property
    def depth(self) -> int | None:
        """How many folders deep it reaches; without end where it is None."""
        return None if "**" in self.text else self.text.count("/")

    @property
    def _expression(self) -> str:
        return "".join(map(_expression_of, PARTS.split(self.text)))

    def check(self) -> None:
        """Check that each `[…]` holds characters.

        Raises:
            ManifestError: one of them does not.
        """
        try:
            re.compile(self._expression)
        except re.error:
            raise ManifestError(
                f"{self.text}: […] is invalid; it must hold characters, or ranges such as a-z"
            ) from None


@dataclass(frozen=True)
class Glob:
    """All files in a folder that match a pattern.

    Attributes:
        folder: local, or in an object store.
        pattern: of the paths within the folder.
    """

    folder: Folder
    pattern: Pattern

    def __str__(self) -> str:
        """Return folder and pattern."""
        return f"{self.folder}/{self.pattern}"

    @property
    def location(self) -> str:
        """Folder and pattern, told apart from a file's location."""
        return f"{PREFIX}{self.folder.location}{SEPARATOR}{self.pattern}"

    def open(self) -> Opened:
        """Open all files that match.

        Raises:
            SourceError: nothing matches, or a file cannot be read.
        """
        opened = [(name, file.open()) for name, file in self._matching()]
        contents = [content for _, each in opened for content in each.contents]
        return Opened(
            tuple(contents), join_fingerprints((name, each.fingerprint) for name, each in opened)
        )

    def fingerprint(self) -> str:
        """Return one fingerprint of the names and contents of all files that match.

        Raises:
            SourceError: as `open`.
        """
        return join_fingerprints((name, file.fingerprint()) for name, file in self._matching())

    def _matching(self) -> list[tuple[str, Source]]:
        files = self.folder.files(self.pattern.depth)
        found = [(name, file) for name, file in files if self.pattern.matches(name)]
        if not found:
            raise SourceError(
                f"{self} matches nothing; correct the pattern, or remove it from the manifest"
            )
        return sorted(found, key=lambda pair: pair[0])


def has_wildcards(source: str) -> bool:
    """Tell if a source of a manifest is a pattern: in a web address, `?` begins the query."""
    return scheme_of(source) != "https" and any(sign in source for sign in WILDCARDS)


def split_pattern(source: str) -> tuple[str, str]:
    """Split a pattern into the folder before its first wildcard, with its `/`, and the rest."""
    start = min(source.find(sign) for sign in WILDCARDS if sign in source)
    end = source.rfind("/", 0, start) + 1
    return source[:end], source[end:]


def split_location(location: str) -> tuple[str, str] | None:
    """Split a glob's location into folder and pattern; None for any other location."""
    if not location.startswith(PREFIX):
        return None
    folder, _, pattern = location.removeprefix(PREFIX).rpartition(SEPARATOR)
    return folder, pattern


def _expression_of(part: str) -> str:
    if part.startswith("[") and part.endswith("]"):
        # A negated set would match the separator of folders.
        negation = "^" if part.startswith("[!") else ""
        characters = SPECIAL.sub(r"\\\g<0>", part[1:-1].removeprefix("!"))
        return f"(?!/)[{negation}{characters}]"
    return EXPRESSIONS.get(part) or re.escape(part)
