"""Values that came with their quotes: `docker run --env-file` keeps them as part of the value.

A password or a token may have quotes of its own, so only values that are no secret are refused for them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from compose_init.database.url import is_in_quotes
from compose_init.settings.source import Fault, counts

MAY_HAVE_QUOTES = frozenset(
    {
        "API_OAUTH_AUDIENCE",
        "API_OAUTH_SCOPE",
        "INIT_IMAGE_REVISION",
        "INIT_IMAGE_VERSION",
        "LOG_SERVICE_NAME",
    }
)
"""Variables of free text, which works with quotes as well."""

HINT = (
    "the value is in quotes, and they are a part of it: remove them, since `docker run --env-file`"
    " and Kubernetes pass them on"
)


def with_quote_faults(
    faults: Iterable[Fault], values: Mapping[str, str], secret: Iterable[str]
) -> Iterator[Fault]:
    """Yield the faults, with a word about quotes where a value has them; and other values in quotes.

    Args:
        faults: of the settings.
        values: the variables that are set, as text.
        secret: names of variables whose values are not shown, and may have quotes.
    """
    quoted = [name for name, text in values.items() if is_in_quotes(text) and counts(name, values)]
    known = set()
    for fault in faults:
        known.add(fault.name)
        problem = f"{fault.problem}; {HINT}" if fault.name in quoted else fault.problem
        yield replace(fault, problem=problem)
    for name in quoted:
        if name not in {*known, *secret, *MAY_HAVE_QUOTES} and not _is_command(name, values[name]):
            # A URL may hold a password.
            found = "" if "://" in values[name] else f"; found {values[name]}"
            yield Fault(name, f"{HINT}{found}")


def _is_command(name: str, text: str) -> bool:
    """Tell if the words of a command have quotes for themselves, as in `"/my app/run" "a b"`."""
    if name != "API_COMMAND":
        return False
    words = shlex.split(text)
    return len(words) != 1 or " " not in words[0] or Path(words[0]).exists()
