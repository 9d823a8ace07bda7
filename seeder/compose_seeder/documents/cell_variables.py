"""Variables in cells of a CSV file whose column has a structure: JSON, arrays, composite values.

    cell ─▶ its texts in double quotes ─▶ each variable as text, escaped ─▶ cell

The value of a variable is text: it never adds a field, an element, a number or a null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec.json import encode

CellSyntax = Literal["json", "literal"]
"""How a cell is read: as JSON, or as PostgreSQL's text of an array or a composite value."""

PLACEHOLDER = re.compile(r'(\$?)\$\{env:([^}"\\]*)\}')
"""A variable, after the `$` that escapes it, if there is one."""

QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")', re.DOTALL)
"""A text in double quotes, as JSON and PostgreSQL's arrays have it."""

STRUCTURAL = re.compile(r'[\s{}()\[\],:="\\]|\A\Z|\Anull\Z', re.IGNORECASE)
"""What has a meaning in the text of an array or a composite value outside of double quotes."""

ESCAPED_IN_QUOTES = re.compile(r'["\\]')
"""What has a meaning within double quotes."""


def fill_cell(cell: str, syntax: CellSyntax, values: Mapping[str, str]) -> str:
    """Return the cell with the values of its variables, each as text.

    Args:
        cell: the text of the cell, without faults.
        syntax: of the column's type.
        values: of the variables, by name.
    """

    def value_of(found: re.Match[str]) -> str:
        if found[1]:
            return found[0][1:]
        value = values[found[2]]
        return encode(value)[1:-1].decode() if syntax == "json" else value

    return PLACEHOLDER.sub(value_of, cell)


def cell_problems(cell: str, syntax: CellSyntax, values: Mapping[str, str]) -> Iterator[str]:
    """Yield why variables cannot be put into a cell as text.

    Args:
        cell: the text of the cell.
        syntax: of the column's type.
        values: of the variables, by name; unknown names are not this function's concern.
    """
    for number, part in enumerate(QUOTED.split(cell)):
        in_quotes = number % 2 == 1
        for dollar, name in PLACEHOLDER.findall(part):
            if dollar or name not in values:
                continue
            if syntax == "json":
                if not in_quotes:
                    yield f'has ${{env:{name}}} outside of a text; write "${{env:{name}}}", in quotes'
                continue
            # An element that is a structure itself has quotes of its own, one level deeper.
            plain = in_quotes and part[1] not in "({["
            special = ESCAPED_IN_QUOTES if plain else STRUCTURAL
            if special.search(values[name]):
                yield (
                    f"has ${{env:{name}}}, whose value has characters that would change the structure"
                    " of the value; write the seeds in JSON, where any text is allowed"
                )
