"""The probe of an address from outside, for deploy/stack: does it answer, and as which version?"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from compose_init.errors import NotYetError, SettingsError
from compose_init.settings.field_types import is_web_address
from compose_init.wait import poll_until
from compose_seeder.http_client.redact import describe_redirect
from compose_seeder.http_transport import Transport
from compose_seeder.proxy import describe_route

SHOWN_CHARACTERS = 200
"""How much of an answer a message quotes."""

REQUEST_TIMEOUT_SECONDS = 5


def probe(url: str, timeout: float, version: str | None = None) -> str:
    """Wait until the address answers with success; return a description of the answer.

    Args:
        url: asked by GET; a redirect is no success.
        timeout: seconds until it must have answered.
        version: what `version` in the answer, a JSON object, must be.

    Raises:
        NotReadyError: no success by the deadline; the message has the last answer.
        SettingsError: the address is invalid.
    """
    if not is_web_address(url):
        raise SettingsError("the address must look like http://127.0.0.1:8000/health")
    place = _describe(url)
    began = time.monotonic()
    with httpx.Client(timeout=REQUEST_TIMEOUT_SECONDS, transport=Transport()) as client:
        found = poll_until(
            lambda: _ask(client, url, version),
            what=place,
            timeout=timeout,
            hint="users get the same answer; look at the service's log",
        )
    return f"{place} answers 200{found} after {time.monotonic() - began:.1f} s"


def _describe(url: str) -> str:
    """Return the address without user and query: either may hold a secret."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _ask(client: httpx.Client, url: str, version: str | None) -> str:
    """Return what a success says about the version, as a part of a message.

    Raises:
        NotYetError: no answer, not a success, or another version.
    """
    try:
        answer = client.get(url)
    except (httpx.RequestError, httpx.InvalidURL) as error:
        raise NotYetError(f"{type(error).__name__}: {error}{describe_route(url)}") from None
    if not answer.is_success:
        quoted = " ".join(answer.text.split())[:SHOWN_CHARACTERS]
        if redirect := describe_redirect(answer):
            quoted = f"and {redirect}; name that address"
        raise NotYetError(
            f"it answers {answer.status_code} {quoted}".rstrip() + describe_route(url)
        )
    return "" if version is None else _version(answer, version)


def _version(answer: Any, expected: str) -> str:
    try:
        found = answer.json()["version"]
    except (ValueError, KeyError, TypeError):
        raise NotYetError(
            "its answer is not a JSON object with a version; set STACK_PROBE_VERSION=false to check no version"
        ) from None
    if found != expected:
        raise NotYetError(f"it answers as version {found!r}, and not {expected!r}")
    return f" as version {found}"
