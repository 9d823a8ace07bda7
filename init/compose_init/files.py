"""The files that settings name, or that are taken where settings name none.

Light: the check for an unchanged run looks for them as well.
"""

from __future__ import annotations

import os
from pathlib import Path

ALEMBIC_TABLE = b"[tool.alembic"
"""A `pyproject.toml` with it is a configuration of Alembic."""

DEFAULT_MANIFEST = "/seeds/seeds.toml"


def find_alembic_config(named: str | None) -> Path | None:
    """Return the `alembic.ini` or the folder of revisions, absolute; None where there is nothing to migrate.

    Args:
        named: its path; where it is None, `alembic.ini` in the working folder, or a `pyproject.toml` with a table for
            Alembic.

    Raises:
        ValueError: it is missing, or cannot be read.
    """
    path = Path(named or "alembic.ini")
    if not named and not may_exist(path) and is_alembic_toml(Path("pyproject.toml")):
        path = Path("pyproject.toml")
    if os.path.isdir(path) and may_exist(path / "alembic.ini"):  # noqa: PTH112 - never raises
        path /= "alembic.ini"  # as Flask-Migrate has it
    if may_exist(path):
        if not os.access(path, os.R_OK):
            raise ValueError(
                f"{path} cannot be read; is it readable for the user that this runs as?"
            )
        return path.resolve()
    if named:
        raise ValueError(f"{named} is not there; it is read from {Path.cwd()}")
    return None


def is_alembic_toml(path: Path) -> bool:
    """Tell if a file is a `pyproject.toml` with a table for Alembic."""
    try:
        return path.name == "pyproject.toml" and ALEMBIC_TABLE in path.read_bytes()
    except OSError:
        return False


def find_manifest(named: str | None) -> str | None:
    """Return the manifest's absolute path; None where there is nothing to seed.

    Args:
        named: its path; the default's where it is None.

    Raises:
        ValueError: it is missing.
    """
    if named is None:
        return DEFAULT_MANIFEST if may_exist(Path(DEFAULT_MANIFEST)) else None
    if not may_exist(Path(named)) or os.path.isdir(named):  # noqa: PTH112 - never raises
        raise ValueError(f"{named} is not a file that is there; is the seeds folder mounted?")
    return str(Path(named).absolute())


def may_exist(path: Path) -> bool:
    """Tell if there is something, or may be in a closed folder: who reads it says so then."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
