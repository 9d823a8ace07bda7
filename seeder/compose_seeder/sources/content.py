"""What a source holds: bytes that are read as often as they are needed, with their fingerprint.

Read in pieces, so that a large file needs no memory of its size.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from compose_seeder.errors import SourceError

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
        try:
            file.write(chunk)
        except OSError as error:
            raise SourceError(
                f"{location} cannot be kept: {error.strerror}; a download of more than {SMALL >> 20} MiB needs a"
                " temporary folder with room for it (TMPDIR)"
            ) from None
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


State = tuple[int, int, int, int]
"""A file's device and inode, its size, and the time of its last change in nanoseconds."""

SETTLED = 2_000_000_000
"""Nanoseconds after which a change of a file shows in its time for certain, whatever its file system."""


def of_file(path: Path, name: str, digests: dict[State, str] | None = None) -> Content:
    """A local file.

    Args:
        path: where it is.
        name: what messages call it.
        digests: of files that were read already, so that none is read for its digest twice.

    Raises:
        SourceError: it cannot be read; or it is written to, replaced or removed while it is read.
    """
    with _readable(path):
        found = _state(path)

    def pieces() -> Iterator[bytes]:
        with _readable(path):
            with path.open("rb", buffering=0) as file:
                while piece := file.read(PIECE):
                    yield piece
            now = _state(path)
        if now != found:
            raise SourceError(
                f"{path} changed while it was read; nothing of it is written: run again"
            )

    digests = {} if digests is None else digests
    sha256 = digests.get(found) or digest(pieces())
    if time.time_ns() - found[-1] > SETTLED:
        digests[found] = sha256
    return Content(name, f"sha256:{sha256}", sha256, pieces)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read: {error.strerror}; is the seeds folder mounted, and readable"
            " for the user that this runs as?"
        ) from None


def _state(path: Path) -> State:
    found = path.stat()
    # Not the time at which its entry changed: a rename is such a change, and leaves the content.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
