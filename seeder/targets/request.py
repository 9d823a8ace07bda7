"""One request to the application's API: its path, its repetition, and what its answer means.

2xx JSON ─▶ the document      401, 403 ─▶ CredentialsError
other 4xx ─▶ AnswerError      429, 5xx, no answer ─▶ InterruptedTargetError
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote as quote_url

import httpx
from msgspec import DecodeError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
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

PATIENCE = 60.0
"""Seconds that one request waits in all where the API asks it to (`Retry-After`)."""


class BusyError(InterruptedTargetError):
    """The API did not take the request, and may later: 429, or 503 with a time."""

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message)
        self.after = after


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
        once: str | None = None,
    ) -> Json:
        """Send one request and decode its answer.

        `once` is an idempotency key: with it, a POST may be repeated too.

        Raises:
            AnswerError: a 4xx, or an answer that is not JSON.
            CredentialsError: 401 or 403.
            InterruptedTargetError: the API is away, or fails by itself.
        """
        method, _, path = template.partition(" ")
        url = _fill(path, record, live)
        return _document(self._ask(method, url, body, once), method, url)

    @property
    def base(self) -> str:
        """The API's base URL."""
        return str(self._client.base_url)

    def page(self, url: str) -> tuple[Json, str | None]:
        """One page of a list, and where its `Link` header says that the next one is.

        Raises:
            AnswerError, CredentialsError, InterruptedTargetError: as `send`.
        """
        answer = self._ask("GET", url, None, None)
        return _document(answer, "GET", url), answer.links.get("next", {}).get("url")

    def _ask(self, method: str, url: str, body: bytes | None, once: str | None) -> httpx.Response:
        send = self._sender(method, url, body, once)
        repeatable = once is not None or method in {"GET", "PUT", "DELETE"}
        # What the API did not take can be repeated in any case.
        kind = InterruptedTargetError if repeatable else BusyError
        attempts = Retrying(
            retry=retry_if_exception_type(kind),
            stop=_stop,
            wait=_pause,
            reraise=True,
        )
        return attempts(send)

    def _sender(
        self, method: str, url: str, body: bytes | None, once: str | None
    ) -> Callable[[], httpx.Response]:
        headers = {} if body is None else {"Content-Type": "application/json"}
        if once:
            headers["Idempotency-Key"] = once

        def send() -> httpx.Response:
            try:
                answer = self._client.request(method, url, content=body, headers=headers)
            except (httpx.TransportError, RuntimeError) as error:
                # RuntimeError: the client was closed, because the run is ending
                raise InterruptedTargetError(
                    f"{method} {url}: the API went away ({error or type(error).__name__}); run again, and it"
                    " goes on where it stopped"
                ) from None
            _check(answer, method, url)
            return answer

        return send


BACKING_OFF = wait_exponential(multiplier=0.1, max=2) + wait_random(0, 0.1)


def _pause(state: RetryCallState) -> float:
    """What the API asks for, or longer and longer."""
    error = state.outcome.exception() if state.outcome else None
    return max(BACKING_OFF(state), error.after if isinstance(error, BusyError) else 0)


def _stop(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, BusyError):
        return (state.seconds_since_start or 0) + error.after > PATIENCE
    return state.attempt_number >= ATTEMPTS


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3)."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _check(answer: httpx.Response, method: str, url: str) -> None:
    said = quote(answer.text, ANSWER)
    status = answer.status_code
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise CredentialsError(
            f"{method} {url}: the API answered {status}: {said}; check API_TOKEN or API_HEADERS"
        )
    after = _retry_after(answer)
    if status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.SERVICE_UNAVAILABLE and after is not None
    ):
        raise BusyError(
            f"{method} {url}: the API answered {status} for {PATIENCE:.0f} s: {said}; run again when it is well",
            1.0 if after is None else after,
        )
    if answer.is_server_error:
        raise InterruptedTargetError(
            f"{method} {url}: the API answered {status}: {said}; run again when it is well"
        )
    if not answer.is_success:
        raise AnswerError(f"{method} {url}: the API answered {status}: {said}", status)


def _document(answer: httpx.Response, method: str, url: str) -> Json:
    if not answer.content:
        return None
    try:
        return decode(answer.content)
    except DecodeError:
        raise AnswerError(
            f"{method} {url}: the API answered {answer.status_code} with what is not JSON:"
            f" {quote(answer.text, ANSWER)}"
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
