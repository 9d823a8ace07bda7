"""One attempt to connect to PostgreSQL, and its errors translated into this program's.

psycopg ─▶ NotYetError           refused, starting up, no such name yet: another attempt may succeed
        ─▶ CredentialsRefused    waiting does not help
        ─▶ SettingsError         waiting does not help
        ─▶ ConnectionLostError   an open session has ended
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from compose_init.database.refusal import read_sqlstate
from compose_init.database.url import Database
from compose_init.errors import (
    ConnectionLostError,
    CredentialsRefused,
    InitError,
    LockError,
    NotYetError,
    SettingsError,
    one_line,
)
from compose_seeder.errors import TIME_LIMIT

Connection = psycopg.Connection[Any]

APPLICATION_NAME = "compose-init"
"""Name of this program's sessions in `pg_stat_activity`."""

CONNECT_TIMEOUT_SECONDS = 5
"""Time that one attempt to connect may take, unless the address itself has a `connect_timeout`."""

LIBPQ_MIN_TIMEOUT_SECONDS = 2
"""libpq raises any shorter `connect_timeout` to this."""

SAID_BY_SERVER = re.compile(r"failed: (?!FATAL:  the database system is )[^\s:]+ ?:  \S")
"""A server's severity and message, in its own language; all else is libpq's, which speaks English here."""

CREDENTIALS_STATES = ("28", "42501")
"""Beginnings of SQLSTATEs: invalid authorization, insufficient privilege."""

SETTINGS_STATES = ("3D000", "22023", "42704", "42602")
"""No such database; parameters of the session that are wrong or unknown."""

# libpq reports a refused connection as text alone, without an SQLSTATE. These are PostgreSQL's and
# libpq's own English messages. Of a server's text that matches neither pattern, the SQLSTATE is asked for;
# all else is taken for "not there yet".
REFUSED_CREDENTIALS = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry|authentication failed"
    r"|role \".*\" is not permitted to log in|role \".*\" does not exist"
    r"|certificate (?:authentication|verify) failed|permission denied for database",
)
WRONG_SETTINGS = re.compile(
    r"database \".*\" does not exist|server does not support SSL|SSL error|root certificate file"
    r"|certificate file|private key file|invalid (?:port|connection option|URI|integer value|command-line argument)"
    r"|invalid (?:\"?\w+\"? value:|value for parameter)|weak sslmode|could not match \d+ port numbers"
    r"|channel binding required|authentication method requirement|definition of service|service file"
    r"|local user with ID|missing \"=\"|unrecognized configuration parameter|SCRAM authentication requires"
    r"|server certificate for|could not load"
    r"|no such database|unsupported startup parameter",  # PgBouncer's
)


SESSION = """
SET standard_conforming_strings = on; SET extra_float_digits = 1; SET array_nulls = on;
SET transform_null_equals = off; SET idle_session_timeout = 0; SET idle_in_transaction_session_timeout = 0;
"""
"""For what this program's SQL relies on; and its sessions are idle while Alembic or an API works."""

TRANSACTION_TIMEOUT_VERSION = 170_000
"""The first version with `transaction_timeout`."""


def prepare_session(
    connection: Connection, lock_timeout: float, *, is_own: bool = False
) -> Connection:
    """Give a session the settings that this program relies on, and return it.

    Not a part of `connect`: a pooler may have no session of the server to do it in.

    Args:
        connection: in autocommit.
        lock_timeout: seconds that each of its statements waits for a lock.
        is_own: no pooler lends the session to others, who would get the settings. By default a session of any pooler is
            left as it is.
    """
    if not is_own:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        is_own = row == (connection.info.backend_pid,)  # a pooler invents the latter
    if is_own:
        text = f"{SESSION}SET lock_timeout = {max(1, int(lock_timeout * 1000))};"
        if connection.info.server_version >= TRANSACTION_TIMEOUT_VERSION:
            text += "SET transaction_timeout = 0;"
        connection.execute(text.encode())
    return connection


def connect(database: Database, **options: Any) -> Connection:
    """Connect once, in autocommit.

    Args:
        database: its address.
        options: for libpq; they win over the address.

    Raises:
        NotYetError: PostgreSQL is not there yet.
        CredentialsRefused: wrong user or password, or the user may not connect.
        SettingsError: the address itself is wrong, or TLS cannot be had.
    """
    parameters = {
        "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
        **database.parameters,
        "application_name": APPLICATION_NAME,
        **options,
        "client_encoding": "UTF8",  # whatever the database's own is, and PGCLIENTENCODING
    }
    try:
        return psycopg.connect(**parameters, autocommit=True)
    except psycopg.OperationalError as error:
        state = ""
        if not _is_known(one_line(error)) and SAID_BY_SERVER.search(str(error)):
            state = read_sqlstate(make_conninfo(**parameters), CONNECT_TIMEOUT_SECONDS)
        raise _translate_refusal(database, error, state) from None
    except psycopg.ProgrammingError as error:
        raise SettingsError(f"the database's address is wrong: {one_line(error)}") from None


def connect_timeout(database: Database, seconds_left: float) -> dict[str, str]:
    """Return the libpq options that end an attempt by a deadline.

    Where packets are dropped, nothing else ends an attempt.
    """
    if seconds_left >= CONNECT_TIMEOUT_SECONDS or "connect_timeout" in database.parameters:
        return {}
    return {"connect_timeout": str(max(LIBPQ_MIN_TIMEOUT_SECONDS, round(seconds_left)))}


@contextmanager
def translate_lost_connection() -> Iterator[None]:
    """Translate psycopg's errors of a session that ends while it is used.

    Raises:
        ConnectionLostError: the server ended the session, cannot be reached any more, or is read-only.
        LockError: another session kept a lock for longer than the session waits.
        SettingsError: a time limit of the role or the database ended a statement, or somebody has changed the ledger.
    """
    try:
        yield
    except psycopg.errors.ReadOnlySqlTransaction:
        raise ConnectionLostError(
            "PostgreSQL is read-only, as a standby is, or a database with default_transaction_read_only on; run again"
            " with a server that accepts writes, or with target_session_attrs=read-write where there are several"
        ) from None
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        if "compose_init." not in str(error):
            raise
        raise SettingsError(
            f"schema compose_init is not as this program has left it: {one_line(error)}; restore it from a backup"
        ) from None
    except psycopg.errors.LockNotAvailable as error:
        raise LockError(
            f"another session kept a lock for too long ({one_line(error)}); let it finish and run again, or set"
            " INIT_LOCK_TIMEOUT"
        ) from None
    except psycopg.errors.QueryCanceled as error:
        raise SettingsError(f"{one_line(error)}; {TIME_LIMIT}") from None
    except psycopg.OperationalError as error:
        raise ConnectionLostError(
            f"the connection to PostgreSQL was lost: {one_line(error)}; run again"
        ) from None


def _is_known(text: str) -> bool:
    return bool(REFUSED_CREDENTIALS.search(text) or WRONG_SETTINGS.search(text))


def _translate_refusal(
    database: Database, error: psycopg.OperationalError, state: str
) -> InitError | NotYetError:
    text = one_line(error).removeprefix("connection failed: ")
    if REFUSED_CREDENTIALS.search(text) or state.startswith(CREDENTIALS_STATES):
        password = database.parameters.get("password", "")
        quoted = len(password) > 1 and password[0] == password[-1] and password[0] in "\"'"
        quotes = (
            "; the password begins and ends with a quote, which is a part of it" if quoted else ""
        )
        return CredentialsRefused(
            f"PostgreSQL at {database.place} refused the credentials: {text}; check user and password (a password"
            f" given to the postgres image counts only when its volume is new){quotes}"
        )
    if WRONG_SETTINGS.search(text) or state.startswith(SETTINGS_STATES):
        return SettingsError(
            f"PostgreSQL at {database.place} cannot be used: {text}; waiting does not help"
        )
    return NotYetError(text)
