"""What a source holds: bytes that are read as often as they are needed, with their fingerprint.

Read in pieces, so that a large file needs no memory of its size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from seeder.errors import SourceError

if TYPE_CHECKING:
    import tempfile

Pieces = Callable[[], Iterator[bytes]]
"""The bytes from their beginning, in pieces; each call reads them anew."""

PIECE = 1 << 21
"""Bytes that are read at a time."""

SMALL = 1 << 23
"""Bytes that a download keeps in memory; a larger one goes into an unnamed temporary file."""

MAX_BYTES = 2 * 1024**3
"""How large a source may be, downloaded or decompressed."""


@dataclass(frozen=True)
class Content:
    """What a source held when it was opened.

    Attributes:
        name: what messages call it; its ending says how it is decoded.
        fingerprint: of exactly these bytes, or of what the store has as their version.
        sha256: of these bytes, in hexadecimal digits.
        pieces: raises `SourceError` where the source changes meanwhile.
    """

    name: str
    fingerprint: str
    sha256: str
    pieces: Pieces

    @property
    def data(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces())


def digest(pieces: Iterable[bytes]) -> str:
    """SHA-256 of bytes in pieces, in hexadecimal digits."""
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def spooled(location: str, chunks: Iterable[bytes]) -> tuple[Pieces, str]:
    """A download, kept to be read as often as it is needed, and its SHA-256.

    Raises:
        SourceError: it is too large.
    """
    import tempfile
    import weakref

    # No `with`: it lives as long as what reads it, and has no name that could be left behind.
    file = tempfile.SpooledTemporaryFile(SMALL)  # noqa: SIM115
    pieces = partial(_again, file)
    weakref.finalize(pieces, file.close)
    found, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_BYTES:
            raise SourceError(f"{location} is larger than {MAX_BYTES >> 20} MiB: split it")
        found.update(chunk)
        file.write(chunk)
    return pieces, found.hexdigest()


def _again(file: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    position = 0
    while True:
        file.seek(position)
        piece = file.read(PIECE)
        if not piece:
            return
        position += len(piece)
        yield piece


def of_file(path: Path) -> Content:
    """A local file.

    Raises:
        SourceError: it is written to, or replaced, while it is read.
        OSError: it cannot be read.
    """
    found = _state(path)

    def pieces() -> Iterator[bytes]:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(PIECE):
                yield piece
        if _state(path) != found:
            raise SourceError(
                f"{path} changed while it was read; nothing of it is written: run again"
            )

    sha256 = digest(pieces())
    return Content(path.name, f"sha256:{sha256}", sha256, pieces)


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    # Not the time at which its entry changed: a rename is such a change, and leaves the content.
    return found.st_ino, found.st_size, found.st_mtime_ns
