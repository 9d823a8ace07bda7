"""Bytes as they were read to text: decompressed within a bound, and checked to be UTF-8."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import islice

from compose_seeder.errors import Fault, RecordError, SourceError
from compose_seeder.sources.content import MAX_BYTES, PIECE_BYTES, Pieces

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

INITIAL_STATE = (b"", 0)
"""The state of a decoder that is not within a character."""

ZSTD_INPUT_BYTES = 1 << 9
"""Compressed bytes that are decompressed at a time: zstd makes 128 KiB of 4 of them, 16 MiB of 512."""


def decompress(name: str, pieces: Pieces) -> Pieces:
    """Return the bytes without gzip or zstd compression and without a byte order mark.

    The returned pieces raise `SourceError` where they cannot be decompressed, or are too large.
    """

    def text() -> Iterator[bytes]:
        first = True
        for piece in _bounded(name, _decompressed(name, pieces())):
            yield piece.removeprefix(BYTE_ORDER_MARK) if first else piece
            first = False

    return text


def check_utf8(name: str, pieces: Pieces) -> None:
    """Check the encoding: msgspec takes raw values in any encoding, and PostgreSQL does not.

    Raises:
        RecordError: the text is not UTF-8, with the line.
    """
    decoder, decoded = codecs.getincrementaldecoder("utf-8")(), 0
    try:
        for piece in pieces():
            if not (piece.isascii() and decoder.getstate() == INITIAL_STATE):
                decoder.decode(piece)
            decoded += 1
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        # The error counts within this piece and the rest of earlier ones, which has no newline.
        before = sum(piece.count(b"\n") for piece in islice(pieces(), decoded))
        before += error.object.count(b"\n", 0, error.start)
        problem = (
            f"is not UTF-8: {error.reason}; save it as UTF-8, or name its encoding in the manifest, as in"
            ' encoding = "cp1252" for files of Windows'
        )
        fault = Fault(f"{name}:{before + 1}", "", "", problem)
        raise RecordError("a seed file cannot be read", [fault]) from None


def _decompressed(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")
    everything = _prepend(first, pieces)
    try:
        if first.startswith(b"\x1f\x8b"):
            yield from _gunzip(everything)
        elif first.startswith(b"\x28\xb5\x2f\xfd"):
            yield from _join_small(_unzstd(name, everything))
        else:
            yield from everything
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _broken(name, error) from None


def _broken(name: str, error: Exception) -> SourceError:
    return SourceError(
        f"{name} cannot be decompressed: {error}; compress the file again, and copy it in full"
    )


def _prepend(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from pieces


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=io.BufferedReader(PiecesFile(pieces))) as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _unzstd(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress frame after frame: zstandard's own readers take a truncated frame for its end."""
    import zstandard  # noqa: PLC0415 - heavy, and optional

    frame = None
    try:
        for piece in pieces:
            for start in range(0, len(piece), ZSTD_INPUT_BYTES):
                part = piece[start : start + ZSTD_INPUT_BYTES]
                while part:
                    frame = frame or zstandard.ZstdDecompressor().decompressobj()
                    yield frame.decompress(part)
                    part = b""
                    if frame.eof:
                        part, frame = frame.unused_data, None
    except zstandard.ZstdError as error:
        raise _broken(name, error) from None
    if frame is not None:
        raise EOFError("the compressed data end too early")


def _join_small(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join pieces until they are worth the work that each of them makes."""
    found, size = [], 0
    for piece in pieces:
        found.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
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
                f"{name} is larger than {MAX_BYTES >> 20} MiB when decompressed; split it into several files"
            )
        yield piece


class PiecesFile(io.RawIOBase):
    """Pieces as a file, for libraries that read from files."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with the next bytes, and return their number; 0 at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
