"""The ledger's schema: created where there is none, upgraded where it is older, refused where it is newer.

    none ──────────▶ sql/ledger/schema.sql ──────────────▶ ┐
    format 4 ──────▶ sql/ledger/0005_….sql, 0006_….sql ──▶ format FORMAT ─▶ bound to the catalog (`binding`)
    a later format ▶ LedgerVersionError

The one schema has the tables of migrating (phases, runs, revisions) and of seeding alike, whichever of them
comes first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString, cast

import psycopg

from compose_seeder.errors import CredentialsError, InterruptedTargetError, LedgerVersionError
from compose_seeder.postgres import Connection
from compose_seeder.reconcile import binding

FORMAT = 6
"""The format that this version writes; the number of the last upgrade, and what schema.sql says."""

OLDEST = 4
"""The earliest format that can be upgraded."""

LOCK_KEY = int.from_bytes(b"compledg", "big")
"""Of the advisory lock under which the schema is changed; "compledg" in bytes."""

LOCK_TIMEOUT_SECONDS = 60

# From the catalog's tables: to_regclass() alone would not see what another session has just committed.
FIND_TABLES = """
SELECT coalesce(array_agg(c.relname::text), '{}')
FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid WHERE n.nspname = 'compose_init' AND c.relkind = 'r'
"""

ALREADY_THERE = (psycopg.errors.DuplicateTable, psycopg.errors.DuplicateFunction)
"""What is left of a ledger that somebody has removed in part."""

SET_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '{}s'"

FIND_SCHEMA = "SELECT FROM pg_namespace WHERE nspname = 'compose_init'"

FIND_OWNER = """
SELECT quote_ident(pg_get_userbyid(n.nspowner)), quote_ident(current_user),
       (SELECT string_agg(format('ALTER TABLE compose_init.%I OWNER TO %I;', c.relname, current_user), ' ')
        FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r')
FROM pg_namespace n WHERE n.nspname = 'compose_init' AND n.nspowner <> current_user::regrole
"""


def read_format(connection: Connection) -> int | None:
    """Return the format of a database's ledger; None where there is no ledger.

    Args:
        connection: in autocommit.

    Raises:
        LedgerVersionError: the ledger has a format that this version neither knows nor can upgrade.
        CredentialsError: the role may not read the ledger.
    """
    with _explained(connection, "read"), connection.transaction():
        # One snapshot: another run may commit an upgrade between two statements.
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return _read_format(connection)


def prepare(connection: Connection) -> None:
    """Create the ledger or upgrade it to `FORMAT`, and bind it to the catalog, in one transaction.

    Args:
        connection: in autocommit.

    Raises:
        LedgerVersionError: as `read_format`.
        CredentialsError: the role may not create or change the ledger.
        InterruptedTargetError: another session kept the ledger locked.
    """
    with current(connection, change=True):
        pass


@contextmanager
def current(connection: Connection, *, change: bool) -> Iterator[bool]:
    """Give the ledger the format `FORMAT` and bind it to the catalog, for good or for as long as the block runs.

    A plan changes nothing, and reads an older ledger as a run would: upgraded and bound, in a transaction that is
    rolled back.

    Args:
        connection: in autocommit.
        change: create, upgrade or bind the ledger for good.

    Yields:
        Whether there is a ledger.

    Raises:
        LedgerVersionError, CredentialsError, InterruptedTargetError: as `prepare`.
    """
    found = read_format(connection)
    if found is None and not change:
        yield False
        return
    if found == FORMAT and _is_bound(connection):
        yield True
        return
    verb = "created" if found is None else "upgraded"
    with _locked(connection, verb):
        if not change:
            with connection.transaction(force_rollback=True):
                # What reads the datasets asks for this level, and PostgreSQL cannot raise it half-way.
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                _change(connection, verb)
                yield True
            return
        with connection.transaction():
            _change(connection, verb)
    yield True


def describe_owner(connection: Connection) -> str:
    """Return whose the ledger is and what gives it to the session's role; "" where it is that role's, or is not there.

    Roles of one group may take turns, and SET ROLE decides as whom each of them works.
    """
    row = connection.execute(FIND_OWNER).fetchone()
    if row is None:
        return ""
    owner, role, tables = row
    fix = " ".join(filter(None, [f"ALTER SCHEMA compose_init OWNER TO {role};", tables]))
    return (
        f"schema compose_init belongs to {owner}, and this session works as {role}: let every run work as one role"
        f" (SET ROLE, ALTER ROLE … SET role), or give the ledger to {role}: {fix}"
    )


def upgrades() -> dict[int, LiteralString]:
    """Return the SQL of every upgrade by the format it leads to, in order."""
    return dict(sorted(_numbered().items()))


def schema() -> LiteralString:
    """Return the SQL that makes a ledger of format `FORMAT` in an empty schema `compose_init`."""
    return cast("LiteralString", _folder().joinpath("schema.sql").read_text(encoding="utf-8"))


@contextmanager
def _locked(connection: Connection, verb: str) -> Iterator[None]:
    """Hold the lock under which the schema is changed; of the session, taken before the transaction's snapshot."""
    with _explained(connection, verb), connection.transaction():
        connection.execute(SET_LOCK_TIMEOUT.format(LOCK_TIMEOUT_SECONDS).encode())
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError):  # a lost connection holds no lock
            connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK_KEY])


def _is_bound(connection: Connection) -> bool:
    with _explained(connection, "read"):
        return binding.is_bound(connection)


def _change(connection: Connection, verb: str) -> None:
    with _explained(connection, verb):
        connection.execute(SET_LOCK_TIMEOUT.format(LOCK_TIMEOUT_SECONDS).encode())
        _create_or_upgrade(connection)
        binding.bind(connection)


def _create_or_upgrade(connection: Connection) -> None:
    found = _read_format(connection)  # another run may have been first
    if found is None:
        # Not IF NOT EXISTS: PostgreSQL asks for the right to create schemas even where this one exists.
        if connection.execute(FIND_SCHEMA).fetchone() is None:
            connection.execute("CREATE SCHEMA compose_init")
        connection.execute(schema())
        return
    for number, text in upgrades().items():
        if number > found:
            connection.execute(text)


def _read_format(connection: Connection) -> int | None:
    row = connection.execute(FIND_TABLES).fetchone()
    tables = own_tables().intersection(row[0] if row else ())
    if "format" not in tables:
        # Before format 5 the number came with the first seeding, and migrating made its tables alone.
        if "dataset" in tables or (tables and "phase" not in tables):
            raise _damaged({"format"})
        return OLDEST if tables else None
    row = connection.execute("SELECT version FROM compose_init.format").fetchone()
    if row is None:
        raise LedgerVersionError(
            "the ledger has no format number: table compose_init.format is empty; restore schema compose_init from a"
            " backup"
        )
    found = int(row[0])
    if found < OLDEST:
        raise LedgerVersionError(
            f"the ledger has format {found}, and this version of compose-init can upgrade formats from {OLDEST} on:"
            " run an earlier version first"
        )
    if found > FORMAT:
        raise LedgerVersionError(
            f"the ledger has format {found}, and this version of compose-init knows formats up to {FORMAT}:"
            " a newer version of compose-init wrote it; use that version or a later one"
        )
    if found == FORMAT and tables != own_tables():
        raise _damaged(own_tables() - tables)
    return found


@cache
def own_tables() -> frozenset[str]:
    """Return the names of the ledger's tables."""
    return frozenset(re.findall(r"^CREATE TABLE compose_init\.(\w+)", schema(), re.MULTILINE))


def _damaged(missing: Collection[str]) -> LedgerVersionError:
    names = ", ".join(f"compose_init.{name}" for name in sorted(missing))
    return LedgerVersionError(
        f"the ledger is damaged: table {names} is not there; restore schema compose_init from a backup, or drop"
        " it (DROP SCHEMA compose_init CASCADE): then the next run adopts what it finds, and knows of no edit by hand"
    )


@contextmanager
def _explained(connection: Connection, verb: str) -> Iterator[None]:
    """Say what is missing where PostgreSQL does not permit or does not finish a statement."""
    remedy = (
        describe_owner(connection)
        or {
            "created": "let the role own the database, or GRANT CREATE ON DATABASE to it, or create the schema"
            " compose_init for it",
            "upgraded": "connect as the role that made it",
            "read": "connect as the role that made it",
        }[verb]
    )
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        message = f"the ledger cannot be {verb}: {error.diag.message_primary}; {remedy}"
        raise CredentialsError(message) from None
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, *ALREADY_THERE) as error:
        raise LedgerVersionError(
            f"the ledger cannot be {verb}: {error.diag.message_primary}; schema compose_init is not as this program has"
            " left it: restore it from a backup"
        ) from None
    except psycopg.errors.LockNotAvailable:
        raise InterruptedTargetError(
            f"the ledger could not be {verb} within {LOCK_TIMEOUT_SECONDS} s: another session has locked a table"
            " of schema compose_init (see pg_stat_activity); let it end and run again"
        ) from None


@cache
def _numbered() -> dict[int, LiteralString]:
    named = {entry.name: entry for entry in _folder().iterdir()}
    return {
        int(match[1]): cast("LiteralString", named[name].read_text(encoding="utf-8"))
        for name in named
        if (match := re.fullmatch(r"(\d{4})_\w+\.sql", name))
    }


def _folder() -> Any:
    return files("compose_seeder").joinpath("sql", "ledger")
