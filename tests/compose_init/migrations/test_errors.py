"""Every exception of Alembic and SQLAlchemy becomes one of ours, by the adapter that `inspect` and `upgrade` share."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

import alembic.script.revision
import alembic.util.exc
import psycopg
import pytest
import sqlalchemy.exc

from compose_init.alembic_options import AlembicOptions
from compose_init.errors import (
    ConnectionLostError,
    CredentialsRefused,
    InitError,
    LockError,
    MigrationError,
)
from compose_init.migrations.aftermath import Aftermath
from compose_init.migrations.errors import Failure, LockedTableError, translate
from compose_init.migrations.revision_graph import Revision

CONFIG = AlembicOptions(Path("/app/alembic.ini"))
BETWEEN = Failure(CONFIG)
RUNNING = Failure(CONFIG, Revision("a1", "make places", "a1.py"))
COMMITTED = Failure(CONFIG, RUNNING.revision, Aftermath(remains=["table public.t"]))


def exceptions(*modules: ModuleType) -> list[type[Exception]]:
    """All exception classes that modules define."""
    return [
        found
        for module in modules
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception)
        and not issubclass(found, Warning)
        and found.__module__ == module.__name__
    ]


def instance(kind: type[Exception]) -> Exception:
    """One of a class, whatever its constructor takes."""
    error = kind.__new__(kind)
    Exception.__init__(error, "as the library says it")
    return error


@pytest.mark.parametrize(
    "kind", exceptions(alembic.util.exc, alembic.script.revision), ids=lambda kind: kind.__name__
)
def test_each_exception_of_alembic(kind: type[Exception]) -> None:
    """Before a revision runs it is about the revisions as a whole: told as Alembic tells it, no class, no frame."""
    error = translate(instance(kind), BETWEEN)
    assert type(error) is MigrationError
    assert str(error).startswith("/app/alembic.ini: ")
    assert kind.__name__ not in str(error)
    inside = translate(instance(kind), RUNNING)
    assert type(inside) is MigrationError
    assert str(inside).startswith(f"revision a1 (make places) failed: {kind.__name__}: ")


def database_error(kind: type[Exception], origin: psycopg.Error) -> Exception:
    """One that a driver raised, as SQLAlchemy wraps it."""
    return kind("CREATE TABLE t ()", {}, origin)


@pytest.mark.parametrize("kind", exceptions(sqlalchemy.exc), ids=lambda kind: kind.__name__)
def test_each_exception_of_sqlalchemy(kind: type[Exception]) -> None:
    """With a driver's error inside or without, while a revision runs or before."""
    if issubclass(kind, sqlalchemy.exc.DBAPIError):
        wrapped = database_error(kind, psycopg.errors.UndefinedTable("no table t"))
        assert type(translate(wrapped, RUNNING)) is MigrationError
        assert "no table t in: CREATE TABLE t ()" in str(translate(wrapped, RUNNING))
        return
    error = instance(kind)
    if issubclass(kind, sqlalchemy.exc.StatementError):
        error = kind("a value cannot be bound", "SELECT 1", {}, ValueError("x"))
    for failure in (BETWEEN, RUNNING):
        assert type(translate(error, failure)) is MigrationError


@pytest.mark.parametrize(
    ("origin", "failure", "expected"),
    [
        (psycopg.errors.LockNotAvailable("late"), RUNNING, LockedTableError),
        (psycopg.errors.DeadlockDetected("late"), BETWEEN, LockedTableError),
        (psycopg.errors.LockNotAvailable("late"), COMMITTED, LockError),
        (psycopg.OperationalError("server closed"), BETWEEN, ConnectionLostError),
        (psycopg.errors.InsufficientPrivilege("no"), BETWEEN, CredentialsRefused),
        (psycopg.errors.InsufficientPrivilege("no"), RUNNING, MigrationError),
        (psycopg.errors.UniqueViolation("twice"), RUNNING, MigrationError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_drivers_exception(
    origin: psycopg.Error, failure: Failure, expected: type[InitError]
) -> None:
    """What it means depends on its code, and on what was running."""
    wrapped = database_error(sqlalchemy.exc.DBAPIError, origin)
    assert type(translate(wrapped, failure)) is expected


def test_ours_pass() -> None:
    """What is ours already stays what it is."""
    error = LockError("x")
    assert translate(error, RUNNING) is error
