"""Bytes to raw records: decode, and follow the JSON Pointer to the array.

The values of a record stay raw JSON text until PostgreSQL or the API reads them, so that a number
keeps every digit that the file gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Protocol

from msgspec import DecodeError, Raw, ValidationError
from msgspec.json import Decoder, decode

from compose_seeder.documents import json_errors, strict_json
from compose_seeder.documents.json_array import elements
from compose_seeder.errors import Fault, RecordError
from compose_seeder.json_pointer import split_pointer
from compose_seeder.sources.content import Pieces
from compose_seeder.sources.decompress import check_utf8, decompress

NEWLINE = b"\n"


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One object of a source: where it stands, and its fields as raw JSON."""

    where: str
    fields: dict[str, Raw]


BATCH = 1 << 12
"""How many records of an array are handed on at a time."""


@dataclass(frozen=True)
class Batch:
    """Some consecutive records.

    Attributes:
        first: the position of the first one among all records.
        texts: the JSON text of each; not yet checked to be an object.
    """

    first: int
    texts: Sequence[Raw | bytes]
    place: Callable[[int], str]

    def where(self, n: int) -> str:
        """The place of the batch's n-th record, for messages."""
        return self.place(n)


fields_of = Decoder(dict[str, Raw]).decode
"""The fields of an object's text, as raw JSON."""


class Arrays(Protocol):
    """Where a dataset's records are: one document, or several."""

    def array(self, pointer: str) -> list[RawRecord]:
        """The records of the array at `pointer`; raises `RecordError`."""

    def batches(self, pointer: str) -> Iterator[Batch]:
        """The same, some at a time; not yet checked to be objects."""


def raw_records(document: Arrays, pointer: str, batch: Batch) -> list[RawRecord]:
    """A batch's texts as records.

    Args:
        document: which the batch is of.
        pointer: to the array that the batch is of.
        batch: some of its texts, or of those.

    Raises:
        RecordError: some are wrong; all of the document.
    """
    try:
        fields = list(map(fields_of, batch.texts))
    except (DecodeError, RecursionError):
        document.array(pointer)  # names all that is wrong, and not the first
        raise
    if strict_json.any_faults(batch.texts, fields):
        document.array(pointer)
    return [RawRecord(batch.where(n), one) for n, one in enumerate(fields)]


@dataclass(frozen=True)
class Documents:
    """Several documents, one after the other."""

    parts: Sequence[Arrays]

    def array(self, pointer: str) -> list[RawRecord]:
        """The records of all arrays at `pointer`.

        Raises:
            RecordError: no array in one of them, or elements that are not objects; all of them.
        """
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
        """The records of all arrays at `pointer`, some at a time.

        Raises:
            RecordError: no array in one of them.
        """
        first = 0
        for part in self.parts:
            for batch in part.batches(pointer):
                yield replace(batch, first=first)
                first += len(batch.texts)


@dataclass(frozen=True)
class Document:
    """A decoded source; arrays are read from it by JSON Pointer (RFC 6901)."""

    name: str
    pieces: Pieces
    lines: bool

    @cached_property
    def data(self) -> bytes | bytearray:
        """All of it; grown in place, so that it is never in memory twice."""
        found = bytearray()
        for piece in self.pieces():
            found += piece
        return found

    def array(self, pointer: str) -> list[RawRecord]:
        """The records of the array at `pointer`.

        Raises:
            RecordError: no array there, or elements that are not objects.
        """
        if self.lines:
            return self._from_lines(pointer)
        raw = self._follow(pointer)
        prefix = f"{self.name}#{pointer}"
        try:
            objects = decode(raw, type=list[dict[str, Raw]])
        except ValidationError:
            raise RecordError(
                f"{self.name} has records of the wrong shape", self._misshapen(raw, prefix)
            ) from None
        except (DecodeError, RecursionError) as error:
            raise self._malformed(error) from None
        records = [
            RawRecord(f"{prefix}/{position}", fields) for position, fields in enumerate(objects)
        ]
        self._check_strictly(records, decode(raw, type=list[Raw]))
        return records

    def _check_strictly(self, records: list[RawRecord], texts: Sequence[Raw | bytes]) -> None:
        faults = [
            fault
            for record, text in zip(records, texts, strict=True)
            for fault in strict_json.faults(record.where, bytes(text), record.fields)
        ]
        if faults:
            raise RecordError(f"{self.name} has records that are wrong", faults)

    def batches(self, pointer: str) -> Iterator[Batch]:
        """The records of the array at `pointer`, some at a time; not yet checked to be objects.

        Raises:
            RecordError: no array there.
        """
        if self.lines:
            if pointer:
                raise RecordError("the manifest's pointer does not fit", [self._no_array(pointer)])
            yield from self._line_batches()
            return
        prefix = f"{self.name}#{pointer}"
        raw = self._follow(pointer)
        first = 0
        try:
            for some in elements(raw):
                for start in range(0, len(some), BATCH):
                    texts = some[start : start + BATCH]
                    yield Batch(first, texts, partial(_element, prefix, first))
                    first += len(texts)
        except ValidationError:
            raise RecordError(
                f"{self.name} has records of the wrong shape", self._misshapen(raw, prefix)
            ) from None

    def _line_batches(self) -> Iterator[Batch]:
        first, number = 0, 1
        for block in _whole_lines(self.pieces()):
            lines = block.split(NEWLINE)
            numbers: Sequence[int] = range(number, number + len(lines))
            if b"" in lines or any(map(bytes.isspace, lines)):
                kept = [(n, line) for n, line in zip(numbers, lines, strict=True) if line.strip()]
                numbers, texts = [n for n, _ in kept], [line for _, line in kept]
            else:
                texts = lines
            yield Batch(first, texts, partial(line, self.name, numbers))
            first, number = first + len(texts), number + len(lines)

    def _follow(self, pointer: str) -> Raw:
        raw = Raw(self.data)
        try:
            decode(self.data, type=Raw)  # the whole of it, so that positions count from the start
            for token in split_pointer(pointer):
                fields = decode(raw, type=dict[str, Raw])
                if strict_json.has_twice(raw, fields, token):
                    problem = f"{token} is there twice in one object: remove one"
                    fault = Fault(f"{self.name}#{pointer}", "", "", problem)
                    raise RecordError("a seed file cannot be read", [fault])
                raw = fields[token]
        except ValidationError:
            raise RecordError(
                "the manifest's pointer does not fit", [self._no_array(pointer)]
            ) from None
        except KeyError:
            raise RecordError(
                "the manifest's pointer does not fit", [self._no_array(pointer)]
            ) from None
        except (DecodeError, RecursionError) as error:
            raise self._malformed(error) from None
        return raw

    def _from_lines(self, pointer: str) -> list[RawRecord]:
        records, texts, faults = [], [], []
        for batch in self.batches(pointer):
            for n, text in enumerate(batch.texts):
                where = batch.where(n)
                try:
                    fields = decode(text, type=dict[str, Raw])
                except (DecodeError, RecursionError) as error:
                    faults.append(json_errors.fault(self.name, bytes(text), error, _number(where)))
                else:
                    records.append(RawRecord(where, fields))
                    texts.append(text)
        if faults:
            raise RecordError(f"{self.name} has lines that are wrong", faults)
        self._check_strictly(records, texts)
        return records

    def _no_array(self, pointer: str) -> Fault:
        there = "lines of JSON objects have no pointer" if self.lines else self._what_is_there()
        return Fault(f"{self.name}#{pointer}", "", "", f"there is no array of records; {there}")

    def _what_is_there(self) -> str:
        try:
            names = decode(self.data, type=dict[str, Raw])
        except DecodeError:
            return "the document is not an object"
        if not names:
            return "the document has no fields"
        known = ", ".join(f"/{name}" for name in names)
        return f'the document has {known}: say in the manifest which, as in records = "/{next(iter(names))}"'

    def _misshapen(self, raw: Raw, prefix: str) -> list[Fault]:
        try:
            elements = decode(raw, type=list[Raw])
        except ValidationError:
            return [self._no_array(prefix.partition("#")[2])]
        return [
            Fault(f"{prefix}/{position}", "", "", "is not a JSON object: a record must be one")
            for position, element in enumerate(elements)
            if not bytes(element).lstrip().startswith(b"{")
        ]

    def _malformed(self, error: DecodeError | RecursionError) -> RecordError:
        fault = json_errors.fault(self.name, self.data, error)
        return RecordError("a seed file cannot be read", [fault])


def _whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces cut at the ends of lines."""
    rest: list[bytes] = []
    for piece in pieces:
        cut = piece.rfind(NEWLINE)
        if cut < 0:
            rest.append(piece)
            continue
        yield b"".join([*rest, piece[:cut]])
        rest = [piece[cut + 1 :]]
    if last := b"".join(rest):
        yield last


def line(name: str, numbers: Sequence[int], n: int) -> str:
    """The place of the n-th record, where each stands in a line."""
    return f"{name}:{numbers[n]}"


def _number(where: str) -> int:
    """The line of a record that stands in one."""
    return int(where.rpartition(":")[2])


def _element(prefix: str, first: int, n: int) -> str:
    return f"{prefix}/{first + n}"


def open_document(name: str, pieces: Pieces) -> Document:
    """A source's document, decompressed by its content and decoded by its name.

    Args:
        name: file name; `.ndjson` and `.jsonl` hold one object a line, `.csv` rows below a header.
        pieces: the bytes as they were read; gzip and zstd are known by their first bytes.

    Raises:
        SourceError: it cannot be decompressed, or is too large.
        RecordError: it is not UTF-8.
    """
    bare = name.removesuffix(".gz").removesuffix(".zst")
    text = decompress(name, pieces)
    check_utf8(name, text)
    if bare.endswith(".csv"):
        from compose_seeder.documents.csv_document import CsvDocument

        return CsvDocument(name, text, lines=True)
    return Document(name, text, lines=bare.endswith((".ndjson", ".jsonl")))
