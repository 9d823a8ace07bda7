"""The decision to send a request again, and its delay.

did not arrive, or was refused unread (429, 503 with Retry-After)  any request
may have been acted on (5xx, connection lost)                      GET, PUT, DELETE; others with an
                                                                   idempotency key (RFC 9110, 9.2.2)

httpx's exceptions are translated here:

    InvalidURL ─▶ no request can be sent      HTTPError, RuntimeError ─▶ Failure
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

MAX_ATTEMPTS = 4
"""How often a request is sent where the API does not say how long to wait."""

MAX_WAIT_SECONDS = 60.0
"""Seconds that one request waits in all where the API asks for it (`Retry-After`)."""

MAX_DELAY_SECONDS = 5.0
"""Seconds between two attempts, where the API does not say how long."""

NOT_SENT_ERRORS = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""What httpx raises before it sends anything."""

REQUEST_ERRORS = (httpx.HTTPError, RuntimeError)
"""What httpx raises for one attempt; RuntimeError where the client was closed, because the run is ending."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that failed, while the next one may succeed.

    Attributes:
        may_have_arrived: the API may have acted on the request.
        busy: the API is overloaded.
        retry_after: the seconds that the API asks to wait.
        problem: the reason, for people.
    """

    may_have_arrived: bool
    busy: bool = False
    retry_after: float | None = None
    problem: str = ""


def delay_before_retry(
    failure: Failure, attempt: int, waited: float, *, repeatable: bool
) -> float | None:
    """Return the seconds until a request is sent again; None where it is not sent again.

    Args:
        failure: of the last attempt.
        attempt: the number of attempts so far.
        waited: the seconds that the request has waited already.
        repeatable: the request has the same effect when it is done twice.
    """
    if failure.may_have_arrived and not repeatable:
        return None
    jitter = random.uniform(0, 0.1)  # noqa: S311 - spreads the retries of several threads
    backoff = min(0.1 * 2 ** (attempt - 1), MAX_DELAY_SECONDS) + jitter
    if failure.retry_after is not None:
        # Not sooner than asked, and later where that was not enough.
        asked = failure.retry_after + jitter
        delay = asked if attempt == 1 else max(asked, backoff)
        return delay if waited + delay <= MAX_WAIT_SECONDS else None
    if failure.busy and not failure.may_have_arrived:
        return backoff if waited + backoff <= MAX_WAIT_SECONDS else None
    return backoff if attempt < MAX_ATTEMPTS else None


def failure_from_error(error: Exception, request: str, way: str = "") -> Failure:
    """Return the failure that one of `REQUEST_ERRORS` stands for.

    Args:
        error: httpx's.
        request: method and address, for people.
        way: the proxy that was asked, for people; "" for none.
    """
    problem = f"{request}: no answer from the API ({error or type(error).__name__}){way}"
    if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
        problem += "; if it needs longer, raise INIT_API_REQUEST_TIMEOUT"
    return Failure(may_have_arrived=not isinstance(error, NOT_SENT_ERRORS), problem=problem)


def failure_from_answer(answer: httpx.Response) -> Failure | None:
    """Return the failure that an answer stands for, without a problem; None where a retry is useless."""
    status = answer.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Failure(may_have_arrived=False, busy=True, retry_after=parse_retry_after(answer))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        after = parse_retry_after(answer)
        return Failure(may_have_arrived=after is None, busy=True, retry_after=after)
    if answer.is_server_error:
        return Failure(may_have_arrived=True)
    return None


def parse_retry_after(answer: httpx.Response) -> float | None:
    """Return the seconds in either form of the header (RFC 9110, 10.2.3); None without a valid one."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
