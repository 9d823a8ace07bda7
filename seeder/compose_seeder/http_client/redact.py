"""An API's answer as a message may quote it: without secrets, on one line, and bounded.

An API may say back what was sent to it: a header with a token, or a record with a secret field.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote as quote_url

import httpx

from compose_seeder.errors import quote

ANSWER = 400
"""How many characters of an API's answer a message quotes."""

MASK = "***"

SHORTEST = 4
"""Characters of a secret that can be masked; a shorter one would mask words."""

OPEN = {
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


def of_headers(request: httpx.Request) -> Iterator[str]:
    """What the request's headers hold that nobody else shall read."""
    for name, value in request.headers.items():
        if name in OPEN:
            continue
        yield value
        if name in {"authorization", "proxy-authorization"}:
            scheme, _, credentials = value.partition(" ")
            yield credentials
            if scheme.lower() == "basic":
                yield _password(credentials)
        if name == "cookie":
            yield from (part.partition("=")[2] for part in value.split(";"))


def of_fields(value: Any) -> Iterator[str]:
    """The texts and numbers in a field that is secret, at every depth."""
    if isinstance(value, dict):
        for part in value.values():
            yield from of_fields(part)
    elif isinstance(value, list):
        for part in value:
            yield from of_fields(part)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def masked(text: str, secrets: set[str]) -> str:
    """`text` without the secrets, in any form that JSON or a URL gives them."""
    forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def said(answer: httpx.Response, fields: set[str]) -> str:
    """What the API said, quoted.

    Args:
        answer: in whole.
        fields: values of the record's secret fields.
    """
    if any(len(secret) < SHORTEST for secret in fields):
        return "(not shown: the record has a secret that is too short to mask)"
    return quote(masked(answer.text, fields | {*of_headers(answer.request)}), ANSWER)


def _forms(secret: str) -> set[str]:
    # Twice: a body that is quoted in a text of the answer.
    once = {secret, *_in_json(secret)}
    return {*once, *(form for text in once for form in _in_json(text)), quote_url(secret, safe="")}


def _in_json(text: str) -> set[str]:
    return {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
