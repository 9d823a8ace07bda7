"""Waiting for the application's API: asked up to a second apart, until its health check succeeds."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from compose_init.errors import CredentialsRefused, NotYetError
from compose_init.wait import poll_until
from compose_seeder.http_client.redact import describe_redirect
from compose_seeder.proxy import describe_route

HEALTH_TIMEOUT_SECONDS = 5
"""Time that the API has to answer one health check."""

QUOTED_ANSWER = 200
"""How many characters of an unhealthy answer a message quotes."""


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
    except httpx.RequestError as error:
        way = describe_route(client.base_url)
        raise NotYetError(f"{type(error).__name__}: {error}{way}") from None
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise CredentialsRefused(
            f"the API refused its health check {path} with {answer.status_code}; check API_TOKEN,"
            " API_HEADERS or API_OAUTH_…"
        )
    if not answer.is_success:
        said = " ".join(answer.text.split())[:QUOTED_ANSWER]
        if redirect := describe_redirect(answer):
            said = f"and {redirect}; name the path that it leads to in API_HEALTH_PATH"
        way = describe_route(client.base_url)
        raise NotYetError(f"{path} answered {answer.status_code} {said}{way}")
