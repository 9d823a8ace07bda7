"""Local files, and the files in a local folder."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from compose_seeder.errors import SourceError
from compose_seeder.sources.content import PIECE_BYTES, Content, Opened, hash_pieces

FileState = tuple[int, int, int, int]
"""A file's device, inode, size in bytes, and time of modification in nanoseconds."""

SETTLED_NANOSECONDS = 2_000_000_000
"""Age from which a later change certainly gives a file another time, on every file system."""


@dataclass(frozen=True)
class LocalFile:
    """A file on the disk.

    Attributes:
        path: absolute.
        name: the name for messages and for its decoding.
        digests: SHA-256 of the files that were read already, so that none is read twice for it.
        folder: the folder of a pattern that matched the file; a link may not lead out of it.
    """

    path: Path
    name: str = ""
    digests: dict[FileState, str] = field(default_factory=dict, repr=False, compare=False)
    folder: Path | None = None

    def __str__(self) -> str:
        """Return the path."""
        return str(self.path)

    @property
    def location(self) -> str:
        """The path."""
        return str(self.path)

    def open(self) -> Opened:
        """Open the file.

        Raises:
            SourceError: the file cannot be read, or is a link out of its folder; the pieces raise it
                where the file is changed, replaced or removed while it is read.
        """
        self._check_link()
        with _reading(self.path):
            state = _state_of(self.path)
        pieces = _Pieces(self.path, state)
        sha256 = self.digests.get(state) or hash_pieces(pieces())
        if time.time_ns() - state[-1] > SETTLED_NANOSECONDS:
            self.digests[state] = sha256
        return Opened.single(Content(self.name, f"sha256:{sha256}", sha256, pieces))

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file.

        Raises:
            SourceError: as `open`.
        """
        return self.open().fingerprint

    def _check_link(self) -> None:
        folder = self.folder
        if folder and not Path(os.path.realpath(self.path)).is_relative_to(
            os.path.realpath(folder)
        ):
            raise SourceError(
                f"{self.path} is a link to a file outside {folder}; put the file itself into the folder"
            )


@dataclass(frozen=True)
class LocalFolder:
    """The folder of a pattern.

    Attributes:
        path: absolute.
        prefix: what stands before the names of files in messages, with its `/`.
        digests: as a file's.
    """

    path: Path
    prefix: str = ""
    digests: dict[FileState, str] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        """Return the path."""
        return str(self.path)

    @property
    def location(self) -> str:
        """The path."""
        return str(self.path)

    def files(self, depth: int | None) -> Iterator[tuple[str, LocalFile]]:
        """Find the files, each with its path within the folder.

        Args:
            depth: how many folders deep to look; without end where it is None.

        Raises:
            SourceError: a folder cannot be listed; it must not pass for an empty one.
        """
        for at, folders, names in os.walk(self.path, onerror=_refuse):
            here = Path(at).relative_to(self.path)
            if depth is not None and len(here.parts) >= depth:
                folders.clear()
            for name in names:
                path = Path(at, name)
                if path.is_file() or path.is_symlink():
                    within = (here / name).as_posix()
                    file = LocalFile(path, self.prefix + within, self.digests, folder=self.path)
                    yield within, file


@dataclass(frozen=True)
class _Pieces:
    """The bytes of a file that had this state when it was opened."""

    path: Path
    state: FileState

    def __call__(self) -> Iterator[bytes]:
        with _reading(self.path):
            with self.path.open("rb", buffering=0) as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece
            now = _state_of(self.path)
        if now != self.state:
            raise SourceError(
                f"{self.path} changed while it was read; nothing of it was written, run again"
            )


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise SourceError(
            f"{error.filename} cannot be listed: {error.strerror}; is the folder readable for the user"
            " that this runs as?"
        ) from None


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read: {error.strerror}; is the seeds folder mounted, and readable"
            " for the user that this runs as?"
        ) from None


def _state_of(path: Path) -> FileState:
    found = path.stat()
    if not (
        stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    ):  # to open a FIFO may wait without end
        raise SourceError(f"{path} is no regular file; a source is read several times")
    # Not the time at which the inode changed: a rename changes it, and leaves the content.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
