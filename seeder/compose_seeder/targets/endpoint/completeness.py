"""Whether an answer is all of a list: everything by which an API says that it is not.

    status 206, headers, and the fields beside the records ─▶ a sign that there is more ─▶ AnswerError

Half a list would make doubles of the rest. A list without any sign is taken for all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import httpx
from msgspec import DecodeError

from compose_seeder.errors import quote
from compose_seeder.exact_json import decode
from compose_seeder.http_client.client import AnswerError, Page
from compose_seeder.json_pointer import follow_pointer

Json = Any


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEXT_PAGE = _names(
    "next nextpage nextcursor nextpagetoken nextpageurl nexturl nexturi nextlink nexthref nexttoken"
    " nextmarker nextoffset nextstart nextkey nextpagecursor @odata.nextlink odata.nextlink hydra:next"
    " hasmore hasnext hasnextpage hasmorepages hasmoreresults hasmoreitems moreresults morepages more"
    " istruncated truncated continuationtoken continue"
)
"""Fields and headers by which an answer says that it is not all; names in small letters, without - and _."""

CURSOR = _names("cursor scrollid")
"""Fields that lead on where no page was asked for; on a later page they may repeat what was asked."""

TOTAL = _names(
    "total count totalcount totalitems totalresults totalelements totalrecords totalentries totalhits"
    " totalsize totalnumber totalrows totalobjects recordcount recordstotal itemcount itemscount itemstotal"
    " resultcount resultscount numfound numresults fullcount @odata.count odata.count hydra:totalitems"
)
"""Fields and headers by which it says how many records there are."""

PAGE_COUNT = _names(
    "totalpages totalpagecount pagecount pagescount pages lastpage lastpagenumber numpages numberofpages"
    " pagetotal pagestotal"
)
"""Fields and headers by which it says how many pages there are."""

LAST = frozenset({"last", "islast", "lastpage", "islastpage"})
"""Fields that are false on a page which is not the last one."""

ENVELOPES = ("", "links", "_links", "meta", "_meta", "metadata", "pagination", "_pagination", "paging", "page",
             "paginator", "pager", "pageinfo", "page_info", "pageInfo", "info", "result_info", "resultInfo",
             "response_metadata", "cursors", "hydra:view", "view", "$metadata", "meta/pagination", "meta/page",
             "meta/paging", "meta/links", "meta/cursor", "pagination/links", "paging/cursors")  # fmt: skip
"""The places of these fields, beside the array of records or beside what it is in."""

LINKS = ("link", "links", "_links")
"""The places of a list of links with their relations."""

HEADER_BEGINNING = re.compile(r"^(x-)?(wp-|pagination-|paging-)?")
"""What stands before the name in a header: X-Total-Count, X-WP-Total, X-Pagination-Page-Count."""

STANDARD_HEADERS = {"link", "content-range", "content-length", "last-modified"}
"""Headers that mean something else, or are looked at on their own."""

CONTENT_RANGE = re.compile(r"^\s*(?:[\w-]+\s+)?(?:(\d+)-(\d+)|\*)/(\d+|\*)\s*$")
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
    for name, value in _fields(page, items):
        sign = f"{name}: {quote(value)}"
        short = _short(name)
        if short in TOTAL and (_number(value) or 0) > shown:
            raise AnswerError(
                f"it says that there are {_number(value)} records, and shows {shown}:"
                f" {HOW.replace('them', 'its pages')} ({sign})"
            )
        if short in CURSOR and isinstance(value, str) and value:
            raise _in_pages(sign)
        if short in PAGE_COUNT and not isinstance(value, bool) and (_number(value) or 0) > 1:
            raise _in_pages(sign)
        if short in LAST and value is False:
            raise _in_pages(sign)
    _check_range(page, shown)


def check_last_page(page: Page, items: str) -> None:
    """Check that nothing on the last page that was followed leads on.

    Raises:
        AnswerError: something does.
    """
    if page.link:
        raise _in_pages("Link")
    for name, value in _fields(page, items):
        if _short(name) in NEXT_PAGE and _leads_on(value):
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


def _fields(page: Page, items: str) -> Iterator[tuple[str, Json]]:
    """Yield the fields beside the records, and the headers, that may say something of pages."""
    for place in _places(page.document, items):
        yield from place.items()
    for name, text in page.headers.items():
        if text.lstrip().startswith("{"):  # X-Pagination, as ASP.NET has it
            yield from _object_in(text).items()
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
        for envelope in ENVELOPES:
            place = follow_pointer(document, f"{base}/{envelope}" if envelope else base)
            if isinstance(place, dict):
                yield place


def _relation(link: Json) -> str:
    found = (link.get("rel") or link.get("relation")) if isinstance(link, dict) else None
    return found if isinstance(found, str) else ""


def _short(name: str) -> str:
    """Return a name of a field or a header in one form: `totalcount` for X-Total-Count."""
    lower = HEADER_BEGINNING.sub("", name.lower())
    return lower.replace("-", "").replace("_", "")


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
