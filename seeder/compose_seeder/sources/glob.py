"""Patterns: one source that stands for several files or objects.

    monsters/**/*.json ─▶ a folder, and what is looked for in it

`*` and `?` stay within a folder, `[…]` is one of some characters, `**/` goes through all below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from compose_seeder.errors import ManifestError

SIGNS = "*?["
"""What makes a source a pattern."""

PREFIX, SEPARATOR = "glob:", "//"
"""Of a pattern's location; a folder above the manifest's may have the signs in its own name."""

PARTS = re.compile(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])")
ESCAPED = re.compile(r"[\\\[^&~|]")
"""What means something within the brackets of a regular expression, and nothing in a pattern's."""

MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is looked for, and where.

    Attributes:
        folder: a path or URL, without a `/` at its end.
        glob: within the folder.
    """

    folder: str
    glob: str

    @property
    def location(self) -> str:
        """The place of what it stands for, as `Sources` reads it."""
        return f"{PREFIX}{self.folder}{SEPARATOR}{self.glob}"

    def matches(self, name: str) -> bool:
        """Whether it stands for a name within its folder."""
        return bool(re.fullmatch(self._expression, name))

    @property
    def _expression(self) -> str:
        return "".join(map(_meaning, PARTS.split(self.glob)))

    def check(self) -> None:
        """Raise `ManifestError` where a `[…]` in it stands for no characters."""
        try:
            re.compile(self._expression)
        except re.error:
            raise ManifestError(
                f"{self.glob}: a […] in it is none; it holds characters, or ranges such as a-z"
            ) from None


def is_pattern(source: str) -> bool:
    """Whether a source, as a manifest names it, stands for several: in a web address `?` begins the query."""
    return not source.lower().startswith("https:") and any(sign in source for sign in SIGNS)


def folder_of(source: str) -> str:
    """What stands before the first part of a pattern that has a sign, with its `/`."""
    start = min(source.find(sign) for sign in SIGNS if sign in source)
    return source[: source.rfind("/", 0, start) + 1]


def pattern_at(location: str) -> Pattern | None:
    """The pattern whose location this is; None where it is that of a single source."""
    if not location.startswith(PREFIX):
        return None
    folder, _, glob = location.removeprefix(PREFIX).rpartition(SEPARATOR)
    return Pattern(folder, glob)


def _meaning(part: str) -> str:
    if part.startswith("[") and part.endswith("]"):
        # A set that leaves out some characters would hold the separator of folders.
        others = "^" if part.startswith("[!") else ""
        some = ESCAPED.sub(r"\\\g<0>", part[1:-1].removeprefix("!"))
        return f"(?!/)[{others}{some}]"
    return MEANING.get(part) or re.escape(part)
