"""Bytes as they were read to text: decompressed within a bound, and seen to be UTF-8."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import islice

from compose_seeder.errors import Fault, RecordError, SourceError
from compose_seeder.sources.content import MAX_BYTES, PIECE, Pieces

MARK = b"\xef\xbb\xbf"
"""A byte order mark, as some editors put it first."""

FRESH = (b"", 0)
"""The state of a decoder that waits for nothing."""

PART = 1 << 9
"""How many compressed bytes are unpacked at a time: zstd makes 128 KiB of four of them, 16 MiB of these."""


def unpacked(name: str, pieces: Pieces) -> Pieces:
    """The same, decompressed where it is gzip or zstd, without a byte order mark.

    Its pieces raise `SourceError` where it cannot be decompressed, or is too large.
    """

    def text() -> Iterator[bytes]:
        first = True
        for piece in _bounded(name, _decompressed(name, pieces())):
            yield piece.removeprefix(MARK) if first else piece
            first = False

    return text


def check_text(name: str, pieces: Pieces) -> None:
    """Msgspec takes raw values as they are, whatever their encoding; PostgreSQL does not.

    Raises:
        RecordError: it is not UTF-8, with the line.
    """
    decoder, taken = codecs.getincrementaldecoder("utf-8")(), 0
    try:
        for piece in pieces():
            if not (piece.isascii() and decoder.getstate() == FRESH):
                decoder.decode(piece)
            taken += 1
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        # Within what the decoder had kept of earlier pieces and this one; what is kept has no newline.
        before = sum(piece.count(b"\n") for piece in islice(pieces(), taken))
        before += error.object.count(b"\n", 0, error.start)
        fault = Fault(
            f"{name}:{before + 1}", "", "", f"is not UTF-8: {error.reason}; save it as UTF-8"
        )
        raise RecordError("a seed file cannot be read", [fault]) from None


def _decompressed(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")
    whole = _chain(first, pieces)
    try:
        if first.startswith(b"\x1f\x8b"):
            yield from _gunzip(whole)
        elif first.startswith(b"\x28\xb5\x2f\xfd"):
            yield from _full(_unzstd(name, whole))
        else:
            yield from whole
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"{name} cannot be decompressed: {error}; put it there again") from None


def _chain(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from pieces


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=io.BufferedReader(Stream(pieces))) as file:
        while piece := file.read(PIECE):
            yield piece


def _unzstd(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Frame after frame: unlike gzip's, zstandard's readers take a cut-off frame for its end."""
    import zstandard

    frame = None
    try:
        for piece in pieces:
            for start in range(0, len(piece), PART):
                part = piece[start : start + PART]
                while part:
                    frame = frame or zstandard.ZstdDecompressor().decompressobj()
                    yield frame.decompress(part)
                    part = b""
                    if frame.eof:
                        part, frame = frame.unused_data, None
    except zstandard.ZstdError as error:
        raise SourceError(f"{name} cannot be decompressed: {error}; put it there again") from None
    if frame is not None:
        raise EOFError("it ends in the middle")


def _full(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Put together to pieces that are worth the work which each makes."""
    found, size = [], 0
    for piece in pieces:
        found.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(found)
            found, size = [], 0
    if found:
        yield b"".join(found)


def _bounded(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > MAX_BYTES:
            raise SourceError(
                f"{name} is larger than {MAX_BYTES >> 20} MiB when decompressed: split it"
            )
        yield piece


class Stream(io.RawIOBase):
    """Pieces as a file, for what reads from files."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with what comes next; 0 at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
