"""An API's answer as a message may quote it: without secrets, on one line, and bounded.

An API may repeat what was sent to it: a header with a token, or a record with a secret field.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

import httpx

from compose_seeder.errors import quote
from compose_seeder.masking import MIN_SECRET_CHARACTERS, SecretMask
from compose_seeder.safe_url import SafeUrl

ANSWER_CHARACTERS = 400
"""Length up to which an API's answer is quoted."""

PUBLIC_HEADERS = {
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "transfer-encoding",
    "user-agent",
}
"""Headers that hold no secret."""


def secrets_in_headers(request: httpx.Request) -> Iterator[str]:
    """Yield every secret in the request's headers."""
    for name, value in request.headers.items():
        if name in PUBLIC_HEADERS:
            continue
        yield value
        if name in {"authorization", "proxy-authorization"}:
            scheme, _, credentials = value.partition(" ")
            yield credentials
            if scheme.lower() == "basic":
                yield _password(credentials)
        if name == "cookie":
            yield from (part.partition("=")[2] for part in value.split(";"))


def secrets_in_value(value: Any) -> Iterator[str]:
    """Yield the texts, numbers and names in the value of a secret field, at every depth."""
    if isinstance(value, dict):
        yield from (name for name in value if len(name) >= MIN_SECRET_CHARACTERS)
        for part in value.values():
            yield from secrets_in_value(part)
    elif isinstance(value, list):
        for part in value:
            yield from secrets_in_value(part)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def quote_answer(answer: httpx.Response, field_secrets: set[str]) -> str:
    """Return the API's words for a message.

    Args:
        answer: with its body.
        field_secrets: the values of the record's secret fields.
    """
    if any(len(secret) < MIN_SECRET_CHARACTERS for secret in field_secrets):
        return "(not shown: the record has a secret that is too short to mask)"
    mask = SecretMask(field_secrets | {*secrets_in_headers(answer.request)})
    return quote(mask(answer.text), ANSWER_CHARACTERS)


def describe_redirect(answer: httpx.Response) -> str:
    """Return where an answer redirects to, for a message, without the query; "" where it does not."""
    if answer.next_request is None:
        return ""
    return f"redirects to {SafeUrl(str(answer.next_request.url))}"


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
