"""Every variable, once: name, type, default, meaning and example.

`docs/settings.md`, the known names, the secret ones and the check of a server's `.env` derive from here.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from compose_init.alembic_options import SECTION
from compose_init.settings.declaration import SECONDS, Group, declared, variable
from compose_init.settings.field_types import (
    AlembicConfig,
    DatabaseUrl,
    Flag,
    Headers,
    HeaderSecret,
    HealthPath,
    LogLevel,
    ManifestLocation,
    Port,
    ReportFile,
    Seconds,
    TokenUrl,
    WebAddress,
    Words,
)
from compose_init.settings.source import Texts, VariableSource


class DatabaseVariables(Group):
    """The address of PostgreSQL, and how long to wait for it."""

    url: DatabaseUrl | None = variable(
        "DATABASE_URL",
        "the whole address",
        example="postgresql://app:secret@postgres:5432/app",
    )
    host: str | None = variable(
        "POSTGRES_HOST", "host", shown="required without `DATABASE_URL`", example="postgres"
    )
    port: Port = variable("POSTGRES_PORT", "port", default="5432", example="5433")
    name: str | None = variable(
        "POSTGRES_DB", "database", shown="as `POSTGRES_USER`", example="app"
    )
    user: str | None = variable(
        "POSTGRES_USER", "role", shown="required without `DATABASE_URL`", example="app"
    )
    password: SecretStr | None = variable(
        "POSTGRES_PASSWORD", "password, as it is", example="p@ss:w/rd #1%"
    )
    application_role: str | None = variable(
        "INIT_APPLICATION_ROLE",
        "the role that your application connects as, where it is not init's; init"
        " [checks it](#the-applications-role)",
        example="app_api",
    )
    timeout: Seconds = variable(
        "INIT_DATABASE_TIMEOUT",
        "seconds to wait for PostgreSQL",
        default=60,
        example="120",
        expected=SECONDS,
    )
    lock_timeout: Seconds = variable(
        "INIT_LOCK_TIMEOUT",
        "seconds to wait for another run to end; also how long a migration retries for a table lock, and how long"
        " seeding waits for one of a table or a row",
        default=300,
        example="30",
        expected=SECONDS,
    )


class MigrationVariables(Group):
    """The migrations, and how long they wait for table locks."""

    config: AlembicConfig = variable(
        "ALEMBIC_CONFIG",
        "your `alembic.ini`; or a folder of revisions, with or without an `env.py`",
        shown="`alembic.ini` in the working folder, where there is one",
        example="/app/alembic.ini",
        validate_default=True,
    )
    section: str = variable(
        "ALEMBIC_SECTION",
        "the section of `alembic.ini` that describes the history, as `alembic -n` names it",
        default=SECTION,
        example="jobs",
    )
    arguments: Words = variable(
        "ALEMBIC_X",
        "arguments for `env.py`, as `alembic -x` gives them",
        default=(),
        example="tenant=a schema=shop",
    )
    lock_timeout: Seconds = variable(
        "INIT_MIGRATION_LOCK_TIMEOUT",
        "seconds that one statement waits for a table lock; then the revision is rolled back and tried again",
        default=2,
        example="10",
        expected=SECONDS,
    )


class ApiVariables(Group):
    """The application's API, and how to authenticate towards it."""

    base_url: WebAddress | None = variable(
        "API_BASE_URL",
        "where the API is",
        shown="`http://127.0.0.1:8000` with `API_COMMAND`, else -",
        example="http://api:8000",
    )
    command: Words = variable(
        "API_COMMAND",
        "starts a temporary API in this container; it is stopped when the seeds are there",
        default=(),
        example="python -m my_api.main",
    )
    health_path: HealthPath = variable(
        "API_HEALTH_PATH",
        "answers with success when the API is up",
        default="/health",
        example="/healthz",
    )
    timeout: Seconds = variable(
        "INIT_API_TIMEOUT",
        "seconds to wait for that",
        default=120,
        example="30",
        expected=SECONDS,
    )
    request_timeout: Seconds = variable(
        "INIT_API_REQUEST_TIMEOUT",
        "seconds that the API has to answer one request; what it leaves open is"
        " [looked for](manifest.md#what-the-api-accepts-and-does-not-show) as long again",
        default=30,
        example="120",
        expected=SECONDS,
    )
    token: HeaderSecret | None = variable(
        "API_TOKEN",
        "sent as `Authorization: Bearer …`",
        example="API_TOKEN_FILE=/run/secrets/api_token",
    )
    headers: Headers = variable(
        "API_HEADERS",
        "more headers, one a line, `Name: value`",
        default={},
        example="X-Api-Key: abc",
        repr=False,
    )
    oauth_token_url: TokenUrl | None = variable(
        "API_OAUTH_TOKEN_URL",
        "where a token is fetched by OAuth2 client credentials",
        example="https://login.example.com/oauth2/token",
    )
    oauth_client_id: str | None = variable(
        "API_OAUTH_CLIENT_ID", "who fetches it", shown="required with the URL", example="seeds"
    )
    oauth_client_secret: SecretStr | None = variable(
        "API_OAUTH_CLIENT_SECRET",
        "the client's secret",
        shown="required with the URL",
        example="API_OAUTH_CLIENT_SECRET_FILE=/run/secrets/client",
    )
    oauth_scope: str | None = variable(
        "API_OAUTH_SCOPE", "the scopes to ask for, separated by spaces", example="api:write"
    )
    oauth_audience: str | None = variable(
        "API_OAUTH_AUDIENCE",
        "the audience to ask for; some servers need one",
        example="https://api.example.com",
    )


class SeedVariables(Group):
    """The seeds."""

    manifest: ManifestLocation = variable(
        "SEED_MANIFEST",
        "the [manifest](manifest.md): a path, or a URL: `s3://bucket/key`, `gs://`, `az://`, `https://`",
        shown="`/seeds/seeds.toml`, where it is there",
        example="s3://seeds/seeds.toml",
        validate_default=True,
    )


class StoreVariables(Group):
    """Object stores and HTTPS, by the names that their makers give the variables."""

    aws_key_id: str | None = variable(
        "AWS_ACCESS_KEY_ID", "access key", example="AWS_ACCESS_KEY_ID_FILE=/run/secrets/key_id"
    )
    aws_key: SecretStr | None = variable(
        "AWS_SECRET_ACCESS_KEY",
        "secret key",
        example="AWS_SECRET_ACCESS_KEY_FILE=/run/secrets/key",
    )
    aws_session_token: SecretStr | None = variable("AWS_SESSION_TOKEN", "for temporary credentials")
    aws_region: str | None = variable(
        "AWS_REGION", "region", shown="`us-east-1`", example="eu-central-1"
    )
    aws_endpoint: str | None = variable(
        "AWS_ENDPOINT_URL",
        "a store of your own; `http://` is allowed where you write it",
        shown="Amazon's",
        example="http://minio:9000",
    )
    aws_virtual_hosted: str | None = variable(
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
        "`true`: the bucket is part of the host name; else of the path",
        shown="`false`",
        example="true",
    )
    google_key: SecretStr | None = variable(
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "a service account's key, as JSON",
        example="GOOGLE_SERVICE_ACCOUNT_KEY_FILE=/run/secrets/gcs.json",
    )
    google_url: str | None = variable(
        "GOOGLE_BASE_URL",
        "a store of your own that speaks like Google's",
        shown="Google's",
        example="http://gcs:4443",
    )
    azure_account: str | None = variable("AZURE_STORAGE_ACCOUNT_NAME", "account", example="seeds")
    azure_key: SecretStr | None = variable(
        "AZURE_STORAGE_ACCOUNT_KEY",
        "its key, or",
        example="AZURE_STORAGE_ACCOUNT_KEY_FILE=/run/secrets/azure",
    )
    azure_signature: SecretStr | None = variable(
        "AZURE_STORAGE_SAS_TOKEN",
        "a shared access signature",
        example="AZURE_STORAGE_SAS_TOKEN_FILE=/run/secrets/sas",
    )
    azure_endpoint: str | None = variable(
        "AZURE_STORAGE_ENDPOINT",
        "a store of your own that speaks like Azure's",
        shown="Azure's",
        example="http://azurite:10000/devstoreaccount1",
    )
    https_token: HeaderSecret | None = variable(
        "SEED_HTTPS_TOKEN",
        "sent as a bearer token to the host of an `https://` source, and not to where it redirects",
        example="SEED_HTTPS_TOKEN_FILE=/run/secrets/token",
    )


class ReportVariables(Group):
    """The report, the logs and the image's version."""

    file: ReportFile | None = variable(
        "INIT_REPORT",
        "a file that gets the run's report as [JSON](command-line.md#the-run); its folder must be writable. Where it"
        " cannot be written in the end, a warning says so",
        example="/reports/init.json",
    )
    image_version: str = variable(
        "INIT_IMAGE_VERSION",
        "the image's version, for the ledger of revisions; `Dockerfile.init` sets it from its build argument `VERSION`"
        " (`dev`)",
        default="",
        example="1.5",
    )
    image_revision: str = variable(
        "INIT_IMAGE_REVISION",
        "the image's git revision, for the ledger of revisions; `Dockerfile.init` sets it from its build argument"
        " `REVISION` (`unknown`)",
        default="",
        example="3f2a9c1",
    )
    log_level: LogLevel = variable(
        "LOG_LEVEL",
        "`DEBUG`, `INFO`, `WARNING` or `ERROR`",
        default="INFO",
        example="DEBUG",
        expected="one of DEBUG, INFO, WARNING, ERROR",
    )
    log_json: Flag | None = variable(
        "LOG_JSON",
        "`true`: one JSON object a line; `false`: lines for people",
        shown="JSON, unless stdout is a terminal",
        example="false",
        expected="true or false",
    )
    log_service_name: str = variable(
        "LOG_SERVICE_NAME",
        "the field `service` of JSON logs",
        default="init",
        example="init-shop",
    )


class Variables(BaseSettings):
    """All variables, by group.

    Args:
        texts: the variables' values as text.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)  # type: ignore[assignment]

    database: DatabaseVariables
    migrations: MigrationVariables
    api: ApiVariables
    seeds: SeedVariables
    store: StoreVariables
    report: ReportVariables

    def __init__(self, texts: Texts) -> None:
        super().__init__(texts=texts)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the texts alone."""
        texts: Texts = init_settings.init_kwargs["texts"]  # type: ignore[attr-defined]
        return (VariableSource(settings_cls, texts),)


def groups() -> dict[str, type[BaseModel]]:
    """Return the groups, by name."""
    return {name: field.annotation for name, field in Variables.model_fields.items()}  # type: ignore[misc]


DECLARED = {each.name: each for group in groups().values() for each in declared(group)}
"""All variables, by name."""
KNOWN = tuple(DECLARED)
"""The names of all variables."""
SECRET = frozenset(each.name for each in DECLARED.values() if each.secret)
"""The names of variables whose values are secrets."""
STORE = tuple(each.name for each in declared(StoreVariables))
"""The names of variables that object stores and HTTPS sources get."""
