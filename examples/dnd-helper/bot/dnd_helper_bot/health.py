"""Whether the bot can answer: `python -m dnd_helper_bot.health` exits 0 or 1, for Compose."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import httpx
from redis import Redis, RedisError

from dnd_helper_bot.settings import SettingsError, load

if TYPE_CHECKING:
    from dnd_helper_bot.settings import Settings

PATIENCE = 2.0  # seconds: less than a health check's timeout


def main() -> None:
    """Ask Redis and the API; say what is wrong on stderr."""
    try:
        faults = check(load(os.environ))
    except SettingsError as error:
        faults = [f"settings: {error}"]
    if faults:
        sys.exit("\n".join(faults))


def check(settings: Settings) -> list[str]:
    """What keeps the bot from answering; empty where nothing does."""
    faults = []
    if settings.redis is not None:
        client = Redis.from_url(
            settings.redis, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        )
        try:
            client.ping()
        except RedisError as error:
            faults.append(f"Redis: {error}")
        finally:
            client.close()
    try:
        httpx.get(f"{settings.api}/health", timeout=PATIENCE).raise_for_status()
    except httpx.HTTPError as error:
        faults.append(f"API: {error or type(error).__name__}")
    return faults


if __name__ == "__main__":
    main()
