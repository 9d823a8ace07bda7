"""Whether an answer is all of a list: everything by which an API says that it is not.

    status 206, headers, and the fields beside the records ─▶ a sign that there is more ─▶ AnswerError

Half a list would make doubles of the rest. A list without any sign is taken for all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from http import HTTPStatus

import httpx
from msgspec import DecodeError

from compose_seeder.errors import quote
from compose_seeder.exact_json import Json, decode
from compose_seeder.http_client.call import AnswerError, Page
from compose_seeder.json_pointer import follow_pointer
from compose_seeder.targets.endpoint.page_signs import (
    CURSOR,
    ENVELOPE,
    ENVELOPE_DEPTH,
    LAST,
    LAST_PAGE_LINK,
    LINKS,
    NEXT_PAGE,
    PAGE_COUNT,
    PAGE_NUMBER,
    TOTAL,
    short_name,
)

STANDARD_HEADERS = {"link", "content-range", "content-length", "last-modified"}
"""Headers that mean something else, or are looked at on their own."""

PAGING_HEADER = re.compile("pagination|paging", re.IGNORECASE)
"""Names of headers that may have several fields: `X-Pagination: page=1; total=6`."""

PARAMETER = re.compile(r"""([\w-]+)\s*=\s*"?([^";,\s]+)""")
"""A field of such a header."""

CONTENT_RANGE = re.compile(r"^\s*(?:[\w-]+[\s=]+)?(?:(\d+)-(\d+)|\*)/(\d+|\*)\s*$")
"""`items 0-24/319` (RFC 9110, 14.4)."""

HOW = (
    "say in http.pages how to follow them, or name a request that answers with all records at once"
)


def check_whole(page: Page, items: str, shown: int) -> None:
    """Check that an answer to which nobody follows another page is the whole list.

    Args:
        page: the answer.
        items: JSON Pointer to the records in it.
        shown: how many records it has.

    Raises:
        AnswerError: something says that there is more.
    """
    check_last_page(page, items)
    own = short_name(items.rpartition("/")[2])
    for name, value in _fields(page, items):
        sign = f"{name}: {quote(value)}"
        short = short_name(name)
        is_total = TOTAL.fullmatch(short) or (
            own and short in {f"total{own}", f"{own}total", f"{own}count"}
        )
        if is_total and (_number(value) or 0) > shown:
            raise AnswerError(
                f"it says that there are {_number(value)} records, and shows {shown}:"
                f" {HOW.replace('them', 'its pages')} ({sign})"
            )
        is_cursor = short in CURSOR or (short == "offset" and _number(value) is None)
        if is_cursor and isinstance(value, str) and _leads_on(value):
            raise _in_pages(sign)
        if PAGE_COUNT.fullmatch(short) and (_number(value) or 0) > 1:
            raise _in_pages(sign)
        if short in LAST and value is False:
            raise _in_pages(sign)
    _check_range(page, shown)
    _check_last_link(page)


def check_last_page(page: Page, items: str) -> None:
    """Check that nothing on the last page that was followed leads on.

    Raises:
        AnswerError: something does.
    """
    if page.link:
        raise _in_pages("Link")
    for name, value in _fields(page, items):
        if NEXT_PAGE.fullmatch(short_name(name)) and _leads_on(value):
            raise _in_pages(f"{name}: {quote(value)}")


def check_answer(answer: Json, items: str) -> None:
    """Check that nothing in an answer's body leads on to another page.

    Raises:
        AnswerError: something does.
    """
    check_last_page(Page(answer, httpx.URL(""), None), items)


def _in_pages(sign: str) -> AnswerError:
    return AnswerError(f"it answers in pages; {HOW} ({sign})")


def _check_range(page: Page, shown: int) -> None:
    """Raise `AnswerError` where the answer is a part by its status or its Content-Range."""
    given = page.headers.get("Content-Range", "")
    found = CONTENT_RANGE.match(given)
    total = int(found[3]) if found and found[3] != "*" else None
    if (total is not None and total > shown) or (found and int(found[1] or 0) > 0):
        raise _in_pages(f"Content-Range: {quote(given)}")
    if page.status == HTTPStatus.PARTIAL_CONTENT and total is None:
        raise _in_pages("status 206")


def _check_last_link(page: Page) -> None:
    """Raise `AnswerError` where a `Link` header says that the last page is a later one."""
    for url in LAST_PAGE_LINK.findall(page.headers.get("Link", "")):
        for name, value in httpx.QueryParams(url.partition("?")[2]).items():
            found = PAGE_NUMBER.fullmatch(short_name(name))
            first = 1 if found and found[1] == "page" else 0
            if found and (_number(value) or 0) > first:
                raise _in_pages(f"Link: {quote(url)}")


def _fields(page: Page, items: str) -> Iterator[tuple[str, Json]]:
    """Yield the fields beside the records, and the headers, that may say something of pages."""
    for place in _places(page.document, items):
        yield from place.items()
    for name, text in page.headers.items():
        if text.lstrip().startswith("{"):  # X-Pagination, as ASP.NET has it
            for place in _envelopes(_object_in(text), ENVELOPE_DEPTH):
                yield from place.items()
        elif PAGING_HEADER.search(name):
            yield name, text
            yield from PARAMETER.findall(text)
        elif name.lower() not in STANDARD_HEADERS:
            yield name, text


def _object_in(text: str) -> dict[str, Json]:
    try:
        value = decode(text.encode())
    except DecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _places(document: Json, items: str) -> Iterator[Mapping[str, Json]]:
    parts = items.split("/")
    bases = dict.fromkeys("/".join(parts[:depth]) for depth in range(len(parts)))
    for base in bases:
        for name in LINKS:  # [{"rel": "next", "href": …}], as FHIR has it
            links = follow_pointer(document, f"{base}/{name}")
            if isinstance(links, list):
                yield from ({_relation(link): True} for link in links)
        place = follow_pointer(document, base)
        if isinstance(place, dict):
            yield from _envelopes(place, ENVELOPE_DEPTH)


def _envelopes(place: Mapping[str, Json], depth: int) -> Iterator[Mapping[str, Json]]:
    """Yield an object, and the objects in it that may say something of pages."""
    yield place
    for name, value in place.items():
        if depth and isinstance(value, dict) and ENVELOPE.search(name.lower()):
            yield from _envelopes(value, depth - 1)


def _relation(link: Json) -> str:
    found = (link.get("rel") or link.get("relation")) if isinstance(link, dict) else None
    return found if isinstance(found, str) else ""


def _number(value: Json) -> int | None:
    """Return a count, which some APIs write as text or as an object with its value."""
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return int(value)
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None


def _leads_on(value: Json) -> bool:
    """Tell if a field of this value leads to another page."""
    if isinstance(value, dict):  # {"href": …}
        return any(map(_leads_on, value.values()))
    if isinstance(value, str):
        return value.strip().lower() not in {"", "0", "false", "null", "none"}
    return bool(value)
