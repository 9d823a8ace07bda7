"""The path of a request, with fields of a record in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import quote as quote_url

from compose_seeder.exact_json import Json

Record = Mapping[str, Json]

PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
"""`{field}` of the record, `{live.field}` of the API's own record."""


LIVE = "live."
"""The beginning of a placeholder for a field of the API's own record."""


class PathError(Exception):
    """A path needs a field that the record does not have, or that fits no path."""


def record_fields(template: str) -> list[str]:
    """Return the fields of the record that a path names; not those of the API's own record."""
    return [name for name in PLACEHOLDER.findall(template) if not name.startswith(LIVE)]


def live_fields(template: str) -> list[str]:
    """Return the fields of the API's own record that a path names."""
    names = PLACEHOLDER.findall(template)
    return [name.removeprefix(LIVE) for name in names if name.startswith(LIVE)]


def expand_path(template: str, record: Record, live: Record) -> str:
    """Put `{field}` of the record and `{live.field}` of the API's own record into a path.

    Raises:
        PathError: a field is missing, or its value would lead to another path.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        fields = live if name.startswith(LIVE) else record
        field_name = name.removeprefix(LIVE)
        found = fields.get(field_name)
        if found is None or isinstance(found, dict | list) or str(found) in {"", ".", ".."}:
            whose = "the API's record" if fields is live else "the record"
            raise PathError(
                f"{template}: {whose} has no usable {field_name}, which the path needs; it must be text or a number"
            )
        return quote_url(_text(found), safe="")

    return PLACEHOLDER.sub(value, template)


def _text(value: Json) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"  # and not 1E+2
    return str(value).lower() if isinstance(value, bool) else str(value)
