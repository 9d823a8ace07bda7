"""Secrets in text that people read, replaced in every form in which they may be written.

Each character of a secret may stand as it is, percent-encoded (by urllib, SQLAlchemy or a browser, once or twice, with
`%` doubled for configparser), escaped (JSON, repr, a JSON text within JSON), doubled (SQL) or as an HTML entity; and
white space as any other. One pattern allows all of it character by character, so that no library's choice matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

MASK = "***"

MIN_SECRET_CHARACTERS = 4
"""Length from which a secret is masked; a shorter one would mask ordinary words."""

MIN_PART_CHARACTERS = 6
"""Length from which a part of a secret is masked that a parser of URLs may take out of it."""

MAX_PASSWORD_CHARACTERS = 100
"""Length up to which a secret may be a password in a URL."""

DELIMITERS = re.compile(r"[/@:?#\s]+")
"""At these characters, parsers of URLs cut a password that is not quoted."""

SPACES = re.compile(r"([ \t\r\n]+)")

PERCENT = r"%(?:%|25)*"
"""A percent sign: of a text that is quoted once or more often, or for configparser."""

SPACE = rf"(?:\s|\+|(?i:{PERCENT}(?:20|09|0a|0d))|\\+[nrt])+"

ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}

CUT = "…"
"""The end of a text that is cut off."""


class SecretMask:
    """Replaces secrets in text.

    Args:
        secrets: the secrets; those shorter than `MIN_SECRET_CHARACTERS` stay.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        long = {secret for secret in secrets if len(secret) >= MIN_SECRET_CHARACTERS}
        parts = {part for secret in long for part in _parts_of(secret)}
        # A secret may be a part of another one.
        self._secrets = sorted(long | parts, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text with a mask in place of each secret."""
        if CUT in text:
            *cut, last = text.split(CUT)
            text = CUT.join([*map(self._without_beginning, cut), last])
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        return text

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [_pattern(secret) for secret in self._secrets]

    def _without_beginning(self, text: str) -> str:
        """Return text that was cut off, with a mask in place of a secret's beginning at its end."""
        for secret in self._secrets:
            for length in range(len(secret) - 1, MIN_SECRET_CHARACTERS - 1, -1):
                if text.endswith(secret[:length]):
                    return text[:-length] + MASK
        return text


def _parts_of(secret: str) -> Iterator[str]:
    """Yield the parts of a secret that the error of a parser may quote by themselves.

    configparser quotes what follows a `%`, and a parser of URLs what it takes for a host, a port or a path. Of a URL
    that is a secret as a whole, only the password is: messages name its user, host and database.
    """
    if len(secret) > MAX_PASSWORD_CHARACTERS or "\n" in secret:  # a key in a file of its own, say
        return
    if "://" in secret:
        login = secret.partition("://")[2].rpartition("@")[0]
        secret = login.partition(":")[2]
    for found in re.finditer("%", secret):
        if len(secret) - found.start() >= MIN_SECRET_CHARACTERS:
            yield secret[found.start() :]
    for part in DELIMITERS.split(secret):
        if len(part) >= MIN_PART_CHARACTERS and not part.isalpha():
            yield part


def _pattern(secret: str) -> re.Pattern[str]:
    parts = SPACES.split(secret)  # every second one is white space
    return re.compile(
        "".join(SPACE if n % 2 else "".join(map(_character, part)) for n, part in enumerate(parts))
    )


def _character(character: str) -> str:
    """Return a pattern of every form of one character."""
    if character.isascii() and character.isalnum():
        return character
    if character == "%":
        return PERCENT
    encoded = "".join(f"{PERCENT}{byte:02x}" for byte in character.encode("utf-8", "replace"))
    forms = [f"(?i:{encoded})", *_escaped(character)]
    forms.append(rf"(?i:&#(?:{ord(character)}|x{ord(character):x});)")
    if character in ENTITIES:
        forms.append(f"&{ENTITIES[character]};")
    if character.isspace():  # an unusual one
        forms.append(r"\s+")
    if character in "'\"":
        forms.append(character * 2)
    # With any number of backslashes before it: a text that is escaped once or more often.
    forms.append(r"\\+" if character == "\\" else r"\\*" + re.escape(character))
    return f"(?:{'|'.join(forms)})"


def _escaped(character: str) -> Iterator[str]:
    """Yield patterns of a character's code, as JSON and Python write it."""
    code = ord(character)
    units = character.encode("utf-16-be", "surrogatepass")
    yield "(?i:" + "".join(rf"\\+u{units[n : n + 2].hex()}" for n in range(0, len(units), 2)) + ")"
    if code <= 0xFF:  # noqa: PLR2004 - two digits
        yield rf"(?i:\\+x{code:02x})"
    encoded = character.encode("utf-8", "replace")
    yield "(?i:" + "".join(rf"\\+x{byte:02x}" for byte in encoded) + ")"
    if code > 0xFFFF:  # noqa: PLR2004 - four digits
        yield rf"(?i:\\+U{code:08x})"
