"""How a CSV file separates, quotes and spells its values: recognised where it is certain, else as the manifest says."""

from __future__ import annotations

import re

from compose_seeder.manifest.csv_options import CsvOptions

SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
"""What stands between values in the files of databases and spreadsheets."""

DECLARED_BY_EXCEL = re.compile(r'"?sep=(.)"?,*\r?\n?')
"""A first line by which Excel knows the separator."""

WITH_COMMA = re.compile(
    r"[+-]?(?:\d+|\d{1,3}(?:[.\u0020\u00a0\u202f'\u2019]\d{3})+)(?:,\d+)?(?:[eE][+-]?\d+)?"
)
"""A number with a comma before its fraction, and signs between its thousands."""

BETWEEN_THOUSANDS = re.compile(r"[.\u0020\u00a0\u202f'\u2019]")

NUMBER = re.compile(r"[+-]?[\d.,\u0020\u00a0\u202f'\u2019]*\d")
"""What is meant as a number, in whatever spelling."""


class UncertainSeparatorError(Exception):
    """A header has several signs that could be the separator."""


def recognise_separator(line: str, options: CsvOptions) -> str:
    """Return the separator that a header has.

    Args:
        line: the first line.
        options: of the dataset.

    Raises:
        UncertainSeparatorError: it may be one of several.
    """
    if options.separator:
        return options.separator
    quote = re.escape(options.quote)
    bare = re.sub(f"{quote}(?:[^{quote}]|{quote}{quote})*{quote}", "", line)
    found = [sign for sign in SEPARATORS if sign in bare]
    if "," in found or not found:
        return ","
    if len(found) > 1:
        raise UncertainSeparatorError(" or ".join(SEPARATORS[sign] for sign in found))
    return found[0]


def declared_by_excel(line: str) -> str:
    """Return the separator that a first line such as `sep=;` declares, or ""."""
    found = DECLARED_BY_EXCEL.fullmatch(line)
    return found[1] if found else ""


def with_point(value: str) -> str | None:
    """Return a number that has a comma with a point, as JSON and SQL write it.

    Any other text stays as it is; None where a number is spelt in a way that would mean two things.
    """
    if WITH_COMMA.fullmatch(value):
        return BETWEEN_THOUSANDS.sub("", value).replace(",", ".")
    return None if NUMBER.fullmatch(value) else value


def has_comma(value: str) -> bool:
    """Tell if a text is a number with a comma before its fraction."""
    return "," in value and WITH_COMMA.fullmatch(value) is not None
