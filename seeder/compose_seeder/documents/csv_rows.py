"""Rows of a CSV file in which an empty value in quotes is an empty text, and one without quotes is null.

Python's own reader returns both as "".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import TextIO


class QuoteKeepingReader:
    """Reads rows, as `csv.reader` does, with None for an empty value that has no quotes.

    Args:
        lines: with their ends.
        separator: between values.
        quote: around values; twice in a value.
    """

    def __init__(self, lines: TextIO, separator: str, quote: str) -> None:
        self.line_num = 0
        self._lines = lines
        q, s = re.escape(quote), re.escape(separator)
        self._value = re.compile(f"(?:{q}((?:[^{q}]|{q}{q})*){q}|([^{s}{q}\r\n]*))({s}|\r?\n|$)")
        self._quote = quote

    def __iter__(self) -> Iterator[list[str | None]]:
        """Iterate over the rows."""
        return self

    def __next__(self) -> list[str | None]:
        """Return the next row."""
        text = self._line()
        if not text:
            raise StopIteration
        while text.count(self._quote) % 2:
            more = self._line()
            if not more:
                raise csv.Error("unexpected end of data")
            text += more
        return self._row(text)

    def _line(self) -> str:
        line = self._lines.readline()
        self.line_num += bool(line)
        return line

    def _row(self, text: str) -> list[str | None]:
        row: list[str | None] = []
        position = 0
        if not text.strip("\r\n"):
            return row
        while True:
            found = self._value.match(text, position)
            if not found:
                raise csv.Error("a quote stands in the middle of a value")
            quoted, bare, end = found.groups()
            row.append(
                bare or None if quoted is None else quoted.replace(self._quote * 2, self._quote)
            )
            position = found.end()
            if end.strip("\r\n") == "" or not end:
                return row
