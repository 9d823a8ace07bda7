"""The words by which APIs say that an answer is not all of a list; names in one form, as `short_name` returns them."""

from __future__ import annotations

import re

NEXT_PAGE = re.compile(
    r"(link)?next(page|link|record|result|batch)?s?(cursor|token|url|uri|link|href|path|number|marker|offset|start|key|skip"
    r"|id|from|range|pages?|results?|parameters)?"
    r"|(has)?(next|more)(pages?|results?|items?|records?|data)?(available)?|(is)?truncated|continu(ationtoken|e)"
    r"|(ms)?continuation|skiptoken|lastevaluatedkey|remaining(items?|results?|records?)?count"
)
"""Fields and headers by which an answer says that it is not all; names as `_short` returns them."""

CURSOR = {"cursor", "scrollid", "pagetoken"}
"""Fields that lead on where no page was asked for; on a later page they may repeat what was asked."""

THINGS = (
    "(items?|results?|elements?|records?|entries|hits?|rows?|objects?|resources?|docs|documents|matches"
    "|list|collection)"
)
"""What is counted."""

TOTAL = re.compile(
    rf"total|totals|found|(total|full|overall)(count|size|number|found|{THINGS})(count)?|total{THINGS}found|{THINGS}?s?total"
    rf"|{THINGS}?count|num(ber)?(of)?{THINGS}|nb{THINGS}|numfound|recordsfiltered|available{THINGS}?"
)
"""Fields and headers by which it says how many records there are."""

PAGE_COUNT = re.compile(
    r"(total|max|num|nb|last|numberof)pages?(count|number)?|pages?count|pages|pages?total"
)
"""Fields and headers by which it says how many pages there are."""

LAST = {"last", "islast", "lastpage", "islastpage", "done", "end", "isend", "eof"}
"""Fields that are false on a page which is not the last one."""

ENVELOPE = re.compile(
    r"pag(e|ing|in)|meta|links?$|collection|search|cursor|nav|info|view|summary|stats|total|extra|control|header"
)
"""Names of objects that hold these fields, beside the array of records or beside what it is in."""

LINKS = ("link", "links", "_links")
"""The places of a list of links with their relations."""

ENVELOPE_DEPTH = 3
"""How many of these objects may be in each other."""

LAST_PAGE_LINK = re.compile(r"""<([^>]*)>\s*;[^,]*\brel\s*=\s*"?[^",;]*\blast\b""", re.IGNORECASE)
"""The address of the last page, in a `Link` header."""

PAGE_NUMBER = re.compile(r"(page|offset|start|skip)(number|no|num|index)?")
"""Parameters that say which page is asked for."""

HEADER_BEGINNING = re.compile(r"^(x-)?(wp-|pagination-|paging-)?")
"""What stands before the name in a header: X-Total-Count, X-WP-Total, X-Pagination-Page-Count."""

NAMESPACE = re.compile(r"^[^a-z]*([a-z]+[.:])?")
"""What stands before the name of a field: `@odata.nextLink`, `hydra:next`, `__next`."""


def short_name(name: str) -> str:
    """Return a name of a field or a header in one form: `totalcount` for X-Total-Count."""
    lower = HEADER_BEGINNING.sub("", name.lower())
    return NAMESPACE.sub("", lower).replace("-", "").replace("_", "")
