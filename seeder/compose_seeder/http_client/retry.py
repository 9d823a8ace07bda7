"""Whether a request that failed is sent again, and when.

did not arrive, or was refused unread (429, 503 with Retry-After)  any request
may have been acted on (5xx, connection lost)                      GET, PUT, DELETE; others with an
                                                                   idempotency key (RFC 9110, 9.2.2)
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

ATTEMPTS = 4
"""How often a request is tried that fails without a word about when it would not."""

PATIENCE = 60.0
"""Seconds that one request waits in all where the API asks it to (`Retry-After`)."""

LONGEST = 5.0
"""Seconds between two attempts, where the API does not say how long."""

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""What httpx raises before it sends anything."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that failed, and may not the next time.

    Attributes:
        arrived: the API may have acted on it.
        busy: the API has too much to do.
        after: seconds that it asks for.
        problem: what happened, for people.
    """

    arrived: bool
    busy: bool = False
    after: float | None = None
    problem: str = ""


def pause(failure: Failure, attempt: int, waited: float, *, repeatable: bool) -> float | None:
    """Seconds until a request is sent again; None where it is not.

    Args:
        failure: the last one.
        attempt: how many there were.
        waited: seconds that the request has waited already.
        repeatable: it does the same when it is done twice.
    """
    if failure.arrived and not repeatable:
        return None
    jitter = random.uniform(0, 0.1)  # noqa: S311 - so that they do not all come back together
    backoff = min(0.1 * 2 ** (attempt - 1), LONGEST) + jitter
    if failure.after is not None:
        # Not sooner than asked, and longer where that was not enough.
        asked = failure.after + jitter
        after = asked if attempt == 1 else max(asked, backoff)
        return after if waited + after <= PATIENCE else None
    if failure.busy and not failure.arrived:
        return backoff if waited + backoff <= PATIENCE else None
    return backoff if attempt < ATTEMPTS else None


def not_sent(error: Exception) -> bool:
    """Whether a request that ended with this error has certainly not arrived."""
    return isinstance(error, NOT_SENT)


def failure_of(answer: httpx.Response) -> Failure | None:
    """The failure that an answer is, where it may pass, without words; None where it is none."""
    status = answer.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Failure(arrived=False, busy=True, after=retry_after(answer))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        after = retry_after(answer)
        return Failure(arrived=after is None, busy=True, after=after)
    if answer.is_server_error:
        return Failure(arrived=True)
    return None


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3); None without one."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
