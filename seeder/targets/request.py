"""One request to the application's API: its path, its repetition, and what its answer means.

2xx JSON ─▶ the document      401, 403 ─▶ CredentialsError
other 4xx ─▶ AnswerError      429, 5xx, no answer ─▶ InterruptedTargetError
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote as quote_url

import httpx
from msgspec import DecodeError
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from seeder.errors import CredentialsError, InterruptedTargetError, quote
from seeder.exact import decode

Json = Any

ATTEMPTS = 4
"""How often a request that is safe to repeat is tried."""

ANSWER = 400
"""How many characters of an API's answer a message quotes."""

PAGES = (
    "answers in pages, which is not built yet in this version; name a request that answers with all"
    " records at once"
)


class AnswerError(Exception):
    """The API answered a request for one record with an error that is the record's own."""

    def __init__(self, problem: str, status: int = 0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status


class Requests:
    """Sends requests with one client, which threads share."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def send(
        self,
        template: str,
        record: Mapping[str, Json],
        live: Mapping[str, Json],
        body: bytes | None,
    ) -> Json:
        """Send one request and decode its answer.

        Raises:
            AnswerError: a 4xx, or an answer that is not JSON.
            CredentialsError: 401 or 403.
            InterruptedTargetError: the API is away, or fails by itself.
        """
        method, _, path = template.partition(" ")
        url = _fill(path, record, live)
        send = self._sender(method, url, body)
        repeatable = method in {"GET", "PUT", "DELETE"}
        attempts = Retrying(
            retry=retry_if_exception_type(InterruptedTargetError),
            stop=stop_after_attempt(ATTEMPTS if repeatable else 1),
            wait=wait_exponential(multiplier=0.1, max=2) + wait_random(0, 0.1),
            reraise=True,
        )
        return attempts(send)

    def _sender(self, method: str, url: str, body: bytes | None) -> Callable[[], Json]:
        def send() -> Json:
            try:
                answer = self._client.request(
                    method,
                    url,
                    content=body,
                    headers={"Content-Type": "application/json"} if body is not None else None,
                )
            except (httpx.TransportError, RuntimeError) as error:
                # RuntimeError: the client was closed, because the run is ending
                raise InterruptedTargetError(
                    f"{method} {url}: the API went away ({error or type(error).__name__}); run again, and it"
                    " goes on where it stopped"
                ) from None
            return _read(answer, method, url)

        return send


def _read(answer: httpx.Response, method: str, url: str) -> Json:
    said = quote(answer.text, ANSWER)
    if "next" in answer.links:
        raise AnswerError(f"{method} {url}: {PAGES}")
    status = answer.status_code
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise CredentialsError(
            f"{method} {url}: the API answered {status}: {said}; check API_TOKEN or API_HEADERS"
        )
    if answer.is_server_error or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise InterruptedTargetError(
            f"{method} {url}: the API answered {status}: {said}; run again when it is well"
        )
    if not answer.is_success:
        raise AnswerError(f"{method} {url}: the API answered {status}: {said}", status)
    if not answer.content:
        return None
    try:
        return decode(answer.content)
    except DecodeError:
        raise AnswerError(
            f"{method} {url}: the API answered {status} with what is not JSON: {said}"
        ) from None


def _fill(template: str, record: Mapping[str, Json], live: Mapping[str, Json]) -> str:
    """The path with `{field}` of the record and `{live.field}` of the API's own record put in."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        fields = live if name.startswith("live.") else record
        bare = name.removeprefix("live.")
        if str(fields.get(bare) or "") in {"", ".", ".."} and fields.get(bare) != 0:
            whose = "the API's record" if fields is live else "the record"
            raise AnswerError(
                f"{template}: {whose} has no usable {bare}, and the request's template names it"
            )
        return quote_url(str(fields[bare]), safe="")

    return re.sub(r"\{([^{}]+)\}", value, template)
