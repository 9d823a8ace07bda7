"""Variables in values, as Compose replaces them: `$NAME`, `${NAME}`, `${NAME:-default}` and its relatives."""

from __future__ import annotations

import re
from collections.abc import Mapping

REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>[_a-z][_a-z0-9]*)"
    r"|\{(?:(?P<braced>[_a-z][_a-z0-9]*(?::?[-+?].*)?)\}|(?P<invalid>)))",
    re.ASCII | re.IGNORECASE,
)
"""A reference; one with an operator up to the last brace of the line, of which `_split` leaves the first part."""
OPERATOR = re.compile(r":?[-+?]")


class InvalidReferenceError(ValueError):
    """A reference that Compose refuses; the message says why, without a value."""


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Return the text with the values of its variables; a variable that is not set is empty.

    Raises:
        InvalidReferenceError: Compose would refuse the text.
    """
    return REFERENCE.sub(lambda match: _value_of(match[0], variables), text)


def _value_of(reference: str, variables: Mapping[str, str]) -> str:
    reference, rest = _split(reference)
    match = REFERENCE.match(reference)
    if match is None:
        return ""
    if match["escaped"]:
        return "$"
    if match["named"]:
        return variables.get(match["named"], "")
    if not match["braced"]:
        raise InvalidReferenceError(
            "a variable in braces must look like ${NAME} or ${NAME:-default}"
        )
    return _braced(match["braced"], variables) + interpolate(rest, variables)


def _split(reference: str) -> tuple[str, str]:
    """Return a reference up to the brace that closes it, and what follows."""
    open_braces, place = 0, 0
    while place < len(reference):
        if reference[place] == "}":
            open_braces -= 1
            if open_braces == 0:
                return reference[: place + 1], reference[place + 1 :]
        if reference.startswith("${", place):
            open_braces += 1
            place += 1
        place += 1
    return reference, ""


def _braced(text: str, variables: Mapping[str, str]) -> str:
    operator = OPERATOR.search(text)
    if operator is None:
        return variables.get(text, "")
    name, other = text[: operator.start()], text[operator.end() :]
    value = variables.get(name)
    is_there = bool(value) if operator[0].startswith(":") else value is not None
    if operator[0].endswith("+"):
        other = interpolate(other, variables)
        return other if is_there else value or ""
    if is_there:
        return value or ""
    if operator[0].endswith("?"):
        raise InvalidReferenceError("a variable that it requires by ? is not set before it")
    return interpolate(other, variables)
