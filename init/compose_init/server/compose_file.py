"""The variables and secret files that Compose files name."""

from __future__ import annotations

import re

REFERENCE = re.compile(
    r"\$(?:(?P<escape>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?P<operator>:?[-?+])?)|(?P<end>\})",
    re.ASCII,
)
"""A variable in a value, by Compose's rules, or the end of a fallback."""
PASSED = re.compile(
    r"^\s+(?:-\s+[\"']?([A-Z_][A-Z0-9_]*)[\"']?|([A-Z_][A-Z0-9_]*):)\s*$", re.MULTILINE
)
"""A variable that is passed on under its own name."""
SECRET_FILE = re.compile(
    r"""^\s+file:\s*(?:"(\./[^"$]+)"|'(\./[^'$]+)'|(\./[^$\n]*?))\s*$""", re.MULTILINE
)
"""The file of a secret, where its path has no variable."""
WHOLE_ENV_FILE = re.compile(
    r"^\s+(?:env_file:|-)\s*\[?(?:path:\s*)?[\"']?(?:\./)?\.env\b", re.MULTILINE
)
"""A service that gets all variables of `.env`."""


def named_variables(text: str) -> dict[str, bool]:
    """Return the variables that the text of Compose files names, with True for those that it needs.

    By Compose's rules: `$$` is a dollar sign; `:-`, `-`, `:+` and `+` have a fallback, and so
    has a reference inside such a fallback.
    """
    found: dict[str, bool] = {}
    text = _without_comments(text)
    open_braces = 0
    for match in REFERENCE.finditer(text):
        if match["end"]:
            open_braces = max(0, open_braces - 1)
            continue
        name = match["plain"] or match["braced"]
        if name:
            needed = match["operator"] in {None, "?", ":?"} and not open_braces
            found[name] = found.get(name, False) or needed
        open_braces += match["braced"] is not None
    for listed, mapped in PASSED.findall(text):
        found.setdefault(listed or mapped, False)
    return found


def named_secret_files(text: str) -> list[str]:
    """Return the paths of secrets, beginning with `./`."""
    return ["".join(forms) for forms in SECRET_FILE.findall(_without_comments(text))]


def passes_whole_env_file(text: str) -> bool:
    """Tell if a service gets all variables of `.env`."""
    return bool(WHOLE_ENV_FILE.search(text))


def _without_comments(text: str) -> str:
    return "\n".join(_code(line) for line in text.splitlines())


def _code(line: str) -> str:
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and not line[:place].strip():
            return ""
        elif letter == "#" and line[place - 1].isspace():
            return line[:place]
    return line
