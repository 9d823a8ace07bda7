"""Settings from the environment. NAME can be read from a file: NAME_FILE holds its path."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

DRIVER = "postgresql+psycopg"
YES = {"1", "true", "yes", "on"}


class SettingsError(Exception):
    """A variable is missing or wrong; the message names it and never holds its value."""


@dataclass(frozen=True)
class Settings:
    """The settings that the API reads when it starts.

    Attributes:
        database: address of PostgreSQL, password unquoted; its `str` hides the password.
        token: the token that writers send as `Authorization: Bearer`; None lets everybody write.
        version: the application's version, for `/health`.
    """

    database: URL
    host: str = "0.0.0.0"  # noqa: S104 - a container is reached from outside
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    version: str = "dev"
    log_level: str = "INFO"
    log_json: bool = False
    log_service: str = "api"


def load(environment: Mapping[str, str]) -> Settings:
    """Read all settings. Raises SettingsError."""
    return Settings(
        database=database_url(environment),
        host=environment.get("API_HOST") or Settings.host,
        port=_number(environment, "API_PORT", Settings.port),
        token=read(environment, "API_TOKEN"),
        version=environment.get("APP_VERSION") or Settings.version,
        log_level=(environment.get("LOG_LEVEL") or Settings.log_level).upper(),
        log_json=(environment.get("LOG_JSON") or "").lower() in YES,
        log_service=environment.get("LOG_SERVICE_NAME") or Settings.log_service,
    )


def database_url(environment: Mapping[str, str]) -> URL:
    """Return the address: `DATABASE_URL`, or built from `POSTGRES_*`. Raises SettingsError."""
    if url := read(environment, "DATABASE_URL"):
        return with_driver(url)
    names = ("POSTGRES_HOST", "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD")
    values = {name: read(environment, name) for name in names}
    if missing := [name for name, value in values.items() if value is None]:
        raise SettingsError(f"set DATABASE_URL, or all of POSTGRES_*: no {', '.join(missing)}")
    return URL.create(  # quotes nothing and parses nothing: any password will do
        DRIVER,
        username=values["POSTGRES_USER"],
        password=values["POSTGRES_PASSWORD"],
        host=values["POSTGRES_HOST"],
        port=_number(environment, "POSTGRES_PORT", 5432),
        database=values["POSTGRES_DB"],
    )


def with_driver(address: str) -> URL:
    """Return the address with psycopg 3 as its driver, which a bare `postgresql://` leaves open."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # their messages repeat the address, password and all
        raise SettingsError("DATABASE_URL is not an address (postgresql://…)") from None
    if url.drivername in {"postgres", "postgresql"}:
        return url.set(drivername=DRIVER)
    if url.drivername != DRIVER:
        raise SettingsError(f"DATABASE_URL names {url.drivername}; this API speaks {DRIVER}")
    return url


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


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    value = read(environment, name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError:
        raise SettingsError(f"{name} is not a number") from None
