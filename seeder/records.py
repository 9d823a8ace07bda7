"""Bytes to raw records: decompress, decode, and follow the JSON Pointer to the array.

The values of a record stay raw JSON text until PostgreSQL or the API reads them, so that a number
keeps every digit that the file gives it.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from msgspec import DecodeError, Raw, ValidationError
from msgspec.json import decode

from seeder.errors import Fault, RecordError, SourceError

NEWLINE = b"\n"

MAX_BYTES = 2 * 1024**3
"""How large a source may become when it is decompressed."""

PIECE = 1 << 14
"""How many compressed bytes are unpacked at a time, so that the bound is seen in time."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One object of a source: where it stands, and its fields as raw JSON."""

    where: str
    fields: dict[str, Raw]


BATCH = 1 << 13
"""How many records of an array are handed on at a time."""

BLOCK = 1 << 21
"""How many bytes of lines are handed on at a time."""


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


@dataclass(frozen=True)
class Document:
    """A decoded source; arrays are read from it by JSON Pointer (RFC 6901)."""

    name: str
    data: bytes
    lines: bool

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
        except DecodeError as error:
            raise self._malformed(error) from None
        return [
            RawRecord(f"{prefix}/{position}", fields) for position, fields in enumerate(objects)
        ]

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
        try:
            elements = decode(raw, type=list[Raw])
        except ValidationError:
            raise RecordError(
                f"{self.name} has records of the wrong shape", self._misshapen(raw, prefix)
            ) from None
        for first in range(0, len(elements), BATCH):
            place = partial(_element, prefix, first)
            yield Batch(first, elements[first : first + BATCH], place)

    def _line_batches(self) -> Iterator[Batch]:
        start, first, number = 0, 0, 1
        while start < len(self.data):
            end = self.data.find(b"\n", start + BLOCK)
            end = len(self.data) if end < 0 else end
            lines = self.data[start:end].split(b"\n")
            numbers: Sequence[int] = range(number, number + len(lines))
            if b"" in lines or any(map(bytes.isspace, lines)):
                kept = [(n, line) for n, line in zip(numbers, lines, strict=True) if line.strip()]
                numbers, texts = [n for n, _ in kept], [line for _, line in kept]
            else:
                texts = lines
            yield Batch(first, texts, partial(line, self.name, numbers))
            start, first, number = end + 1, first + len(texts), number + len(lines)

    def _follow(self, pointer: str) -> Raw:
        raw = Raw(self.data)
        try:
            decode(self.data, type=Raw)  # the whole of it, so that positions count from the start
            for token in _tokens(pointer):
                raw = decode(raw, type=dict[str, Raw])[token]
        except ValidationError:
            raise RecordError(
                "the manifest's pointer does not fit", [self._no_array(pointer)]
            ) from None
        except KeyError:
            raise RecordError(
                "the manifest's pointer does not fit", [self._no_array(pointer)]
            ) from None
        except DecodeError as error:
            raise self._malformed(error) from None
        return raw

    def _from_lines(self, pointer: str) -> list[RawRecord]:
        if pointer:
            raise RecordError("the manifest's pointer does not fit", [self._no_array(pointer)])
        records, faults = [], []
        for number, line in enumerate(self.data.splitlines(), start=1):
            if not line.strip():
                continue
            where = f"{self.name}:{number}"
            try:
                records.append(RawRecord(where, decode(line, type=dict[str, Raw])))
            except DecodeError as error:
                faults.append(Fault(where, "", "", f"is not a JSON object: {error}"))
        if faults:
            raise RecordError(f"{self.name} has lines that are wrong", faults)
        return records

    def _no_array(self, pointer: str) -> Fault:
        there = "lines of JSON objects have no pointer" if self.lines else self._what_is_there()
        return Fault(f"{self.name}#{pointer}", "", "", f"there is no array of records; {there}")

    def _what_is_there(self) -> str:
        try:
            names = decode(self.data, type=dict[str, Raw])
        except DecodeError:
            return "the document is not an object"
        return "the document has " + (", ".join(f"/{name}" for name in names) or "no fields")

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

    def _malformed(self, error: DecodeError) -> RecordError:
        where = self.name
        text = str(error)
        _, _, offset = text.partition("(byte ")
        if offset:
            before = self.data[: int(offset.rstrip(")"))]
            line = before.count(b"\n") + 1
            column = len(before) - before.rfind(b"\n")
            where, text = f"{where}:{line}:{column}", text.partition(" (byte")[0]
        problem = f"is not valid JSON: {text.removeprefix('JSON is malformed: ')}"
        return RecordError("a seed file cannot be read", [Fault(where, "", "", problem)])


def line(name: str, numbers: Sequence[int], n: int) -> str:
    """The place of the n-th record, where each stands in a line."""
    return f"{name}:{numbers[n]}"


def _element(prefix: str, first: int, n: int) -> str:
    return f"{prefix}/{first + n}"


def open_document(name: str, data: bytes) -> Document:
    """A source's document, decompressed by its content and decoded by its name.

    Args:
        name: file name; `.ndjson` and `.jsonl` hold one object a line, `.csv` rows below a header.
        data: the bytes as they were read; gzip and zstd are known by their first bytes.

    Raises:
        SourceError: it cannot be decompressed, or is too large.
    """
    bare = name.removesuffix(".gz").removesuffix(".zst")
    if bare.endswith(".csv"):
        from seeder.tabular import CsvDocument

        return CsvDocument(name, _decompress(name, data), lines=True)
    return Document(name, _decompress(name, data), bare.endswith((".ndjson", ".jsonl")))


def _decompress(name: str, data: bytes) -> bytes:
    try:
        if data.startswith(b"\x1f\x8b"):
            data = b"".join(_bounded(name, _gunzip(data)))
        elif data.startswith(b"\x28\xb5\x2f\xfd"):
            data = b"".join(_bounded(name, _unzstd(name, data)))
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{name} cannot be decompressed: {error}; put it there again") from None
    _check_text(name, data)
    return data.removeprefix(b"\xef\xbb\xbf")


def _check_text(name: str, data: bytes) -> None:
    """Msgspec takes raw values as they are, whatever their encoding; PostgreSQL does not.

    Decoded in pieces, so that a large file does not need its size in memory once more.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), BLOCK):
            decoder.decode(data[start : start + BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _not_text(name, data) from None


def _not_text(name: str, data: bytes) -> RecordError:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        place = f"{name}:{data.count(NEWLINE, 0, error.start) + 1}"
        fault = Fault(place, "", "", f"is not UTF-8: {error.reason}; save it as UTF-8")
        return RecordError("a seed file cannot be read", [fault])
    raise AssertionError("text after all")  # pragma: no cover


def _gunzip(data: bytes) -> Iterator[bytes]:
    import io

    with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
        while chunk := unpacked.read(1 << 20):
            yield chunk


def _unzstd(name: str, data: bytes) -> Iterator[bytes]:
    """Frame after frame: unlike gzip's, zstandard's readers take a cut-off frame for its end."""
    import zstandard

    try:
        while data:
            frame = zstandard.ZstdDecompressor().decompressobj()
            for start in range(0, len(data), PIECE):
                yield frame.decompress(data[start : start + PIECE])
                if frame.eof:
                    data = frame.unused_data + data[start + PIECE :]
                    break
            else:
                raise EOFError("it ends in the middle")
    except zstandard.ZstdError as error:
        raise SourceError(f"{name} cannot be decompressed: {error}; put it there again") from None


def _bounded(name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > MAX_BYTES:
            raise SourceError(
                f"{name} is larger than {MAX_BYTES >> 20} MiB when decompressed: split it"
            )
        yield chunk


def _tokens(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
