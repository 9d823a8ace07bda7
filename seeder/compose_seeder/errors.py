"""What can go wrong while seeding, as a tree.

    SeedError
    ├── ManifestError       seeds.toml is wrong, or names a table or column that is not there
    ├── SourceError         a source cannot be read, or is not what its checksum says
    ├── RecordError         records of a seed file are wrong: the faults, up to twenty of them
    ├── RefusedError        a target refused records, or on_drift = "fail" met drift
    ├── CredentialsError    the database or the API refused the credentials
    └── InterruptedTargetError   a target went away half-way; run again

Each carries a message for a person: what, where, what was found, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 20
"""How many faults a message lists before it only counts."""

QUOTED = 120
"""How many characters of a foreign value or answer a message quotes."""


class SeedError(Exception):
    """Seeding cannot go on."""


class ManifestError(SeedError):
    """The manifest is wrong in itself or against the database."""


class SourceError(SeedError):
    """A source cannot be read."""


class CredentialsError(SeedError):
    """A target refused the credentials."""


class InterruptedTargetError(SeedError):
    """A target went away half-way; what was done is in the ledger."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one record.

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
        """One line: where, which record, which field, what."""
        record = f" ({self.record})" if self.record else ""
        field = f", field {self.field}" if self.field else ""
        return f"{self.where}{record}{field}: {self.problem}"


class FaultyRecordsError(SeedError):
    """Several records are at fault; the message lists the first twenty.

    Args:
        what: the message's first line, without its colon.
        faults: all of them, or the first ones.
        count: how many there are, where `faults` are the first ones.
        more: there are as many at least, and nobody has looked for the rest.
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


def together(errors: Sequence[RecordError]) -> RecordError:
    """One error of several; the first one's words."""
    first, *others = errors
    if not others:
        return first
    faults = [fault for error in errors for fault in error.faults]
    return RecordError(first.what, faults[:SHOWN], sum(error.count for error in errors))


class RefusedError(FaultyRecordsError):
    """A target did not take records."""


def quote(text: object, limit: int = QUOTED) -> str:
    """`text` for a message: on one line, and no longer than a person wants to read."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[:limit]}…"


def nearest(name: str, known: Sequence[str]) -> str:
    """A suggestion, ` (did you mean …?)`, or nothing where no known name is near."""
    match = near(name, known)
    return f" (did you mean {match}?)" if match else ""


def near(name: str, known: Sequence[str]) -> str:
    """The known name that is nearest, or "" where none is near."""
    import difflib

    return next(iter(difflib.get_close_matches(name, known, n=1)), "")
