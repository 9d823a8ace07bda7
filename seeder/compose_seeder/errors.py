"""The errors of seeding, as a tree, each with the exit code for a program that ends by it.

    SeedError
    ├── ManifestError           78  seeds.toml is wrong, or names a table or column that is not there
    ├── LedgerVersionError      78  another version of the program wrote the ledger
    ├── SourceError             66  a source cannot be read, or is not what its checksum says
    ├── FaultyRecordsError
    │   ├── RecordError         65  records of a seed file are wrong
    │   │   └── ChildrenError   65  children do not fit their records, which can be read
    │   └── RefusedError        76  a target refused records, or on_drift = "fail" met drift
    ├── CredentialsError        77  the database or the API refused the credentials
    ├── SurroundingsError       78  a variable about proxies or certificates is wrong
    ├── TimeLimitError          78  a time limit of the role or the database ended a statement
    └── InterruptedTargetError  75  a target went away half-way: run again
        └── LockedTargetError   75  another session kept a lock for too long

Each carries a message for a person: what, where, what was found, and what to do. The numbers are those
of `sysexits.h`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

SHOWN = 20
"""How many faults a message lists before it only counts."""

QUOTED = 120
"""How many characters of a foreign value or answer a message quotes."""

TIME_LIMIT = (
    "statement_timeout of the role or the database is too short, or somebody cancelled the statement; raise it, as with"
    " ALTER ROLE … SET statement_timeout = 0"
)
"""The causes of SQLSTATE 57014, and the remedy; PostgreSQL tells the causes apart by translated words alone."""


class SeedError(Exception):
    """Seeding cannot go on; subclasses say why."""

    exit_code: ClassVar[int] = 1


class ManifestError(SeedError):
    """The manifest is wrong in itself or against the database."""

    exit_code = os.EX_CONFIG


class LedgerVersionError(SeedError):
    """The ledger has a format that this version does not know; nothing is wrong with the ledger."""

    exit_code = os.EX_CONFIG


class SourceError(SeedError):
    """A source cannot be read, or is not what its checksum says."""

    exit_code = os.EX_NOINPUT


class CredentialsError(SeedError):
    """A target refused the credentials."""

    exit_code = os.EX_NOPERM


class SurroundingsError(SeedError):
    """A variable of the environment about proxies or certificates is wrong."""

    exit_code = os.EX_CONFIG


class TimeLimitError(SeedError):
    """A time limit of the role or the database ended a statement, as it would the next time."""

    exit_code = os.EX_CONFIG


class InterruptedTargetError(SeedError):
    """A target went away half-way; what was done is in the ledger.

    Args:
        message: for people.
        may_have_arrived: the target may have acted on the last request.
    """

    exit_code = os.EX_TEMPFAIL

    def __init__(self, message: str, *, may_have_arrived: bool = True) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived


class LockedTargetError(InterruptedTargetError):
    """Another session kept a lock on the target for longer than `lock_timeout`."""


@contextmanager
def naming(record: str) -> Iterator[None]:
    """Let an error of a target, as the answer to a request, begin with the record that it is about."""
    try:
        yield
    except (CredentialsError, InterruptedTargetError) as error:
        error.args = (f"{record}: {error}",)  # the same error: it knows whether the request arrived
        raise


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one record.

    Attributes:
        where: file and JSON pointer, as in `seed.json#/monsters/17`.
        record: the record's key as a person reads it, or "" where it has none.
        field: the field at fault, or "" where it is the whole record.
        problem: rule, what was found, what was expected, what to do.
    """

    where: str
    record: str
    field: str
    problem: str

    def __str__(self) -> str:
        """Return one line: where, which record, which field, what."""
        record = f" ({self.record})" if self.record else ""
        field = f", field {self.field}" if self.field else ""
        return f"{self.where}{record}{field}: {self.problem}"


class FaultyRecordsError(SeedError):
    """Several records are at fault; the message lists the first twenty.

    Args:
        what: the message's first line, without its colon.
        faults: all of the faults, or the first.
        count: how many faults there are, where `faults` are only the first.
        more: whether `count` is only a lower bound, since the search ended early.
    """

    def __init__(
        self, what: str, faults: Sequence[Fault], count: int = 0, *, more: bool = False
    ) -> None:
        self.what = what
        self.faults = tuple(faults)
        self.count = max(count, len(faults))
        shown = self.faults[:SHOWN]
        lines = [f"{what}:", *(f"  {fault}" for fault in shown)]
        if self.count > len(shown):
            lines.append(f"  … and {'at least ' if more else ''}{self.count - len(shown)} more")
        super().__init__("\n".join(lines))


class RecordError(FaultyRecordsError):
    """Records of a seed file are wrong; nothing of their dataset was written."""

    exit_code = os.EX_DATAERR


class ChildrenError(RecordError):
    """Children do not fit their records; the records themselves can be read, and may have faults of their own.

    Attributes:
        records: without children, where all of them were read.
    """

    records: Sequence[Any] = ()


class RefusedError(FaultyRecordsError):
    """A target refused records."""

    exit_code = os.EX_PROTOCOL


def quote(text: object, limit: int = QUOTED) -> str:
    """Return `text` for a message: on one line, cut after `limit` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[:limit]}…"


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return a suggestion, ` (did you mean …?)`, or "" where no known name resembles `name`."""
    match = closest_match(name, known)
    return f" (did you mean {match}?)" if match else ""


def closest_match(name: str, known: Sequence[str]) -> str:
    """Return the known name that resembles `name` most, or "" where none does."""
    return next(iter(difflib.get_close_matches(name, known, n=1)), "")
