"""The API as the bot sees it: something to look things up in, which may be away."""

from __future__ import annotations

import logging
import time
from typing import Any

import httpx

from dnd_helper_bot.texts import Texts, from_rows

log = logging.getLogger(__name__)

Record = dict[str, Any]

FRESH = 60.0  # seconds that texts are kept: an edited word shows up within a minute
RETRY = 3.0  # seconds before texts are asked for again after a failure
FOUND = 8  # at most; a longer list helps nobody on a telephone
LONGEST = 100  # characters of a name that the API takes


class LibraryAway(Exception):  # noqa: N818 - a state of the world, as httpx has ConnectError
    """The API does not answer, or not as it should; the message says how."""


class Library:
    """Looks up records and texts.

    Args:
        client: has the API's base address, and a timeout short enough for somebody who waits.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._texts: dict[str, tuple[float, Texts]] = {}

    async def search(self, path: str, name: str, lang: str) -> list[Record]:
        """Records with that name, or one like it, best first. Raises LibraryAway."""
        found = await self._get(path, q=name[:LONGEST], lang=lang, limit=FOUND)
        exact = [record for record in found if _is_called(record, name)]
        return exact[:1] or found

    async def texts(self, lang: str) -> Texts:
        """The bot's words; those from before, or the built-in ones, while the API is away."""
        expires, texts = self._texts.get(lang, (0.0, Texts()))
        if time.monotonic() < expires:
            return texts
        try:
            texts = from_rows(
                await self._get("/ui-translations", lang=lang),
                await self._get("/enum-translations", lang=lang),
            )
            expires = time.monotonic() + FRESH
        except LibraryAway as error:
            log.warning("texts in %s: %s", lang, error)
            expires = time.monotonic() + RETRY
        self._texts[lang] = (expires, texts)
        return texts

    async def _get(self, path: str, **query: str | int) -> list[Record]:
        try:
            answer = await self._client.get(path, params=query)
            answer.raise_for_status()
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise LibraryAway(f"GET {path}: {error or type(error).__name__}") from error
        if not isinstance(body, list):
            raise LibraryAway(f"GET {path}: not a list")
        return body


def _is_called(record: Record, name: str) -> bool:
    wanted = name.casefold()
    return wanted in {str(record["name"]).casefold(), str(record["slug"]).casefold()}
