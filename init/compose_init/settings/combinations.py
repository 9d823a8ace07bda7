"""Rules between variables: what needs what, and what excludes what."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from compose_init.database.url import from_variables
from compose_init.settings.source import Fault

NO_DATABASE = (
    "is missing; set it, or POSTGRES_HOST, POSTGRES_DB, POSTGRES_USER and POSTGRES_PASSWORD"
)
OAUTH_NEEDED = ("API_OAUTH_TOKEN_URL", "API_OAUTH_CLIENT_ID", "API_OAUTH_CLIENT_SECRET")


def faults_between(
    values: Mapping[str, str], unread: Collection[str], *, offline: bool
) -> Iterator[Fault]:
    """Find the faults between variables.

    Args:
        values: the variables that are set, as text.
        unread: names of variables that are set and could not be read.
        offline: the database's address may be missing.
    """
    yield from _database(values, unread, offline=offline)
    yield from _application_role(values)
    yield from _oauth(values, unread)
    yield from _authorization(values)


def _database(
    values: Mapping[str, str], unread: Collection[str], *, offline: bool
) -> Iterator[Fault]:
    if {"DATABASE_URL"} & {*values, *unread}:
        return
    if not any(name.startswith("POSTGRES_") for name in values):
        if not offline:
            yield Fault("DATABASE_URL", NO_DATABASE)
        return
    for name in ("POSTGRES_HOST", "POSTGRES_USER"):
        if name not in {*values, *unread}:
            yield Fault(
                name, "is missing; DATABASE_URL is not set, and other POSTGRES_ variables are"
            )


def _application_role(values: Mapping[str, str]) -> Iterator[Fault]:
    role = values.get("INIT_APPLICATION_ROLE")
    try:
        database = from_variables(values)
    except ValueError:  # a fault of its own
        return
    if role and database and role == database.parameters.get("user"):
        yield Fault(
            "INIT_APPLICATION_ROLE",
            "is the role that init connects as; the application needs one of its own",
        )


def _oauth(values: Mapping[str, str], unread: Collection[str]) -> Iterator[Fault]:
    """Client credentials are complete, and the only way to authenticate."""
    given = [name for name in values if name.startswith("API_OAUTH_")]
    if not given:
        return
    for name in OAUTH_NEEDED:
        if name not in {*given, *unread}:
            yield Fault(name, f"is missing; {', '.join(given)} is set")
    if "API_TOKEN" in values:
        yield Fault("API_TOKEN", "is set, and API_OAUTH_… as well; remove one of them")


def _authorization(values: Mapping[str, str]) -> Iterator[Fault]:
    both = [name for name in ("API_TOKEN", "API_OAUTH_TOKEN_URL") if name in values]
    lines = values.get("API_HEADERS", "").splitlines()
    names = {line.partition(":")[0].strip().lower() for line in lines}
    if both and "authorization" in names:
        yield Fault("API_HEADERS", f"has Authorization, and {', '.join(both)} makes it as well")
