"""The fingerprint of the migrations: from the files alone, without Alembic.

The commonest run compares it and ends, so that this module imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path


def of_migrations(config: Path) -> str:
    """Equal where the configuration and every file of the history are the same.

    Args:
        config: `alembic.ini`, or a folder of revisions.
    """
    digest = hashlib.sha256()
    for path in sorted(files(config)):
        digest.update(str(path).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def files(config: Path) -> set[Path]:
    """The configuration, and every Python file below the folders that it names."""
    if config.is_dir():
        return set(config.rglob("*.py"))
    return {config, *(path for folder in _folders(config) for path in folder.rglob("*.py"))}


def _folders(config: Path) -> list[Path]:
    from configparser import ConfigParser

    here = config.parent
    # Interpolation would stumble over a password with % that an application keeps in its ini.
    parser = ConfigParser(interpolation=None)
    parser.read(config, encoding="utf-8")
    named = [parser.get("alembic", "script_location", fallback="")]
    named += re.split(r"[\s,;]+", parser.get("alembic", "version_locations", fallback=""))
    return [_folder(here, name.replace("%(here)s", str(here))) for name in named if name]


def _folder(here: Path, name: str) -> Path:
    package, colon, rest = name.partition(":")
    if colon and not Path(name).is_absolute():  # package:folder, as Alembic has it
        from importlib.util import find_spec

        spec = find_spec(package)
        origin = Path(spec.origin).parent if spec and spec.origin else here
        return (origin / rest).resolve()
    return (here / name).resolve()
