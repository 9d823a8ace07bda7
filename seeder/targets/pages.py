"""An endpoint's list, in one answer or in pages.

    GET list ─▶ page ─▶ by Link header, by a pointer to the next one, or by offset ─▶ all records

Half a list would make doubles of the rest: a page that says of itself that it is not all, and that
nobody has said how to follow, is an error, and so is one that comes again.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx

from seeder.errors import quote
from seeder.manifest import Http
from seeder.targets.request import AnswerError, Requests

Json = Any

NEXT_PAGE = (
    "next",
    "next_page",
    "nextPage",
    "next_cursor",
    "nextCursor",
    "next_page_token",
    "has_more",
)
"""Fields by which an answer says that it is not all."""

MOST = 100_000
"""How many pages a list may have."""


def listed(requests: Requests, http: Http, key: tuple[str, ...]) -> list[dict[str, Json]]:
    """All records of an endpoint, each with its key.

    Raises:
        AnswerError: what the API answers is not that.
        CredentialsError, InterruptedTargetError: as the API answers.
    """
    records: list[dict[str, Json]] = []
    for page in _pages(requests, http):
        for record in page:
            problem = _no_key(record, key)
            if problem:
                raise AnswerError(f"record {len(records)} of the list {problem}")
            records.append(record)
    return records


def _pages(requests: Requests, http: Http) -> Iterator[list[Json]]:
    first = (http.list_ or "").partition(" ")[2]
    pages = http.pages
    url, offset, before = first, 0, None
    if pages and pages.offset:
        url = _with(first, {pages.offset: "0", **pages.limits})
    seen = {url}
    for _ in range(MOST):
        answer, link = requests.page(url)
        page = _items(answer, http.items)
        yield page
        if pages is None:
            _whole(answer, link)
            return
        if pages.offset:
            # Until a page is empty: one that is merely short may be as long as the API lets it be.
            if not page:
                return
            if page == before:
                raise AnswerError(f"the list does not follow {pages.offset}: a page came again")
            offset, before = offset + len(page), page
            url = _with(first, {pages.offset: str(offset), **pages.limits})
        else:
            following = link if pages.link else _follow(answer, pages.next or "")
            if following in (None, "", False):
                return
            url = _next(requests, url, first, following, pages.cursor)
        if url in seen:
            raise AnswerError(f"the list leads back to a page that it has shown: {quote(url)}")
        seen.add(url)
    raise AnswerError(f"the list has more than {MOST:,} pages")


def _next(requests: Requests, url: str, first: str, following: Json, cursor: str | None) -> str:
    if cursor:
        return _with(first, {cursor: str(following)})
    if not isinstance(following, str):
        raise AnswerError(f"the next page is no text: {quote(following)}; is pages.cursor missing?")
    there = httpx.URL(requests.base).join(url).join(following)
    base = httpx.URL(requests.base)
    if (there.scheme, there.host, there.port) != (base.scheme, base.host, base.port):
        raise AnswerError(f"the next page is at another server, {there.host}: it is not asked")
    return str(there)


def _with(url: str, parameters: dict[str, str]) -> str:
    return str(httpx.URL(url).copy_merge_params(parameters))


def _whole(answer: Json, link: str | None) -> None:
    said = isinstance(answer, dict) and any(answer.get(name) for name in NEXT_PAGE)
    if said or link:
        raise AnswerError(
            "it answers in pages; say in http.pages how to follow them, or name a request that answers with"
            " all records at once"
        )


def _items(answer: Json, pointer: str) -> list[Json]:
    page = _follow(answer, pointer)
    if not isinstance(page, list) or not all(isinstance(record, dict) for record in page):
        raise AnswerError("did not answer with an array of objects; is http.items right?")
    return page


def _no_key(record: dict[str, Json], key: tuple[str, ...]) -> str:
    for field in key:
        if not isinstance(record.get(field), str | int | Decimal):
            return f"has no text or number in {field}, which is part of the key: the API shows no text or number there"
    return ""


def _follow(answer: Json, pointer: str) -> Json:
    for token in pointer.split("/")[1:]:
        answer = answer.get(token) if isinstance(answer, dict) else None
    return answer
