"""The lines of a server's `.env`, as Compose reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Line:
    """A variable and its value, without quotes."""

    number: int
    name: str
    value: str


def read_lines(text: str, faults: list[str]) -> Iterator[Line]:
    """Yield the lines that set a variable.

    Args:
        text: the file's.
        faults: gets a message for each line that is invalid.
    """
    seen: dict[str, int] = {}
    if text.startswith("\ufeff"):
        faults.append("line 1: begins with a byte order mark; save it as UTF-8 without one")
    if "\r" in text:
        faults.append(
            "has Windows line ends, so each value would end with a carriage return; save it with Unix line ends"
        )
    for number, whole in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        line = whole.strip().removeprefix("export ").lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            faults.append(f"line {number}: must look like NAME=value")
        elif name != name.strip() or (value and value[0].isspace()):
            faults.append(f"line {number}: {name.strip()}: no spaces around =")
        elif not NAME.fullmatch(name):
            faults.append(f"line {number}: the text before = is not a valid name of a variable")
        elif name in seen:
            faults.append(f"line {number}: {name}: is set already, in line {seen[name]}")
        else:
            seen[name] = number
            plain = _unquoted(value)
            if plain is None:
                faults.append(f"line {number}: {name}: the quote is not closed, or more follows it")
            else:
                yield Line(number, name, plain)


def _unquoted(value: str) -> str | None:
    """Return the value as Compose reads it; None if its quotes are invalid."""
    if value[:1] not in {"'", '"'} or not value:
        return re.sub(r"\s+#.*", "", value).strip()
    match = re.fullmatch(r"""'([^']*)'\s*(?:#.*)?|"((?:[^"\\]|\\.)*)"\s*(?:#.*)?""", value)
    return (match[1] or match[2] or "") if match else None
