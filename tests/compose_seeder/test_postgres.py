"""What an error of PostgreSQL is about, for every class that psycopg has."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from compose_seeder.errors import (
    CredentialsError,
    InterruptedTargetError,
    LockedTargetError,
    RecordError,
    TimeLimitError,
)
from compose_seeder.postgres import ErrorKind, kind_of, translated

CLASSES = sorted(
    {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, psycopg.Error)
    },
    key=lambda each: each.__name__,
)
BY_SQLSTATE_CLASS: dict[str, ErrorKind] = {
    "08": "interrupted",  # connection
    "22": "record",  # data
    "23": "record",  # integrity
    "40": "interrupted",  # rollback
    "53": "interrupted",  # resources
    "54": "record",  # limits
    "57": "interrupted",  # the operator
    "58": "interrupted",  # the system
}


@pytest.mark.parametrize("class_", CLASSES, ids=lambda each: each.__name__)
def test_every_error_of_psycopg_has_a_kind(class_: type[psycopg.Error]) -> None:
    """By its SQLSTATE class where there is one; a trigger may raise any other, about its record."""
    kind = kind_of(class_("said"))
    if class_ is errors.InsufficientPrivilege:
        assert kind == "denied"
    elif class_ is errors.SerializationFailure:
        assert kind == "conflict"
    elif class_.sqlstate and class_.sqlstate[:2] in BY_SQLSTATE_CLASS:
        assert kind == BY_SQLSTATE_CLASS[class_.sqlstate[:2]]
    elif issubclass(class_, psycopg.OperationalError):
        assert kind == "interrupted"
    elif issubclass(class_, psycopg.DatabaseError):
        assert kind == "record"
    else:
        assert kind == "defect"


def test_an_error_that_no_other_module_knows(connection: psycopg.Connection) -> None:
    """A missing privilege, a limit, an interruption or an encoding is an error of ours; others keep their traceback."""
    for class_ in CLASSES:
        expected: type[Exception] = class_
        if class_ is errors.InsufficientPrivilege:
            expected = CredentialsError
        elif class_ is errors.LockNotAvailable:
            expected = LockedTargetError
        elif class_ is errors.UntranslatableCharacter:
            expected = RecordError
        elif issubclass(class_, psycopg.OperationalError):
            expected = InterruptedTargetError
        with pytest.raises(expected), translated(connection, "dataset a", lambda _: "GRANT it"):
            raise class_("said")


def test_a_statement_that_ends_early(connection: psycopg.Connection) -> None:
    """A time limit ends it again the next time; where there is none, somebody cancelled it."""
    for limit, expected in (("10s", TimeLimitError), ("0", InterruptedTargetError)):
        connection.execute(f"SET statement_timeout = '{limit}'")
        with pytest.raises(expected) as raised, translated(connection, "dataset a", str):
            raise errors.QueryCanceled("canceling statement")
        assert type(raised.value) is expected
