"""An endpoint's list, in one answer or in pages.

    GET list ─▶ page ─▶ by Link header, by a pointer to the next one, or by offset ─▶ all records

Half a list would make doubles of the rest: a page that says of itself that it is not all, and that
nobody has said how to follow, is an error, and so is one that comes again.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from http import HTTPStatus

import httpx

from compose_seeder.errors import quote
from compose_seeder.exact_json import Json
from compose_seeder.http_client.call import AnswerError, Page
from compose_seeder.http_client.client import Requests
from compose_seeder.json_pointer import follow_pointer, leads_to_null
from compose_seeder.manifest.http_options import Http, Pages
from compose_seeder.targets.endpoint.completeness import check_last_page, check_whole

ERRORS = {"error", "errors", "fault", "exception", "detail"}
"""Fields of an answer that reports an error, whatever its status."""

NO_ARRAY = "did not answer with an array of objects; is http.items right?"

MAX_PAGES = 100_000
"""How many pages a list may have."""


def list_records(requests: Requests, http: Http, key: tuple[str, ...]) -> list[dict[str, Json]]:
    """All records of an endpoint, each with its key.

    Raises:
        AnswerError: what the API answers is not that.
        CredentialsError, InterruptedTargetError: as the API answers.
    """
    records: list[dict[str, Json]] = []
    for page in _pages(requests, http):
        for record in page:
            problem = key_problem(record, key)
            if problem:
                raise AnswerError(f"record {len(records)} of the list {problem}")
            records.append(record)
    return records


def _pages(requests: Requests, http: Http) -> Iterator[list[Json]]:
    first = (http.list_ or "").partition(" ")[2]
    pages = http.pages
    url = _with(first, {pages.offset: "0", **pages.limits}) if pages and pages.offset else first
    seen: set[str] = set()
    before, offset = None, 0
    for _ in range(MAX_PAGES):
        page = _page(requests, url, http, is_first=not seen)
        if page is None:
            return
        records = _records_in(page, http)
        seen.add(str(page.url))
        if records and records == before:
            how = pages.offset or pages.cursor if pages else None
            raise AnswerError(f"the list does not follow {how or 'its pages'}: a page came again")
        yield records
        if pages is None:
            check_whole(page, http.items, len(records))
            return
        before, offset = records, offset + len(records)
        following = _next(pages, page, offset if records else None)
        if following is None:
            if not pages.offset:  # else the last page is the one that is empty, whatever it says
                check_last_page(page, http.items)
            return
        if origin(following) != origin(requests.base):
            raise AnswerError(f"the next page is at another server, {following.host}: not asked")
        url = str(following)
        if url in seen:
            raise AnswerError(f"the list leads back to a page that it has shown: {quote(url)}")
    raise AnswerError(f"the list has more than {MAX_PAGES:,} pages")


def _page(requests: Requests, url: str, http: Http, *, is_first: bool) -> Page | None:
    """Return a page; None where the API answers as it does when there are no records.

    Raises:
        AnswerError: as `Requests.page`; for 404 and 410, with what can be declared.
    """
    try:
        return requests.page(url)
    except AnswerError as error:
        if not is_first and not (http.pages and http.pages.offset):
            raise  # a page that another one names has to be there
        if error.status == http.empty:
            return None
        if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            hint = f"; if that is its answer as long as there are no records, say empty = {error.status} in http"
            raise AnswerError(error.problem + hint, error.status) from None
        raise


def _records_in(page: Page, http: Http) -> list[Json]:
    """Return the records on a page; none where it has no content or a null, or no array and that is declared.

    Raises:
        AnswerError: as `records_of`; for an answer without an array, with what can be declared.
    """
    null = page.document is None and not page.is_blank
    if page.status in {HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT} or null:
        return []
    lacks_array = follow_pointer(page.document, http.items) in (None, {})
    if not lacks_array or leads_to_null(page.document, http.items):
        return records_of(page.document, http.items)
    fields = page.document if isinstance(page.document, dict) else {}
    if http.empty == HTTPStatus.OK and ERRORS.isdisjoint(fields):
        return []
    raise AnswerError(
        f"{NO_ARRAY} If that is its answer as long as there are no records, say empty = 200 in http"
    )


def _next(pages: Pages, page: Page, offset: int | None) -> httpx.URL | None:
    """Return the URL of the next page; None after the last one.

    Raises:
        AnswerError: what leads to the next page is no URL.
    """
    try:
        return _following(pages, page, offset)
    except httpx.InvalidURL as error:
        raise AnswerError(f"the next page cannot be asked for: {error}") from None


def _following(pages: Pages, page: Page, offset: int | None) -> httpx.URL | None:
    """Return the URL of the next page; None after the last one.

    `offset` is the number of records so far, None where the page has none.
    """
    if pages.offset:
        # Until a page is empty: one that is merely short may be as long as the API lets it be.
        return None if offset is None else page.url.copy_merge_params({pages.offset: str(offset)})
    found = page.link if pages.link else follow_pointer(page.document, pages.next or "")
    if found in (None, "", False):
        return None
    if pages.cursor:
        return page.url.copy_merge_params({pages.cursor: str(found)})
    if not isinstance(found, str):
        raise AnswerError(f"the next page is no text: {quote(found)}; is pages.cursor missing?")
    return page.url.join(found)


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port: who gets the credentials."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _with(url: str, parameters: dict[str, str]) -> str:
    return str(httpx.URL(url).copy_merge_params(parameters))


def records_of(answer: Json, pointer: str) -> list[Json]:
    """Return the array of records in an answer.

    Raises:
        AnswerError: the answer has no such array.
    """
    page = (
        [] if leads_to_null(answer, pointer) else follow_pointer(answer, pointer)
    )  # as some write an empty one
    if not isinstance(page, list) or not all(isinstance(record, dict) for record in page):
        raise AnswerError(NO_ARRAY)
    return page


def key_problem(record: dict[str, Json], key: tuple[str, ...]) -> str:
    """Return why a record of the API has no usable key; "" where it has one."""
    for field in key:
        if not isinstance(record.get(field), str | int | Decimal):
            return f"has no text or number in {field}, which is part of the key: the API shows no text or number there"
    return ""
