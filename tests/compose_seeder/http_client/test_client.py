"""Requests to an API: the translation of httpx's exceptions."""

from __future__ import annotations

import httpx
import pytest

from compose_seeder.errors import InterruptedTargetError, SourceError
from compose_seeder.http_client.call import AnswerError
from compose_seeder.http_client.client import Requests
from compose_seeder.http_client.concurrency_limit import ConcurrencyLimit
from compose_seeder.http_client.retry import MAX_ATTEMPTS, NOT_SENT_ERRORS
from compose_seeder.safe_url import SafeUrl
from compose_seeder.sources.https import WebFile
from tests.support.errors import subclasses

HTTPX_ERRORS: set[type[Exception]] = {
    error
    for error in vars(httpx).values()
    if isinstance(error, type) and issubclass(error, Exception)
}
DEFECTS = {httpx.CookieConflict, httpx.StreamError, *subclasses(httpx.StreamError)}
"""What httpx raises where its caller makes a mistake, and never for a request."""

TRANSLATED = sorted(HTTPX_ERRORS - DEFECTS, key=lambda kind: kind.__name__)


def raised(kind: type[Exception]) -> Exception:
    """Return an exception of httpx as it raises it."""
    request = httpx.Request("GET", "http://api.test/things")
    if kind is httpx.HTTPStatusError:
        return httpx.HTTPStatusError("no", request=request, response=httpx.Response(500))
    return kind("no")


def test_every_exception_of_httpx_is_known() -> None:
    """A new release may add an exception outside of these trees."""
    known = {httpx.HTTPError, *subclasses(httpx.HTTPError), httpx.InvalidURL, *DEFECTS}
    assert known >= HTTPX_ERRORS


@pytest.mark.parametrize("kind", TRANSLATED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_translates_the_exceptions_of_httpx(
    kind: type[Exception], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid URL is the record's; all others are the API's, and a POST is not sent twice by them."""
    sent = []

    def fail(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        raise raised(kind)

    limit = ConcurrencyLimit(1)
    monkeypatch.setattr(limit, "sleep", lambda _: None)
    client = httpx.Client(transport=httpx.MockTransport(fail), base_url="http://api.test")
    expected = AnswerError if kind is httpx.InvalidURL else InterruptedTargetError
    with pytest.raises(expected, match=rf"^\"?{method} /things: .*\bno\b"):
        Requests(client, limit).send(f"{method} /things", {}, {})
    repeatable = method == "GET" or kind in NOT_SENT_ERRORS
    once = kind is httpx.InvalidURL or not repeatable
    assert len(sent) == (1 if once else MAX_ATTEMPTS)
    assert limit.acquire() == 0  # the failed request was released


@pytest.mark.parametrize("kind", TRANSLATED)
def test_a_source_translates_the_exceptions_of_httpx(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the address, and without its query."""

    def fail(*_: object, **__: object) -> httpx.Response:
        raise raised(kind)

    monkeypatch.setattr(httpx.Client, "send", fail)
    with pytest.raises(SourceError, match=r"^https://host/a\.json cannot be read: no$"):
        WebFile(SafeUrl("https://host/a.json?key=secret")).fingerprint()
