"""Lists that are one page, and lists of which there is nothing, as common frameworks answer them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from compose_seeder.http_client.call import AnswerError
from compose_seeder.http_client.client import Requests
from compose_seeder.http_client.concurrency_limit import ConcurrencyLimit
from compose_seeder.manifest.http_options import Http
from compose_seeder.targets.endpoint.pagination import list_records

RECORDS = [{"slug": "a"}, {"slug": "b"}]


def listed(answer: Callable[[httpx.Request], httpx.Response], **http: Any) -> list[Any]:
    """Return the records of a list that is answered like this."""
    transport = httpx.MockTransport(answer)
    with httpx.Client(base_url="http://api", transport=transport) as client:
        options = Http.model_validate({"list": "GET /things", "create": "POST /things", **http})
        return list_records(Requests(client, ConcurrencyLimit(4)), options, ("slug",))


def with_body(around: dict[str, Any]) -> list[Any]:
    answer = httpx.Response(200, content=json.dumps({"items": RECORDS, **around}))
    return listed(lambda _: answer, items="/items")


def with_headers(headers: dict[str, str], status: int = 200) -> list[Any]:
    return listed(lambda _: httpx.Response(status, json=RECORDS, headers=headers))


PARTS: list[dict[str, str]] = [
    {"X-Total-Count": "3"},
    {"X-Total": "3", "X-Per-Page": "2"},
    {"X-WP-Total": "3"},
    {"X-Pagination-Total-Count": "3"},
    {"X-Total-Pages": "2"},
    {"X-Pagination-Page-Count": "2"},
    {"X-Next-Page": "2"},
    {"X-Has-More": "true"},
    {"X-Pagination": '{"TotalCount": 3, "HasNext": true}'},
    {"Content-Range": "items 0-1/3"},
    {"Content-Range": "0-1/3"},
    {"Content-Range": "items 2-3/4"},
    {"Link": '</things?page=2>; rel="last next"'},
    {"Link": '</things?page=1>; rel="first", </things?page=3>; rel="last"'},
    {"Link": "</things?offset=2>; rel=last"},
    {"X-Pagination": "page=1; total=3"},
    {"X-Pagination-Next": "/things?page=2"},
    {"X-Pagination": '{"NextPageLink": "/things?page=2"}'},
    {"X-MS-Continuation": "x"},
    {"X-Row-Count": "3"},
]


@pytest.mark.parametrize("headers", PARTS, ids=str)
def test_headers_of_a_part(headers: dict[str, str]) -> None:
    """Totals, page counts, the next page, a range."""
    with pytest.raises(AnswerError, match=r"say in http\.pages how to follow"):
        with_headers(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Total-Count": "2", "X-Total-Pages": "1", "X-Next-Page": "", "X-Has-More": "false"},
        {"X-Pagination": '{"TotalCount": 2, "TotalPages": 1, "HasNext": false}'},
        {"Content-Range": "0-1/*"},
        {"Content-Range": "items 0-1/2"},
        {"Link": '</things?page=1>; rel="first last"', "X-RateLimit-Limit": "100"},
        {"X-Pagination": "{not JSON"},
    ],
    ids=str,
)
def test_headers_of_all(headers: dict[str, str]) -> None:
    """The same headers where they say that there is no more."""
    assert with_headers(headers) == RECORDS


def test_a_partial_content() -> None:
    """Status 206, unless its range is all."""
    with pytest.raises(AnswerError, match="status 206"):
        with_headers({}, 206)
    with pytest.raises(AnswerError, match="status 206"):
        with_headers({"Content-Range": "0-1/*"}, 206)
    assert with_headers({"Content-Range": "0-1/2"}, 206) == RECORDS


@pytest.mark.parametrize(
    "around",
    [
        {"page": 1, "total_pages": 2},
        {"meta": {"current_page": 1, "last_page": 2}},
        {"meta": {"pagination": {"total": 3}}},
        {"page": {"size": 2, "totalElements": 3, "number": 0}},
        {"last": False, "number": 0},
        {"next_page_url": "/things?page=2"},
        {"_links": {"next": {"href": "/things?page=2"}}},
        {"links": [{"rel": "self", "href": "/things"}, {"rel": "next", "href": "/things?page=2"}]},
        {"link": [{"relation": "next", "url": "/things?page=2"}]},
        {"hydra:totalItems": 3},
        {"hydra:view": {"hydra:next": "/things?page=2"}},
        {"@odata.nextLink": "/things?$skip=2"},
        {"pageInfo": {"hasNextPage": True, "endCursor": "x"}},
        {"metadata": {"continue": "x"}},
        {"response_metadata": {"next_cursor": "x"}},
        {"info": {"count": 3, "pages": 2}},
        {"cursor": "x"},
        {"total": {"value": 3}},
        {"count": "3"},
        {"cursor": {"next": "x"}},
        {"done": False, "nextRecordsUrl": "/things?page=2"},
        {"metadata": {"pagination": {"total": 3}}},
        {"search_metadata": {"next_results": "?page=2"}},
        {"paginationInfo": {"totalFound": 3}},
        {"navigation": {"hal:next": {"href": "/things?page=2"}}},
        {"nbPages": 2},
        {"offset": "itrX/recY"},
        {"nbHits": 3},
        {"totalItems": 3},
        {"items_total": 3},
        {"moreResultsAvailable": True},
        {"LastEvaluatedKey": {"id": 1}},
        {"metadata": {"remainingItemCount": 1}},
    ],
    ids=str,
)
def test_fields_of_a_part(around: dict[str, Any]) -> None:
    """Of Laravel, Spring, JSON:API, HAL, FHIR, Hydra, OData, Relay, Kubernetes, Slack, Elasticsearch."""
    with pytest.raises(AnswerError, match=r"say in http\.pages how to follow"):
        with_body(around)


@pytest.mark.parametrize(
    "around",
    [
        {"page": 1, "total_pages": 1, "total": 2, "next": None, "last": True},
        {"meta": {"current_page": 1, "last_page": 1, "next_page_url": None}},
        {"_links": {"next": {"href": None}, "last": {"href": "/things?page=1"}}},
        {"links": [{"rel": "self", "href": "/things"}]},
        {"pageInfo": {"hasNextPage": False, "endCursor": "x"}},
        {"cursor": "", "count": 2, "pages": []},
        {"metadata": {"continue": ""}, "next": 0},
        {"done": True, "totalSize": 2, "summary": {"total": 2, "price": 9}},
        {"stats": {"views": 600, "counted": 9}, "found": True, "next_update": "2026-11-26"},
        {"category": {"total": 60, "next": "other things"}},
    ],
    ids=str,
)
def test_fields_of_all(around: dict[str, Any]) -> None:
    """The same fields where they say that there is no more."""
    assert with_body(around) == RECORDS


def test_fields_beside_the_array() -> None:
    """Of the object that the array is in, and of the document."""
    answer = httpx.Response(200, json={"data": {"items": RECORDS, "total": 3}})
    with pytest.raises(AnswerError, match=r"there are 3 records, and shows 2.*\(total: 3\)"):
        listed(lambda _: answer, items="/data/items")


def test_a_sign_that_is_wrong() -> None:
    """Whoever knows that says how pages are followed, and then only a next page counts."""
    answer = httpx.Response(200, json=RECORDS, headers={"X-Total-Count": "3"})
    assert listed(lambda _: answer, pages={"link": True}) == RECORDS


@pytest.mark.parametrize(
    ("answer", "items"),
    [
        (httpx.Response(204), ""),
        (httpx.Response(204), "/items"),
        (httpx.Response(200, content=b"null"), ""),
        (httpx.Response(200, content=b"null"), "/items"),
        (httpx.Response(200, json={"data": None}), "/data/items"),
    ],
    ids=str,
)
def test_an_answer_of_nothing(answer: httpx.Response, items: str) -> None:
    """No content and null are an empty list."""
    assert listed(lambda _: answer, items=items) == []


def test_a_success_without_a_body() -> None:
    """May be anything; a list that is wrongly taken for empty would be created again."""
    with pytest.raises(AnswerError, match="array of objects"):
        listed(lambda _: httpx.Response(200))
    with pytest.raises(AnswerError, match="array of objects"):
        listed(lambda _: httpx.Response(200, json={"data": {}}), items="/data/items")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"items": {}}', b'{"message": "no things"}'])
def test_an_answer_without_the_array_can_be_declared_to_be_empty(body: bytes) -> None:
    """As Go and PHP leave out or write an empty array; the error names the word."""
    answer = httpx.Response(200, content=body)
    with pytest.raises(AnswerError, match="say empty = 200 in http"):
        listed(lambda _: answer, items="/items")
    assert listed(lambda _: answer, items="/items", empty=200) == []
    broken = httpx.Response(200, json={"error": "no database"})
    with pytest.raises(AnswerError, match="array of objects"):
        listed(lambda _: broken, items="/items", empty=200)
    wrong = httpx.Response(200, json={"items": ["a"]})
    with pytest.raises(AnswerError, match=r"is http\.items right\?$"):
        listed(lambda _: wrong, items="/items", empty=200)


def test_not_found_can_be_declared_to_be_empty() -> None:
    """The error names the word; another status stays an error."""
    for status in (404, 410):
        with pytest.raises(AnswerError, match=f"say empty = {status} in http"):
            listed(lambda _, status=status: httpx.Response(status))  # type: ignore[misc]
        assert listed(lambda _, status=status: httpx.Response(status), empty=status) == []  # type: ignore[misc]
    with pytest.raises(AnswerError, match="answered 400"):
        listed(lambda _: httpx.Response(400), empty=404)


def test_a_page_that_is_not_found() -> None:
    """Behind the last one of an offset it is the end; a page that another one names has to be there."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("skip", "0") != "0" or "page" in request.url.params:
            return httpx.Response(404)
        return httpx.Response(200, json=RECORDS, headers={"Link": '</things?page=2>; rel="next"'})

    assert listed(answer, empty=404, pages={"offset": "skip"}) == RECORDS
    with pytest.raises(AnswerError, match="answered 404"):
        listed(answer, empty=404, pages={"link": True})
