"""From an environment to settings, or to every fault at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr, ValidationError

from compose_init.database.url import Database, from_variables, password_of
from compose_init.errors import SettingsError
from compose_init.settings.combinations import faults_between
from compose_init.settings.field_types import OWN_FAULT
from compose_init.settings.quotes import with_quote_faults
from compose_init.settings.source import Fault, Texts, read_texts
from compose_init.settings.values import Api, OAuth, Settings
from compose_init.settings.variables import (
    DECLARED,
    KNOWN,
    SECRET,
    STORE,
    ApiVariables,
    Variables,
    groups,
)

OWNED = ("INIT_", "SEED_")
"""The beginnings of names that are nobody else's."""
LOOPBACK = "http://127.0.0.1:8000"


PASSWORDS = ("PGPASSWORD", "PGSSLPASSWORD")
"""Variables of libpq whose values are secrets."""


def read(environ: Mapping[str, str], *, offline: bool = False) -> Settings:
    """Return the settings that an environment holds.

    Args:
        environ: variables; an empty one counts as not set, since Compose passes those for `${NAME:-}`.
        offline: the database's address may be missing.

    Raises:
        SettingsError: with every fault, by variable; never with a secret's value.
    """
    texts = read_texts(environ, KNOWN)
    unread = {fault.name.removesuffix("_FILE") for fault in texts.faults}
    faults = [*texts.faults, *_unknown_names(environ)]
    variables = None
    try:
        variables = Variables(texts)
    except ValidationError as error:
        faults += _worded(error)
    faults += faults_between(texts.values, unread, offline=offline)
    faults = list(with_quote_faults(faults, texts.values, SECRET))
    if faults or variables is None:
        raise SettingsError("\n".join(["settings are wrong:", *(f"  {each}" for each in faults)]))
    return _settings(variables, texts, environ)


def _unknown_names(environ: Mapping[str, str]) -> Iterator[Fault]:
    known = sorted({*KNOWN, *(f"{name}_FILE" for name in KNOWN)})
    for name in sorted(environ):
        if name.startswith(OWNED) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield Fault(name, f"is not a setting{hint}")


def _worded(error: ValidationError) -> Iterator[Fault]:
    """Yield pydantic's faults by variable, in our words."""
    for each in error.errors(include_url=False):
        name = _variable_at(each["loc"])
        if each["type"] == OWN_FAULT:
            yield Fault(name, each["msg"])
        else:
            yield Fault(name, f"must be {DECLARED[name].expected}, found {each['input']!r}")


def _variable_at(location: Sequence[str | int]) -> str:
    """Return the variable of a fault: a value's location has its name, a default's the names of fields."""
    for part in location:
        if part in DECLARED:
            return str(part)
    group, field = map(str, location[:2])
    return str(groups()[group].model_fields[field].validation_alias)


def _settings(variables: Variables, texts: Texts, environ: Mapping[str, str]) -> Settings:
    database, report = from_variables(texts.values), variables.report
    return Settings(
        database=database,
        database_timeout=variables.database.timeout,
        lock_timeout=variables.database.lock_timeout,
        api_timeout=variables.api.timeout,
        migration_lock_timeout=variables.migrations.lock_timeout,
        alembic_config=variables.migrations.config,
        alembic_section=variables.migrations.section,
        alembic_arguments=variables.migrations.arguments,
        application_role=variables.database.application_role,
        api=_api(variables.api, environ),
        manifest=variables.seeds.manifest,
        report=Path(report.file).absolute() if report.file else None,
        image_version=report.image_version,
        image_revision=report.image_revision,
        log_level=report.log_level,
        log_json=report.log_json,
        log_service_name=report.log_service_name,
        object_store={name: texts.values[name] for name in STORE if name in texts.values},
        environ=environ,
        secrets=tuple(_secrets(texts.values, environ, database)),
        file_values=texts.file_values,
    )


def _api(variables: ApiVariables, environ: Mapping[str, str]) -> Api | None:
    if variables.base_url is None and not variables.command:
        return None
    token, file = _text(variables.token), environ.get("API_TOKEN_FILE")
    return Api(
        (variables.base_url or LOOPBACK).rstrip("/"),
        variables.health_path,
        variables.command,
        variables.headers,
        token,
        Path(file).absolute() if token and file else None,
        _oauth(variables),
        variables.request_timeout,
    )


def _oauth(variables: ApiVariables) -> OAuth | None:
    if variables.oauth_token_url is None:
        return None
    optional = {"scope": variables.oauth_scope, "audience": variables.oauth_audience}
    return OAuth(
        variables.oauth_token_url,
        variables.oauth_client_id or "",
        _text(variables.oauth_client_secret),
        {name: value for name, value in optional.items() if value},
    )


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def _secrets(
    values: Mapping[str, str], environ: Mapping[str, str], database: Database | None
) -> Iterator[str]:
    """Yield every value that no message may show."""
    found = [values.get(name, "") for name in SECRET]
    headers = [line.split(":", 1)[-1] for line in values.get("API_HEADERS", "").splitlines()]
    found += [header.strip() for header in headers]
    found += [header.split()[-1] for header in headers if header.strip()]  # after "Bearer"
    found += [environ.get(name, "") for name in PASSWORDS]
    urls = [text for name, text in environ.items() if name.upper().endswith("_PROXY")]
    found += [password_of(text) for text in (*values.values(), *urls)]
    if database is not None:  # its query may have some as well
        found += [database.parameters.get(name, "") for name in ("password", "sslpassword")]
    yield from filter(None, found)
