"""The API as the bot uses it: a library of records and texts, which may be unavailable."""

from __future__ import annotations

import logging
import time
from typing import Any

import httpx

from dnd_helper_bot.texts import Texts, from_rows

log = logging.getLogger(__name__)

Record = dict[str, Any]

TEXTS_TTL_SECONDS = 60.0  # an edited text shows up within a minute
RETRY_SECONDS = 3.0  # before texts are requested again after a failure
RESULT_LIMIT = 8  # records; a longer list does not fit the screen of a telephone
NAME_LIMIT = 100  # characters of a name that the API accepts


class LibraryAway(Exception):  # noqa: N818 - a state of the world, as httpx has ConnectError
    """The API does not answer, or answers with an error; the message gives the reason."""


class Library:
    """Looks up records and texts.

    Args:
        client: has the API's base address, and a timeout short enough for somebody who waits.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._texts: dict[str, tuple[float, Texts]] = {}

    async def search(self, path: str, name: str, lang: str) -> list[Record]:
        """Find records with this name or a similar name, best first. Raises LibraryAway."""
        found = await self._get(path, q=name[:NAME_LIMIT], lang=lang, limit=RESULT_LIMIT)
        exact = [record for record in found if _is_called(record, name)]
        return exact[:1] or found

    async def texts(self, lang: str) -> Texts:
        """Return the bot's texts; while the API is unavailable, the last texts or the built-in texts."""
        expires, texts = self._texts.get(lang, (0.0, Texts()))
        if time.monotonic() < expires:
            return texts
        try:
            texts = from_rows(
                await self._get("/ui-translations", lang=lang),
                await self._get("/enum-translations", lang=lang),
            )
            expires = time.monotonic() + TEXTS_TTL_SECONDS
        except LibraryAway as error:
            log.warning("texts in %s: %s", lang, error)
            expires = time.monotonic() + RETRY_SECONDS
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
