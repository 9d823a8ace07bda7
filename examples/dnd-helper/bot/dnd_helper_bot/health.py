"""The health check for Compose: `python -m dnd_helper_bot.health` exits with 0 or 1."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import httpx
from redis import Redis, RedisError

from dnd_helper_bot.settings import SettingsError, load

if TYPE_CHECKING:
    from dnd_helper_bot.settings import Settings

TIMEOUT_SECONDS = 2.0  # less than a health check's timeout


def main() -> None:
    """Ask Redis and the API; print the faults to stderr."""
    try:
        faults = check(load(os.environ))
    except SettingsError as error:
        faults = [f"settings: {error}"]
    if faults:
        sys.exit("\n".join(faults))


def check(settings: Settings) -> list[str]:
    """List the faults that keep the bot from answering."""
    faults = []
    if settings.redis is not None:
        client = Redis.from_url(
            settings.redis, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        try:
            client.ping()
        except RedisError as error:
            faults.append(f"Redis: {error}")
        finally:
            client.close()
    try:
        httpx.get(f"{settings.api}/health", timeout=TIMEOUT_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        faults.append(f"API: {error or type(error).__name__}")
    return faults


if __name__ == "__main__":
    main()
