"""How a CSV file is written: `[dataset.csv]`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compose_seeder.manifest.base import Model, Name

Character = Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[^\r\n]$")]


class CsvOptions(Model):
    """What cannot be recognised for certain.

    Attributes:
        separator: between values; recognised from the header by default.
        quote: around values that hold a separator.
        escape: before a quote in a value, where quotes are not doubled.
        null: what stands for null: a text, or several.
        quoted_empty: an empty value in quotes is an empty text; without quotes, it is null.
        decimal_comma: the columns whose numbers have a comma, and points or spaces between thousands.
    """

    separator: Character | None = None
    quote: Character = '"'
    escape: Character | None = None
    null: str | tuple[str, ...] = ""
    quoted_empty: bool = False
    decimal_comma: tuple[Name, ...] = ()

    @property
    def nulls(self) -> frozenset[str]:
        """The texts that stand for null."""
        return frozenset([self.null] if isinstance(self.null, str) else self.null)

    def faults(self) -> list[str]:
        """Return what is wrong with the combination."""
        signs = [sign for sign in (self.separator, self.quote, self.escape) if sign]
        if len(set(signs)) < len(signs):
            return ["csv: separator, quote and escape must be different characters"]
        if self.quoted_empty and (self.escape or "" not in self.nulls):
            return ["csv.quoted_empty needs the empty text as null, and no escape"]
        return []
