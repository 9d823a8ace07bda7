"""The records of a source as every reader of it returns them: a list, or batches.

    bytes ─▶ JsonDocument, JsonLines, CsvDocument ─▶ Batch, Batch, … ─▶ records

The values of a record stay raw JSON text until PostgreSQL or the API reads them, so that a number
keeps every digit that the file gives it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Protocol

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

from compose_seeder.documents import strict_json
from compose_seeder.errors import Fault, RecordError

BATCH_RECORDS = 1 << 12
"""How many records a batch holds, at most."""

fields_of = Decoder(dict[str, Raw]).decode
"""Decode an object's text to its fields, as raw JSON."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One object of a source.

    Attributes:
        where: its place, for messages: `things.json#/things/17` or `things.csv:18`.
        fields: raw JSON by name.
    """

    where: str
    fields: dict[str, Raw]


@dataclass(frozen=True)
class Batch:
    """Some consecutive records.

    Attributes:
        first: the position of the first one among all records.
        texts: the JSON text of each; not yet checked to be an object.
        place: returns the place of the batch's n-th record.
    """

    first: int
    texts: Sequence[Raw | bytes]
    place: Callable[[int], str]

    def where(self, n: int) -> str:
        """Return the place of the batch's n-th record, for messages."""
        return self.place(n)


class Documents(Protocol):
    """The text of one source, or of several one after the other."""

    def array(self, pointer: str) -> list[RawRecord]:
        """Return the records of the array at a JSON Pointer.

        Raises:
            RecordError: there is no array, or records are wrong; all of them.
        """

    def batches(self, pointer: str) -> Iterator[Batch]:
        """Yield the records of the array at a JSON Pointer, not yet checked to be objects.

        Raises:
            RecordError: there is no array.
        """


@dataclass(frozen=True)
class JoinedDocuments:
    """Several documents, one after the other."""

    parts: Sequence[Documents]

    def array(self, pointer: str) -> list[RawRecord]:
        """Return the records of all arrays, as `Documents.array`."""
        records: list[RawRecord] = []
        faults: list[Fault] = []
        for part in self.parts:
            try:
                records += part.array(pointer)
            except RecordError as error:
                faults += error.faults
        if faults:
            raise RecordError("seed files are wrong", faults)
        return records

    def batches(self, pointer: str) -> Iterator[Batch]:
        """Yield the records of all arrays, as `Documents.batches`; small files share a batch."""
        first = count = 0
        waiting: list[Batch] = []
        for part in self.parts:
            for batch in part.batches(pointer):
                if count and count + len(batch.texts) > BATCH_RECORDS:
                    yield _join(waiting, first)
                    first, count, waiting = first + count, 0, []
                waiting.append(batch)
                count += len(batch.texts)
        if waiting:
            yield _join(waiting, first)


def _join(batches: Sequence[Batch], first: int) -> Batch:
    """Return batches as one: what is done for a batch is done once for many small files."""
    if len(batches) == 1:
        return replace(batches[0], first=first)
    texts = [text for batch in batches for text in batch.texts]
    ends = list(accumulate(len(batch.texts) for batch in batches))
    return Batch(first, texts, partial(_place_in, batches, ends))


def _place_in(batches: Sequence[Batch], ends: Sequence[int], n: int) -> str:
    at = bisect_right(ends, n)
    return batches[at].where(n - (ends[at - 1] if at else 0))


def raw_records(document: Documents, pointer: str, batch: Batch) -> list[RawRecord]:
    """Return a batch's texts as records.

    Args:
        document: the document of the batch.
        pointer: to the array of the batch.
        batch: all of its texts, or some of them.

    Raises:
        RecordError: records are wrong; all of the document's.
    """
    try:
        fields = list(map(fields_of, batch.texts))
    except (DecodeError, RecursionError):
        document.array(pointer)  # raises with all faults instead of the first
        raise
    if strict_json.any_faults(batch.texts, fields):
        document.array(pointer)
    return [RawRecord(batch.where(n), each) for n, each in enumerate(fields)]


def check_strictly(name: str, records: list[RawRecord], texts: Sequence[Raw | bytes]) -> None:
    """Check that records hold nothing that JSON allows and PostgreSQL does not.

    Raises:
        RecordError: some do; all faults.
    """
    faults = [
        fault
        for record, text in zip(records, texts, strict=True)
        for fault in strict_json.faults(record.where, bytes(text), record.fields)
    ]
    if faults:
        raise RecordError(f"{name} has records that are wrong", faults)


def places_by_line(name: str, numbers: Sequence[int]) -> Callable[[int], str]:
    """Return a batch's `place` where each record is on one line.

    Args:
        name: of the file.
        numbers: of the lines, by the record's position in the batch.
    """
    return partial(_line_of, name, numbers)


def _line_of(name: str, numbers: Sequence[int], n: int) -> str:
    return f"{name}:{numbers[n]}"
