"""One waiting loop; the database and the API are what it asks.

"Not there yet" is asked again, with jitter, PostgreSQL 25 times a second and the API up to a second
apart, until a monotonic deadline. What waiting cannot mend ends the loop at once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from compose_init.database.url import Database
from compose_init.errors import (
    ConnectionLostError,
    CredentialsRefused,
    InitError,
    NotReadyError,
    SettingsError,
)

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
Connection = psycopg.Connection[Any]

APPLICATION = "compose-init"

# libpq reports a refused connection as text alone, without an SQLSTATE. These are PostgreSQL's and
# libpq's own English messages; what is in none of them is asked again until the deadline.
REFUSED = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry|authentication failed"
    r"|role \".*\" is not permitted to log in|role \".*\" does not exist"
    r"|certificate (?:authentication|verify) failed|permission denied for database",
)
WRONG = re.compile(
    r"database \".*\" does not exist|server does not support SSL|SSL error|root certificate file"
    r"|certificate file|private key file|invalid (?:port|connection option|URI|integer value|command-line argument)"
    r"|invalid (?:\"?\w+\"? value:|value for parameter)|weak sslmode|could not match \d+ port numbers"
    r"|channel binding required|authentication method requirement|definition of service|service file"
    r"|local user with ID|missing \"=\"|unrecognized configuration parameter|SCRAM authentication requires"
    r"|server certificate for|could not load"
    r"|no such database|unsupported startup parameter",  # PgBouncer's
)


ATTEMPT = 5
"""Seconds that one attempt to connect may take."""


class NotYetError(Exception):
    """What is waited for is not there yet, and why."""


def until(
    ask: Callable[[], T],
    *,
    what: str,
    timeout: float,
    hint: str,
    apart: float = 1,
    began: float | None = None,
) -> T:
    """The first answer that `ask` gives.

    Args:
        ask: raises `NotYetError` to be asked again.
        what: what messages call it.
        timeout: seconds until the deadline.
        apart: seconds between two questions, at most.
        hint: what to look at when it does not come up.
        began: when waiting began, by the monotonic clock; now unless said.

    Raises:
        NotReadyError: no answer by the deadline; the message has the last reason.
    """
    from tenacity import (
        RetryError,
        Retrying,
        retry_if_exception_type,
        wait_exponential,
        wait_random,
    )

    pause = wait_exponential(multiplier=0.05, max=apart, exp_base=1.5) + wait_random(
        0, min(0.05, apart / 4)
    )
    deadline = (time.monotonic() if began is None else began) + timeout
    loop = Retrying(
        retry=retry_if_exception_type(NotYetError),
        stop=lambda _: time.monotonic() >= deadline,
        # No longer than until the deadline: it is asked once more then, and no later.
        wait=lambda state: max(0.0, min(pause(state), deadline - time.monotonic())),
    )
    try:
        return loop(ask)
    except RetryError as error:
        reason = error.last_attempt.exception()
        raise NotReadyError(
            f"{what} did not come up within {timeout:g} s: {reason}; {hint}"
        ) from None


def connect(database: Database, **options: Any) -> Connection:
    """One attempt to connect, in autocommit.

    Raises:
        NotYetError: not there yet.
        CredentialsRefused: wrong user or password, or not let in.
        SettingsError: the address itself is wrong, or TLS cannot be had.
    """
    try:
        return psycopg.connect(
            **{
                "connect_timeout": str(ATTEMPT),
                **database.parameters,
                "application_name": APPLICATION,
                **options,
            },
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        raise _translate(database, error) from None
    except psycopg.ProgrammingError as error:
        raise SettingsError(
            f"the database's address is wrong: {' '.join(str(error).split())}"
        ) from None


@contextmanager
def not_lost() -> Iterator[None]:
    """Say it where a connection that was there is lost.

    Raises:
        ConnectionLostError: the server ended the session, or cannot be reached any more, or takes no writes.
    """
    try:
        yield
    except psycopg.errors.ReadOnlySqlTransaction:
        raise ConnectionLostError(
            "PostgreSQL is read-only, as a standby is, or a database with default_transaction_read_only on; run again"
            " with one that can be written to, or with target_session_attrs=read-write where there are several"
        ) from None
    except psycopg.OperationalError as error:
        raise ConnectionLostError(
            f"the connection to PostgreSQL was lost: {' '.join(str(error).split())}; run again"
        ) from None


def for_database(
    database: Database, timeout: float, *, began: float | None = None, **options: Any
) -> Connection:
    """A connection to PostgreSQL, as soon as it takes one.

    Args:
        database: its address.
        timeout: seconds.
        began: as of `until`.
        options: for libpq.

    Raises:
        NotReadyError: not by the deadline.
        CredentialsRefused, SettingsError: at once; waiting does not mend them.
    """
    began = time.monotonic() if began is None else began

    def ask() -> Connection:
        left = began + timeout - time.monotonic()
        return connect(database, **no_longer_than(left, database), **options)

    return until(
        ask,
        what=f"PostgreSQL at {database.place}",
        timeout=timeout,
        hint="is it running, and is the address right? INIT_DATABASE_TIMEOUT says how long to wait",
        # A refused connection costs nobody anything, and the whole deploy waits for the first that is not.
        apart=0.04,
        began=began,
    )


def no_longer_than(left: float, database: Database) -> dict[str, str]:
    """For libpq: where packets are dropped, an attempt ends by its own timeout alone; it has none below 2 s."""
    if left >= ATTEMPT or "connect_timeout" in database.parameters:
        return {}
    return {"connect_timeout": str(max(2, round(left)))}


def for_api(
    client: httpx.Client, path: str, timeout: float, alive: Callable[[], None] = lambda: None
) -> None:
    """Wait until the API's health answers with success.

    Args:
        client: with the API's base URL.
        path: of its health.
        timeout: seconds.
        alive: raises where the API cannot come up any more.

    Raises:
        NotReadyError: not by the deadline.
        CredentialsRefused: it answered 401 or 403.
    """
    import httpx

    def ask() -> None:
        alive()
        try:
            answer = client.get(path, timeout=5)
        except httpx.TransportError as error:
            raise NotYetError(f"{type(error).__name__}: {error}") from None
        if answer.status_code in {401, 403}:
            raise CredentialsRefused(
                f"the API refused its health check {path} with {answer.status_code}; check API_TOKEN,"
                " API_HEADERS or API_OAUTH_…"
            )
        if not answer.is_success:
            said = " ".join(answer.text.split())[:200]
            raise NotYetError(f"{path} answered {answer.status_code} {said}")

    until(
        ask,
        what=f"the API at {client.base_url}",
        timeout=timeout,
        hint="look at its own log; API_HEALTH_PATH and INIT_API_TIMEOUT can be set",
    )


def _translate(database: Database, error: psycopg.OperationalError) -> InitError | NotYetError:
    text = " ".join(str(error).split()).removeprefix("connection failed: ")
    if REFUSED.search(text):
        return CredentialsRefused(
            f"PostgreSQL at {database.place} refused the credentials: {text}; check user and password (a password"
            " given to the postgres image counts only when its volume is new)"
        )
    if WRONG.search(text):
        return SettingsError(
            f"PostgreSQL at {database.place} cannot be used: {text}; waiting does not mend this"
        )
    return NotYetError(text)
