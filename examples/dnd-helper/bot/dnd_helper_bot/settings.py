"""Settings from the environment. NAME can be read from a file: NAME_FILE holds its path."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = re.compile(r"\d+:\S+", re.ASCII)
YES = {"1", "true", "yes", "on"}


class SettingsError(Exception):
    """Variables are missing or wrong; the message names them and never holds a value."""


@dataclass(frozen=True)
class Settings:
    """The settings that the bot reads when it starts.

    Attributes:
        token: the bot's token.
        api: base address of the example's API.
        telegram: base address of a Bot API server; None is Telegram's own.
        redis: address of Redis, password included; None keeps the state in memory.
    """

    token: str = field(repr=False)
    api: str
    telegram: str | None = None
    redis: str | None = field(default=None, repr=False)
    log_level: str = "INFO"
    log_json: bool = False
    log_service: str = "bot"


def load(environment: Mapping[str, str]) -> Settings:
    """Read all settings. Raises SettingsError."""
    token, api = read(environment, "BOT_TOKEN"), read(environment, "API_BASE_URL")
    named = {"BOT_TOKEN": token, "API_BASE_URL": api}
    if not token or not api:
        raise SettingsError(f"set {', '.join(name for name in named if not named[name])}")
    if not TOKEN.fullmatch(token):
        raise SettingsError("BOT_TOKEN is not a token (digits, a colon, more)")
    telegram = read(environment, "TELEGRAM_API_BASE_URL")
    return Settings(
        token=token,
        api=_address("API_BASE_URL", api, {"http", "https"}),
        telegram=telegram and _address("TELEGRAM_API_BASE_URL", telegram, {"http", "https"}),
        redis=redis_address(environment),
        log_level=_level(environment),
        log_json=(environment.get("LOG_JSON") or "").lower() in YES,
        log_service=environment.get("LOG_SERVICE_NAME") or Settings.log_service,
    )


def redis_address(environment: Mapping[str, str]) -> str | None:
    """Return `REDIS_URL`, or an address built from `REDIS_HOST`, `_PORT` and `_PASSWORD`."""
    if url := read(environment, "REDIS_URL"):
        return _address("REDIS_URL", url, {"redis", "rediss"})
    host = read(environment, "REDIS_HOST")
    if host is None:
        return None
    port = read(environment, "REDIS_PORT") or "6379"
    if not port.isdecimal():
        raise SettingsError("REDIS_PORT is not a number")
    password = read(environment, "REDIS_PASSWORD")
    login = f":{quote(password, safe='')}@" if password else ""
    return f"redis://{login}{host}:{port}/0"


def read(environment: Mapping[str, str], name: str) -> str | None:
    """Return NAME's value or NAME_FILE's content; None if both are missing or empty, as Compose sets them."""
    value, path = environment.get(name), environment.get(f"{name}_FILE")
    if value and path:
        raise SettingsError(f"both {name} and {name}_FILE are set: keep one")
    if not path:
        return value or None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n") or None
    except OSError as error:
        raise SettingsError(f"{name}_FILE cannot be read: {error.strerror}") from error


def _address(name: str, value: str, schemes: set[str]) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:  # its message may repeat the address, password and all
        raise SettingsError(f"{name} is not an address") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise SettingsError(f"{name} is not an address ({' or '.join(sorted(schemes))}://…)")
    return value.rstrip("/")


def _level(environment: Mapping[str, str]) -> str:
    level = (environment.get("LOG_LEVEL") or Settings.log_level).upper()
    known = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    if level not in known:
        raise SettingsError(f"LOG_LEVEL is not one of {', '.join(known)}")
    return level
