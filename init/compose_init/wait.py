"""One polling loop, and the database and the API as what it waits for.

"Not there yet" is asked again, with jitter, PostgreSQL 25 times a second and the API up to a second
apart, until a monotonic deadline. An error that waiting does not change ends the loop at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
from tenacity import RetryError, Retrying, retry_if_exception_type, wait_exponential, wait_random

from compose_init.database.connection import Connection, connect, connect_timeout
from compose_init.database.url import Database
from compose_init.errors import CredentialsRefused, NotReadyError, NotYetError

T = TypeVar("T")

DATABASE_MAX_PAUSE_SECONDS = 0.04
"""A refused connection costs nobody anything, and the whole deploy waits for the first accepted one."""

HEALTH_TIMEOUT_SECONDS = 5
"""Time that the API has to answer one health check."""

QUOTED_ANSWER = 200
"""How many characters of an unhealthy answer a message quotes."""


def poll_until(
    ask: Callable[[], T],
    *,
    what: str,
    timeout: float,
    hint: str,
    max_pause: float = 1,
    started: float | None = None,
) -> T:
    """Return the first answer that `ask` gives.

    Args:
        ask: raises `NotYetError` to be asked again.
        what: what messages call it.
        timeout: seconds until the deadline.
        hint: what to look at when it does not come up.
        max_pause: seconds between two questions, at most.
        started: when waiting began, by the monotonic clock; now by default.

    Raises:
        NotReadyError: no answer by the deadline; the message has the last reason.
    """
    backoff = wait_exponential(multiplier=0.05, max=max_pause, exp_base=1.5)
    pause = backoff + wait_random(0, min(0.05, max_pause / 4))
    deadline = (time.monotonic() if started is None else started) + timeout
    loop = Retrying(
        retry=retry_if_exception_type(NotYetError),
        stop=lambda _: time.monotonic() >= deadline,
        # No longer than until the deadline: `ask` is called once more then, and no later.
        wait=lambda state: max(0.0, min(pause(state), deadline - time.monotonic())),
    )
    try:
        return loop(ask)
    except RetryError as error:
        reason = error.last_attempt.exception()
        raise NotReadyError(
            f"{what} did not come up within {timeout:g} s: {reason}; {hint}"
        ) from None


def wait_for_database(
    database: Database, timeout: float, *, started: float | None = None, **options: Any
) -> Connection:
    """Return a connection to PostgreSQL, as soon as it accepts one.

    Args:
        database: its address.
        timeout: seconds.
        started: as for `poll_until`.
        options: for libpq.

    Raises:
        NotReadyError: not by the deadline.
        CredentialsRefused, SettingsError: at once; waiting does not help.
    """
    started = time.monotonic() if started is None else started

    def ask() -> Connection:
        seconds_left = started + timeout - time.monotonic()
        return connect(database, **connect_timeout(database, seconds_left), **options)

    return poll_until(
        ask,
        what=f"PostgreSQL at {database.place}",
        timeout=timeout,
        hint="is it running, and is the address right? INIT_DATABASE_TIMEOUT says how long to wait",
        max_pause=DATABASE_MAX_PAUSE_SECONDS,
        started=started,
    )


def wait_for_api(
    client: httpx.Client,
    path: str,
    timeout: float,
    check_alive: Callable[[], None] = lambda: None,
) -> None:
    """Wait until the API's health check succeeds.

    Args:
        client: with the API's base URL.
        path: of its health check.
        timeout: seconds.
        check_alive: raises where the API cannot come up any more.

    Raises:
        NotReadyError: not by the deadline.
        CredentialsRefused: it answered 401 or 403.
    """

    def ask() -> None:
        check_alive()
        _check_health(client, path)

    poll_until(
        ask,
        what=f"the API at {client.base_url}",
        timeout=timeout,
        hint="look at its own log; API_HEALTH_PATH and INIT_API_TIMEOUT can be set",
    )


def _check_health(client: httpx.Client, path: str) -> None:
    """Raise where the API is not healthy.

    Raises:
        NotYetError: no answer, or not a success.
        CredentialsRefused: 401 or 403.
    """
    try:
        answer = client.get(path, timeout=HEALTH_TIMEOUT_SECONDS)
    except httpx.TransportError as error:
        raise NotYetError(f"{type(error).__name__}: {error}") from None
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise CredentialsRefused(
            f"the API refused its health check {path} with {answer.status_code}; check API_TOKEN,"
            " API_HEADERS or API_OAUTH_…"
        )
    if not answer.is_success:
        said = " ".join(answer.text.split())[:QUOTED_ANSWER]
        raise NotYetError(f"{path} answered {answer.status_code} {said}")
