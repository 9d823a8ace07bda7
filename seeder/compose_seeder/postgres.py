"""The named statements of `sql/*.sql`.

    -- name: record_applied
    INSERT INTO …;

The files hold SQL alone, with psycopg's `%(name)s` for values; what differs by dataset (columns,
types) is put in with `psycopg.sql` where it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib.resources import files
from typing import Any, Literal, LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.abc import AdaptContext
from psycopg.types.json import Jsonb

from compose_seeder import exact_json
from compose_seeder.errors import (
    TIME_LIMIT,
    CredentialsError,
    InterruptedTargetError,
    LockedTargetError,
    RecordError,
    TimeLimitError,
)

Connection = psycopg.Connection[Any]


SESSION = """
SET DateStyle = 'ISO'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET jit = off;
SET work_mem = '96MB'; SET random_page_cost = 1.1;
SELECT set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), 'pg_temp'), false)
WHERE current_setting('search_path') !~ 'pg_temp';
"""
"""The settings of the session: each value is written in one way, so that it has the same hash in every run.

TimeZone, IntervalStyle and the order of DateStyle, which `ISO` leaves as it is, are the database's: they decide how it
reads texts. Values whose own text depends on them are hashed by their bytes.

The rows that an index finds have just been read, and are in memory: hence the cost of a random page.

Temporary tables are searched last: by default they come before an application's `plan` or `live`.
"""


def prepare_session(connection: Connection) -> None:
    """Give a session the settings in which values are read, written as text and hashed."""
    connection.execute(SESSION)


class Name(sql.Identifier):
    """A name from the catalog, in a statement that takes values: psycopg reads a single `%` as a placeholder."""

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """Return the text quoted, with each `%` twice."""
        return super().as_bytes(context).replace(b"%", b"%%")


class Text(sql.Literal):
    """The same for a text."""

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """Return the text quoted, with each `%` twice."""
        return super().as_bytes(context).replace(b"%", b"%%")


def as_is(text: str) -> sql.SQL:
    """Return SQL as the catalog writes it: a quoted name, a type, an expression."""
    return sql.SQL(text.replace("%", "%%"))


def jsonb(value: Any) -> Jsonb:
    """Return a parameter of type jsonb, without escapes: SQL_ASCII has no character for one."""
    return Jsonb(value, dumps=partial(json.dumps, ensure_ascii=False))


def jsonb_text(connection: Connection, text: bytes) -> str:
    """Return JSON text for a column of type jsonb, without escapes where the encoding has no character for them."""
    if b"\\u" in text and connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        text = exact_json.encode(exact_json.decode(text))
    return text.decode()


def storable(connection: Connection, text: str) -> str:
    """Return a text with escapes for the characters that the database's encoding does not have."""
    encoding = connection.info.parameter_status("server_encoding") or "UTF8"
    if encoding == "UTF8":
        return text
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:  # PostgreSQL's own name of an encoding
        return text.encode("ascii", "backslashreplace").decode("ascii")


def find_unstorable(connection: Connection, texts: Iterable[str]) -> list[str]:
    """Return the texts that the database's encoding has not all characters of."""
    every = sorted(set(texts))
    if connection.info.parameter_status("server_encoding") == "UTF8":
        return []
    if _is_storable(connection, every):
        return []
    return [text for text in every if not _is_storable(connection, [text])]


def _is_storable(connection: Connection, texts: list[str]) -> bool:
    try:
        connection.execute("SELECT %s::text[]", [texts])
    except (psycopg.errors.UntranslatableCharacter, UnicodeEncodeError):
        return False
    return True


@cache
def statements(name: str, package: str = "compose_seeder") -> dict[str, LiteralString]:
    """Return all statements of a package's `sql/NAME.sql`, by their names."""
    text = files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], cast("list[LiteralString]", parts[1::2]), strict=True))


@contextmanager
def translated(
    connection: Connection,
    what: str,
    explain_denial: Callable[[psycopg.errors.InsufficientPrivilege], str],
    *,
    has_secrets: bool = False,
) -> Iterator[None]:
    """Translate what PostgreSQL answers and no other module has translated: see `kind_of`.

    Args:
        connection: tells whether the database went away.
        what: begins the message.
        explain_denial: says which privilege is missing.
        has_secrets: records have secret values, which a trigger's or a function's words may repeat.

    Raises:
        CredentialsError: the role lacks a privilege.
        TimeLimitError: a time limit of the role or the database ended a statement.
        LockedTargetError: another session kept a lock for longer than the session waits.
        InterruptedTargetError: the database went away, or could not go on, or somebody cancelled a statement; nothing
            was written.
        psycopg.Error: everything else is a defect of the program.
    """
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise CredentialsError(f"{what}: {explain_denial(error)}") from None
    except psycopg.errors.LockNotAvailable as error:
        said = words_of(error, has_secrets=has_secrets)
        raise LockedTargetError(
            f"{what}: nothing was written: another session kept a lock for too long ({said})"
        ) from None
    except psycopg.errors.QueryCanceled as error:
        said = words_of(error, has_secrets=has_secrets)
        if _has_time_limit(connection):
            raise TimeLimitError(f"{what}: nothing was written ({said}); {TIME_LIMIT}") from None
        raise InterruptedTargetError(
            f"{what}: nothing was written: somebody cancelled the statement ({said}); run again"
        ) from None
    except psycopg.errors.UntranslatableCharacter as error:
        said = words_of(error, has_secrets=has_secrets)
        raise RecordError(
            f"{what}: the database's encoding does not have every character of the file: {said}", []
        ) from None
    except psycopg.OperationalError as error:
        why = "the database went away" if connection.closed else "nothing was written"
        said = words_of(error, has_secrets=has_secrets)
        raise InterruptedTargetError(f"{what}: {why} ({said}); run again") from None


OWN_SOURCES = frozenset(
    f"{name}.c"
    for name in (
        *("execMain", "execPartition", "execIndexing", "execExprInterp", "domains", "nbtinsert"),
        *("ri_triggers", "heapam", "postgres", "proc", "lmgr", "aclchk"),
    )
)
"""Files of PostgreSQL's source whose messages have names alone: of constraints, columns, tables, limits."""


def is_own(error: psycopg.Error) -> bool:
    """Return whether an error's primary message is PostgreSQL's own, without values.

    A trigger or a function may raise any SQLSTATE, with the names of any table and constraint, and say anything.
    """
    return error.diag.source_file in OWN_SOURCES or not error.sqlstate


def words_of(error: psycopg.Error, *, has_secrets: bool) -> str:
    """Return what PostgreSQL says; where records have secrets, only what cannot repeat a value of them."""
    if not has_secrets:
        return " ".join(str(error).split())
    if is_own(error):
        return " ".join(str(error.diag.message_primary or error).split())
    return f"SQLSTATE {error.sqlstate}, in words that may have a secret and are not shown"


def _has_time_limit(connection: Connection) -> bool:
    """Tell if a time limit may have ended a statement: PostgreSQL reports it as it does a cancelled one."""
    try:
        row = connection.execute("SHOW statement_timeout").fetchone()
    except psycopg.Error:
        return True
    return row != ("0",)


ErrorKind = Literal["denied", "conflict", "interrupted", "record", "defect"]
"""What an error of PostgreSQL is about.

denied: the role lacks a privilege. conflict: somebody changed the same rows at the same moment. interrupted: the server
cannot go on; the run can be repeated. record: a value or a row is refused. defect: the program is wrong.
"""

LIMIT_CLASS = "54"
"""The SQLSTATE class of program limits, such as a value too long for its index: the record's own fault."""


def kind_of(error: psycopg.Error) -> ErrorKind:
    """Return what an error that a write met is about.

    A trigger may raise any SQLSTATE: every DatabaseError that is not known to be about something else concerns the
    record.
    """
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "denied"
    if isinstance(error, psycopg.errors.SerializationFailure):
        return "conflict"
    if isinstance(error, psycopg.OperationalError) and not is_limit(error):
        return "interrupted"
    return "record" if isinstance(error, psycopg.DatabaseError) else "defect"


def is_limit(error: psycopg.Error) -> bool:
    """Return whether an error is about a limit of PostgreSQL, such as a value too long for its index."""
    return (error.sqlstate or "").startswith(LIMIT_CLASS)
