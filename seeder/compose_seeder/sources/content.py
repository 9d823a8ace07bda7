"""The content of a source: bytes that are read as often as they are needed, with their fingerprint.

The bytes come in pieces, so that a large file needs no memory of its size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from compose_seeder.errors import SourceError

if TYPE_CHECKING:
    import tempfile

Pieces = Callable[[], Iterator[bytes]]
"""A function that reads the bytes from their beginning, in pieces, at each call."""

PIECE_BYTES = 1 << 21
"""Bytes that are read at a time."""

MEMORY_BYTES = 1 << 23
"""Size up to which a download stays in memory; a larger one goes into an unnamed temporary file."""

MAX_BYTES = 2 * 1024**3
"""Largest size of a source, downloaded or decompressed."""


@dataclass(frozen=True)
class Content:
    """The content of one file or object when it was opened.

    Attributes:
        name: the name for messages; its suffix decides how the text is decoded.
        fingerprint: of exactly these bytes, or the store's own name of their version.
        sha256: of these bytes, in hexadecimal digits.
        pieces: the bytes; raises `SourceError` where the source changes meanwhile.
    """

    name: str
    fingerprint: str
    sha256: str
    pieces: Pieces

    @property
    def data(self) -> bytes:
        """All bytes in one object."""
        return b"".join(self.pieces())

    def check_sha256(self, source: object, expected: str | None) -> None:
        """Compare the bytes with the manifest's `sha256`, where it has one.

        Raises:
            SourceError: the bytes are other ones; `source` is named.
        """
        if expected and self.sha256 != expected:
            raise SourceError(
                f"{source} does not match its checksum: sha256 is {self.sha256}, the manifest expects"
                f" {expected}; put the right file there, or change sha256 in the manifest"
            )


@dataclass(frozen=True)
class Opened:
    """A source when it was opened.

    Attributes:
        contents: in the order of their names; a source that is no pattern has exactly one.
        fingerprint: of all contents.
    """

    contents: tuple[Content, ...]
    fingerprint: str

    @classmethod
    def single(cls, content: Content) -> Opened:
        """Return the opened form of one file."""
        return cls((content,), content.fingerprint)

    @property
    def data(self) -> bytes:
        """All bytes of all contents."""
        return b"".join(content.data for content in self.contents)


def hash_pieces(pieces: Iterable[bytes]) -> str:
    """Return the SHA-256 of bytes in pieces, in hexadecimal digits."""
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def join_fingerprints(parts: Iterable[tuple[str, str]]) -> str:
    """Return one fingerprint of several sources, each given by its name and its fingerprint."""
    return "sha256:" + hashlib.sha256(repr(sorted(parts)).encode()).hexdigest()


def keep_download(source: object, chunks: Iterable[bytes]) -> tuple[Pieces, str]:
    """Keep a download, so that it can be read several times, and return it with its SHA-256.

    Raises:
        SourceError: the download is too large, or there is no room for it; `source` is named.
    """
    import tempfile  # noqa: PLC0415 - for the fast path
    import weakref  # noqa: PLC0415 - for the fast path

    # No `with`: the file lives as long as its reader, and has no name that could be left behind.
    file = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
    pieces = partial(_read_from_start, file)
    weakref.finalize(pieces, file.close)
    found, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_BYTES:
            raise SourceError(
                f"{source} is larger than {MAX_BYTES >> 20} MiB; split it into several files"
            )
        found.update(chunk)
        try:
            file.write(chunk)
        except OSError as error:
            raise SourceError(
                f"{source} cannot be stored: {error.strerror}; a download of more than {MEMORY_BYTES >> 20} MiB"
                " needs a temporary folder with enough space (TMPDIR)"
            ) from None
    return pieces, found.hexdigest()


def _read_from_start(file: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    position = 0
    while True:
        file.seek(position)
        piece = file.read(PIECE_BYTES)
        if not piece:
            return
        position += len(piece)
        yield piece
