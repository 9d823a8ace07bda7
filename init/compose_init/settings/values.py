"""Settings as the rest of the program uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from compose_init.alembic_options import SECTION, AlembicOptions
from compose_init.database.url import Database
from compose_init.errors import SettingsError
from compose_init.settings.combinations import NO_DATABASE


@dataclass(frozen=True)
class OAuth:
    """OAuth2 client credentials.

    Attributes:
        parameters: of the request for a token, such as scope.
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Api:
    """The application's API, running elsewhere or to be started.

    Attributes:
        command: words of the command that starts a temporary API; empty for an API elsewhere.
        headers: sent with every request; they may hold a token.
        token: sent as a bearer token.
        token_file: the token's file, read again when the API refuses the token.
        oauth: client credentials that fetch a bearer token.
        request_timeout: the seconds that one request has.
    """

    base_url: str
    health_path: str
    command: tuple[str, ...]
    headers: Mapping[str, str] = field(repr=False)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    oauth: OAuth | None = None
    request_timeout: float = 30


@dataclass(frozen=True)
class Settings:
    """Everything that the environment says. Timeouts are in seconds.

    Attributes:
        environ: all variables, for seeds that name some of them.
        secrets: values that no message may show.
        file_values: values that came from files, by variable: for the application's migrations and API.
    """

    database: Database | None
    database_timeout: float = 60
    lock_timeout: float = 300
    api_timeout: float = 120
    migration_lock_timeout: float = 2
    alembic_config: Path | None = None
    alembic_section: str = SECTION
    alembic_arguments: tuple[str, ...] = ()
    application_role: str | None = None
    api: Api | None = None
    manifest: str | None = None
    report: Path | None = None
    image_version: str = ""
    image_revision: str = ""
    log_level: str = "INFO"
    log_json: bool | None = None
    log_service_name: str = "init"
    object_store: Mapping[str, str] = field(default_factory=dict, repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    file_values: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def alembic(self) -> AlembicOptions | None:
        """The history to migrate; None where there is none."""
        if self.alembic_config is None:
            return None
        return AlembicOptions(self.alembic_config, self.alembic_section, self.alembic_arguments)

    def need_database(self) -> Database:
        """Return the database's address.

        Raises:
            SettingsError: there is none.
        """
        if self.database is None:
            raise SettingsError(f"settings are wrong:\n  DATABASE_URL: {NO_DATABASE}")
        return self.database
