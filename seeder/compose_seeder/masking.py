"""Secrets in text that people read, replaced in every form in which they may be written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote

MASK = "***"

MIN_SECRET_CHARACTERS = 4
"""Length from which a secret is masked; a shorter one would mask ordinary words."""


class SecretMask:
    """Replaces secrets in text.

    Args:
        secrets: the secrets; those shorter than `MIN_SECRET_CHARACTERS` stay.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        long = {secret for secret in secrets if len(secret) >= MIN_SECRET_CHARACTERS}
        forms = {form for secret in long for form in _forms_of(secret)}
        # A secret may be a part of another one's form.
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text with a mask in place of each secret."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


def _forms_of(secret: str) -> set[str]:
    # JSON twice: a body that is quoted in a text of an answer.
    as_json = {secret, *_in_json(secret)}
    twice = {form for text in as_json for form in _in_json(text)}
    return {*as_json, *twice, quote(secret, safe=""), repr(secret)[1:-1]}


def _in_json(text: str) -> set[str]:
    return {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
