"""The variables of a server's `.env`, as Compose reads them.

A statement is `NAME=value`, also with `export` before it, spaces around the sign, or `:` instead of it. A value without
quotes ends with its line, or before ` #`; one in quotes may have several lines. In double quotes and without quotes,
variables that were set before are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compose_init.server.interpolation import InvalidReferenceError, interpolate

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
BETWEEN = re.compile(r"\s*(?:#[^\n]*\s*)*")
"""What stands between two statements: white space and comments."""
EXPORT = re.compile(r"export\s+")
SIGN = re.compile(r"[=:\n]")
SPACE = re.compile(r"[ \t\v\f\r\x85\xa0]*")
QUOTED = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL),
}
NOTHING_MORE = re.compile(rf"{SPACE.pattern}(?:#[^\n]*)?(?=\n|$)")
ESCAPE = re.compile(r'\\(?:([abcfnrtv$"\\])|0(\d{0,3}))')
OCTAL = re.compile(r"[0-3][0-7]{2}")
ESCAPED = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)), '"': '"', "\\": "\\"}


@dataclass(frozen=True)
class Line:
    """A variable, its value, and the number of the line where it begins."""

    number: int
    name: str
    value: str


@dataclass(frozen=True)
class _Statement:
    """A statement as it stands.

    Attributes:
        sign: `=` or `:`; "" where neither follows, so that there is no statement.
        quote: of the value, or ""; None for one that is not closed.
        value: between the quotes.
        end: the place after it.
    """

    name: str
    sign: str
    quote: str | None
    value: str
    end: int


def read_lines(text: str, faults: list[str]) -> Iterator[Line]:
    """Yield the statements that set a variable.

    Args:
        text: the file's.
        faults: gets a message for each statement that Compose refuses, or that surely means something else to Compose
            than to its author.
    """
    text = text.removeprefix("\ufeff")
    values: dict[str, str] = {}
    seen: dict[str, int] = {}
    place = _end(BETWEEN, text, 0)
    while place < len(text):
        number = text.count("\n", 0, place) + 1
        found = _read_statement(text, place)
        fault = _find_fault(found, seen, text)
        if not fault:
            seen[found.name] = number
            try:
                values[found.name] = _meaning(found, values)
                yield Line(number, found.name, values[found.name])
            except InvalidReferenceError as error:
                fault = f"{found.name}: {error}"
        if fault:
            faults.append(f"line {number}: {fault}")
        place = _end(BETWEEN, text, found.end)


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match else place


def _read_statement(text: str, place: int) -> _Statement:
    place = _end(EXPORT, text, place)
    match = SIGN.search(text, place)
    if match is None or match[0] == "\n":
        return _Statement("", "", "", "", match.start() if match else len(text))
    name, sign = text[place : match.start()].rstrip(), match[0]
    begin = _end(SPACE, text, match.end())
    quote = text[begin : begin + 1]
    if quote not in QUOTED:
        quote = ""
    elif match := QUOTED[quote].match(text, begin):
        return _Statement(name, sign, quote, match[1], match.end())
    end = text.find("\n", begin)
    end = len(text) if end < 0 else end
    value = text[begin:end].partition(" #")[0].rstrip()
    return _Statement(name, sign, None if quote else "", value, end)


def _find_fault(found: _Statement, seen: Mapping[str, int], text: str) -> str:
    if not found.sign:
        return "must look like NAME=value"
    if not NAME.fullmatch(found.name):
        return "the text before = is not a valid name of a variable"
    if found.name in seen:
        return f"{found.name}: is set already, in line {seen[found.name]}"
    if found.quote is None or (found.quote and not NOTHING_MORE.match(text, found.end)):
        return f"{found.name}: the quote is not closed, or more follows it"
    if not found.quote and "\t#" in found.value:
        return f"{found.name}: a TAB before # begins no comment for Compose; write a space"
    return ""


def _meaning(found: _Statement, variables: Mapping[str, str]) -> str:
    """Return what a value means, with the variables that were set before it."""
    if found.quote == "'":
        return found.value.replace("\\'", "'")
    value = ESCAPE.sub(_unescaped, found.value) if found.quote else found.value
    return interpolate(value, variables)


def _unescaped(match: re.Match[str]) -> str:
    letter, digits = match[1], match[2]
    if letter == "$":
        return "$$"
    if letter:
        return ESCAPED.get(letter, match[0])
    return chr(int(digits, 8)) if OCTAL.fullmatch(digits) else f"\\{digits}"
