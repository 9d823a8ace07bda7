"""Settings: from the environment alone, validated whole, every fault at once.

Written by hand, since an unchanged run reads them too: a settings library costs such a run more time
than the rest of our own code together (see docs/architecture.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from compose_seeder.http_client.header import FIELD_NAME, VALUE_FAULTS, fits_header
from compose_seeder.sources.variables import read_variable

from compose_init.database.url import Database, from_parameters, from_url, password_of, port
from compose_init.errors import SettingsError

STORE = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_BASE_URL",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_ENDPOINT",
    "SEED_HTTPS_TOKEN",
)
POSTGRES = ("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD")
OAUTH = (
    "API_OAUTH_TOKEN_URL",
    "API_OAUTH_CLIENT_ID",
    "API_OAUTH_CLIENT_SECRET",
    "API_OAUTH_SCOPE",
    "API_OAUTH_AUDIENCE",
)
KNOWN = (
    "DATABASE_URL",
    *POSTGRES,
    "INIT_DATABASE_TIMEOUT",
    "INIT_LOCK_TIMEOUT",
    "INIT_API_TIMEOUT",
    "INIT_MIGRATION_LOCK_TIMEOUT",
    "INIT_APPLICATION_ROLE",
    "INIT_REPORT",
    "INIT_IMAGE_VERSION",
    "INIT_IMAGE_REVISION",
    "ALEMBIC_CONFIG",
    "API_BASE_URL",
    "API_HEALTH_PATH",
    "API_COMMAND",
    "API_TOKEN",
    "API_HEADERS",
    *OAUTH,
    "SEED_MANIFEST",
    "LOG_LEVEL",
    "LOG_JSON",
    "LOG_SERVICE_NAME",
    *STORE,
)
OURS = ("INIT_", "SEED_")
SECRET = {
    "POSTGRES_PASSWORD",
    "API_TOKEN",
    "API_OAUTH_CLIENT_SECRET",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "SEED_HTTPS_TOKEN",
    "DATABASE_URL",
}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
MANIFEST = "/seeds/seeds.toml"
LOOPBACK = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Api:
    """Where the application's API is, or how to start one.

    Attributes:
        command: words of the command that starts a temporary API; empty for an API elsewhere.
        headers: sent with every request; they may hold a token.
        token: sent as a bearer token.
        token_file: where it was read, and is read again when the API does not take it any more.
        oauth: who fetches a bearer token, and where; None where nobody does.
    """

    base_url: str
    health_path: str
    command: tuple[str, ...]
    headers: Mapping[str, str] = field(repr=False)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    oauth: OAuth | None = None


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
class Settings:
    """Everything that the environment says. Timeouts are in seconds."""

    database: Database | None
    database_timeout: float = 60
    lock_timeout: float = 300
    api_timeout: float = 120
    migration_lock_timeout: float = 2
    alembic_config: Path | None = None
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
    """All variables, for seeds that name some of them."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    plain: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What came from files, as plain variables: for the application's migrations and its API."""

    def need_database(self) -> Database:
        """The database's address.

        Raises:
            SettingsError: there is none.
        """
        if self.database is None:
            raise SettingsError(NO_DATABASE)
        return self.database


NO_DATABASE = (
    "settings are wrong:\n  DATABASE_URL: is missing; set it, or POSTGRES_HOST, POSTGRES_DB, POSTGRES_USER and"
    " POSTGRES_PASSWORD"
)


def is_web_address(text: str) -> bool:
    """Whether it can be asked over HTTP: with a host, and a port that is one."""
    try:
        parts = urlsplit(text)
        number = parts.port  # read for its ValueError
    except ValueError:
        return False
    host = parts.hostname or " "
    named = host.isprintable() and " " not in host
    return parts.scheme in {"http", "https"} and named and number != 0


def read(environ: Mapping[str, str], *, offline: bool = False) -> Settings:
    """The settings that an environment holds.

    Args:
        environ: variables; an empty one counts as not set, since Compose passes those for `${NAME:-}`.
        offline: the database's address may be missing.

    Raises:
        SettingsError: with every fault, by variable; never with a secret's value.
    """
    return _Reader(environ).read(offline=offline)


def _may_be_there(path: Path) -> bool:
    """Also where nobody may look: who reads it says so, and it is not passed over in silence."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._faults: list[str] = []
        self._environ = environ
        self._plain: dict[str, str] = {}
        self._values = {name: value for name in KNOWN if (value := self._value(name))}

    def read(self, *, offline: bool) -> Settings:
        self._unknown_names()
        database = self._database(offline=offline)
        settings = Settings(
            database=database,
            database_timeout=self._seconds("INIT_DATABASE_TIMEOUT", 60),
            lock_timeout=self._seconds("INIT_LOCK_TIMEOUT", 300),
            api_timeout=self._seconds("INIT_API_TIMEOUT", 120),
            migration_lock_timeout=self._seconds("INIT_MIGRATION_LOCK_TIMEOUT", 2),
            alembic_config=self._alembic(),
            application_role=self._application_role(database),
            api=self._api(),
            manifest=self._manifest(),
            report=self._report(),
            image_version=self._values.get("INIT_IMAGE_VERSION", ""),
            image_revision=self._values.get("INIT_IMAGE_REVISION", ""),
            log_level=self._choice("LOG_LEVEL", "INFO", LEVELS),
            log_json=self._flag("LOG_JSON"),
            log_service_name=self._values.get("LOG_SERVICE_NAME", "init"),
            object_store=self._store(),
            environ=self._environ,
            secrets=tuple(self._secrets(database)),
            plain=self._plain,
        )
        if self._faults:
            raise SettingsError(
                "\n".join(["settings are wrong:", *(f"  {fault}" for fault in self._faults)])
            )
        return settings

    def _fault(self, name: str, problem: str) -> None:
        self._faults.append(f"{name}: {problem}")

    def _value(self, name: str) -> str:
        """Return a variable's value, or that of the file that `NAME_FILE` names."""
        found = read_variable(self._environ, name)
        for fault in found.faults:
            self._fault(fault.name, fault.problem)
        if found.from_file:
            self._plain[name] = found.text
        return found.text

    def _unknown_names(self) -> None:
        known = {*KNOWN, *(f"{name}_FILE" for name in KNOWN)}
        for name in sorted(self._environ):
            if name.startswith(OURS) and name not in known:
                import difflib

                near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
                self._fault(
                    name, "is not a setting" + (f"; did you mean {near[0]}?" if near else "")
                )

    def _seconds(self, name: str, default: float) -> float:
        text = self._values.get(name)
        if text is None:
            return default
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1
        if not 0 < seconds < 86_400:  # noqa: PLR2004 - a day
            self._fault(
                name, f"must be a number of seconds above 0 and below a day, found {text!r}"
            )
            return default
        return seconds

    def _choice(self, name: str, default: str, known: tuple[str, ...]) -> str:
        text = self._values.get(name, default).upper()
        if text not in known:
            self._fault(name, f"must be one of {', '.join(known)}, found {text!r}")
        return text

    def _flag(self, name: str) -> bool | None:
        text = self._values.get(name, "").lower()
        if text and text not in FLAGS:
            self._fault(name, f"must be true or false, found {text!r}")
        return FLAGS.get(text)

    def _secrets(self, database: Database | None) -> list[str]:
        secrets = [self._values[name] for name in SECRET if name in self._values]
        secrets += [
            value.split(":", 1)[-1].strip()
            for value in self._values.get("API_HEADERS", "").splitlines()
        ]
        secrets += [password_of(self._values.get(n, "")) for n in ("DATABASE_URL", "API_BASE_URL")]
        if database is not None:  # its query may have some as well
            secrets += [database.parameters.get(name, "") for name in ("password", "sslpassword")]
        return [secret for secret in secrets if secret]

    # the database

    def _database(self, *, offline: bool) -> Database | None:
        if "DATABASE_URL" in self._values:
            return self._from_url(self._values["DATABASE_URL"])
        given = {name: self._values[name] for name in POSTGRES if name in self._values}
        if not given:
            if not offline and not any(fault.startswith("DATABASE_URL") for fault in self._faults):
                self._fault("DATABASE_URL", NO_DATABASE.partition("DATABASE_URL: ")[2])
            return None
        for name in ("POSTGRES_HOST", "POSTGRES_USER"):
            if name not in given:
                self._fault(
                    name, "is missing; DATABASE_URL is not set, and other POSTGRES_ variables are"
                )
        user = given.get("POSTGRES_USER", "")
        parameters = {
            "host": given.get("POSTGRES_HOST", ""),
            "port": self._port(given.get("POSTGRES_PORT", "5432")),
            "dbname": given.get("POSTGRES_DB", user),
            "user": user,
            "password": given.get("POSTGRES_PASSWORD", ""),
        }
        return from_parameters(parameters)

    def _from_url(self, url: str) -> Database | None:
        try:
            return from_url(url)
        except ValueError as error:
            self._fault("DATABASE_URL", str(error))
            return None

    def _port(self, text: str) -> str:
        try:
            return port(text)
        except ValueError as error:
            self._fault("POSTGRES_PORT", str(error))
            return "5432"

    # the application

    def _application_role(self, database: Database | None) -> str | None:
        role = self._values.get("INIT_APPLICATION_ROLE")
        if role and database is not None and database.parameters.get("user") == role:
            self._fault(
                "INIT_APPLICATION_ROLE",
                "is the role that init connects as; the application needs one of its own",
            )
        return role

    def _alembic(self) -> Path | None:
        named = self._values.get("ALEMBIC_CONFIG")
        path = Path(named or "alembic.ini")
        if os.path.isdir(path) and _may_be_there(path / "alembic.ini"):  # noqa: PTH112 - never raises
            path /= "alembic.ini"  # as Flask-Migrate has it
        if _may_be_there(path):
            if not os.access(path, os.R_OK):
                self._fault(
                    "ALEMBIC_CONFIG",
                    f"{path} cannot be read; is it readable for the user that this runs as?",
                )
                return None
            return path.resolve()
        if named:
            self._fault("ALEMBIC_CONFIG", f"{named} is not there; it is read from {Path.cwd()}")
        return None

    def _api(self) -> Api | None:
        oauth, headers = self._oauth(), self._headers()
        base, command = self._values.get("API_BASE_URL"), self._command()
        if base is None and not command:
            return None
        base = base or LOOPBACK
        if not is_web_address(base):
            self._fault("API_BASE_URL", "must look like http://api:8000")
        path = self._values.get("API_HEALTH_PATH", "/health")
        if not path.startswith("/"):
            self._fault("API_HEALTH_PATH", f"must begin with /, found {path!r}")
        if not path.isprintable():
            self._fault("API_HEALTH_PATH", f"holds what no address may, found {path!r}")
        token = self._token("API_TOKEN")
        file = self._environ.get("API_TOKEN_FILE") if token else None
        token_file = Path(file).absolute() if file else None
        return Api(base.rstrip("/"), path, command, headers, token, token_file, oauth)

    def _oauth(self) -> OAuth | None:
        """Client credentials: whole or not at all, and the only ones."""
        given = {name: self._values[name] for name in OAUTH if name in self._values}
        needed = OAUTH[:3]
        if not given:
            return None
        for name in needed:
            if name not in given and not self._environ.get(f"{name}_FILE"):
                self._fault(name, f"is missing; {', '.join(given)} is set")
        if "API_TOKEN" in self._values:
            self._fault("API_TOKEN", "is set, and API_OAUTH_… as well; remove one of them")
        url = given.get("API_OAUTH_TOKEN_URL", "https://token")
        if not is_web_address(url) or urlsplit(url).username:
            self._fault("API_OAUTH_TOKEN_URL", "must look like https://login.example.com/token")
        url, client_id, secret = (given.get(name, "") for name in needed)
        optional = {name.rpartition("_")[2].lower(): given.get(name, "") for name in OAUTH[3:]}
        parameters = {name: value for name, value in optional.items() if value}
        return OAuth(url, client_id, secret, parameters)

    def _token(self, name: str) -> str:
        """One that is sent as a header, where it is set."""
        token = self._values.get(name, "")
        if not fits_header(token):
            self._fault(name, f"holds what no header may: {VALUE_FAULTS}")
        return token

    def _command(self) -> tuple[str, ...]:
        import shlex

        try:
            return tuple(shlex.split(self._values.get("API_COMMAND", "")))
        except ValueError as error:
            self._fault("API_COMMAND", f"cannot be split into words: {error}")
            return ()

    def _headers(self) -> dict[str, str]:
        headers = {}
        for number, line in enumerate(self._values.get("API_HEADERS", "").splitlines(), start=1):
            name, colon, value = line.partition(":")
            if line.strip() and not (colon and FIELD_NAME.fullmatch(name.strip())):
                self._fault("API_HEADERS", f"line {number} must look like Name: value")
            elif not fits_header(value.strip()):
                self._fault(
                    "API_HEADERS", f"line {number} holds what no header may: {VALUE_FAULTS}"
                )
            elif line.strip():
                headers[name.strip()] = value.strip()
        both = {"API_TOKEN", "API_OAUTH_TOKEN_URL"} & self._values.keys()
        if both and "authorization" in {name.lower() for name in headers}:
            self._fault("API_HEADERS", f"has Authorization, and {', '.join(both)} makes it as well")
        return headers

    def _manifest(self) -> str | None:
        named = self._values.get("SEED_MANIFEST")
        if named is None:
            return MANIFEST if _may_be_there(Path(MANIFEST)) else None
        if "://" in named:
            from compose_seeder.errors import ManifestError
            from compose_seeder.sources.location import check_url

            try:
                check_url(named)
            except ManifestError as error:
                self._fault("SEED_MANIFEST", str(error))
            return named
        if not _may_be_there(Path(named)) or os.path.isdir(named):  # noqa: PTH112 - never raises
            self._fault(
                "SEED_MANIFEST",
                f"{named} is not a file that is there; is the seeds folder mounted?",
            )
        return str(Path(named).absolute())

    def _store(self) -> dict[str, str]:
        self._token("SEED_HTTPS_TOKEN")
        return {name: self._values[name] for name in STORE if name in self._values}

    def _report(self) -> Path | None:
        named = self._values.get("INIT_REPORT")
        if named and os.path.isdir(named):  # noqa: PTH112 - never raises
            self._fault("INIT_REPORT", f"{named} is a folder; name a file in it")
        elif named and not os.access(Path(named).absolute().parent, os.W_OK):
            self._fault("INIT_REPORT", f"the folder of {named} is not there, or cannot be written")
        return Path(named).absolute() if named else None
