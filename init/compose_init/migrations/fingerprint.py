"""The fingerprint of the migrations: from the files alone, without Alembic.

An unchanged run compares it and ends, so this module imports nothing heavy, and reads 500 files in a few
milliseconds.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}
SOURCE = (".py", ".pyc", ".pyo")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Digests of the files; two fingerprints are equal if all files are.

    Attributes:
        environment: the digest of the configuration and of `env.py`, which choose the version table.
        revisions: the digest of the files of revisions, which make the revision graph.
    """

    environment: str
    revisions: str

    @property
    def combined(self) -> str:
        """One digest of both."""
        return hashlib.sha256(f"{self.environment}{self.revisions}".encode()).hexdigest()


def fingerprint_migrations(config: Path) -> Fingerprint:
    """Return the fingerprint of the migrations.

    Args:
        config: `alembic.ini`, or a folder of revisions.
    """
    try:
        home, environment, revisions = _parts(config)
        return Fingerprint(_digest(home, environment), _digest(home, revisions))
    except (_NotFoundError, PermissionError):  # Alembic names it
        # Equal to no other fingerprint: files that cannot be read are never up to date.
        unequal = os.urandom(16).hex()
        return Fingerprint(unequal, unequal)


def files(config: Path) -> set[str]:
    """Return the configuration and every Python file below the folders that it names, as resolved paths."""
    try:
        _, environment, revisions = _parts(config)
    except _NotFoundError:
        return set()
    return {os.path.realpath(path) for path in environment | revisions}


def script_folder(config: Path) -> str:
    """Return `script_location` of an `alembic.ini` or of the `pyproject.toml` beside it; "" if it is missing."""
    return _Options(config).one("script_location")


class _NotFoundError(Exception):
    """A package that the configuration names is not there."""


def toml_of(config: Path) -> Path | None:
    """Return the `pyproject.toml` beside an `alembic.ini`, if it has a table for Alembic."""
    path = config.with_name("pyproject.toml")
    try:
        return path if b"[tool.alembic" in path.read_bytes() else None
    except OSError:
        return None


def _parts(config: Path) -> tuple[Path, set[str], set[str]]:
    """Return the folder that paths are relative to, and the files of the environment and of the revisions."""
    if config.is_dir():
        found = set(_python_files(str(config)))
        own = {path for path in found if os.path.basename(path) == "env.py"}  # noqa: PTH119 - 500 of them
        return config, own, found - own
    options = _Options(config)
    script = options.one("script_location") or str(config.parent)
    folder = options.folder(script)
    locations = options.many("version_locations", "path_separator", "version_path_separator")
    places = [options.folder(name) for name in locations] or [folder / "versions"]
    revisions = {path for place in places for path in _python_files(str(place))}
    environment = {str(config), *_python_files(str(folder))} - revisions
    toml = toml_of(config)
    return config.parent, environment | ({str(toml)} if toml else set()), revisions


def _digest(home: Path, paths: set[str]) -> str:
    digest = hashlib.sha256()
    inside = f"{home}/"
    for path in sorted(paths):
        # Relative: the same files mounted at another place are the same.
        name = path[len(inside) :] if path.startswith(inside) else os.path.relpath(path, home)
        digest.update(name.encode() + b"\0")
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - half the time of Path.read_bytes
            digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def _python_files(folder: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _python_files(entry.path)
        elif entry.name.endswith(SOURCE):
            yield entry.path


class _Options:
    """The options of an `alembic.ini` that name folders, as Alembic reads them."""

    def __init__(self, config: Path) -> None:
        from configparser import ConfigParser, Error  # noqa: PLC0415 - for the fast path

        # Interpolation fails on a password with % that an application keeps in its ini.
        self._ini = ConfigParser(interpolation=None, strict=False)
        self._here = str(config.parent)
        try:
            self._ini.read(config, encoding="utf-8")
        except (Error, UnicodeDecodeError):
            self._ini.clear()  # Alembic will say what is wrong with it
        self._toml = self._tables(toml_of(config))

    @staticmethod
    def _tables(toml: Path | None) -> dict[str, object]:
        if toml is None:
            return {}
        import tomllib  # noqa: PLC0415 - for the fast path

        try:
            return dict(tomllib.loads(toml.read_text(encoding="utf-8"))["tool"]["alembic"])
        except (ValueError, KeyError):
            return {}

    def one(self, name: str) -> str:
        text = self._ini.get("alembic", name, fallback="") or str(self._toml.get(name, ""))
        return self._with_here(text)

    def many(self, name: str, *separators: str) -> list[str]:
        text = self._ini.get("alembic", name, fallback="")
        if not text:
            listed = self._toml.get(name, [])
            return (
                [self._with_here(str(entry)) for entry in listed]
                if isinstance(listed, list)
                else []
            )
        named = (self._ini.get("alembic", each, fallback="") for each in separators)
        separator = SEPARATORS.get(next(filter(None, named), ""))
        parts = text.split(separator) if separator else re.split(r", *|\s+", text)
        return [self._with_here(part.strip()) for part in parts if part.strip()]

    def folder(self, name: str) -> Path:
        """Return the folder that a path, or `package:folder`, names."""
        package, colon, rest = name.partition(":")
        if not colon or os.path.isabs(name):  # noqa: PTH117 - a plain question
            return Path(os.path.realpath(os.path.join(self._here, name)))  # noqa: PTH118
        return self._package(package).joinpath(*rest.split(":")).resolve()

    def _package(self, name: str) -> Path:
        from importlib.util import find_spec  # noqa: PLC0415 - for the fast path

        before = sys.path[:]
        paths = self.many("prepend_sys_path", "path_separator")
        sys.path[:0] = [str(Path(self._here, path)) for path in paths]
        try:
            spec = find_spec(name)
        except ImportError:
            spec = None
        finally:
            sys.path[:] = before
        if spec is None or spec.origin is None:
            raise _NotFoundError
        return Path(spec.origin).parent

    def _with_here(self, text: str) -> str:
        return text.replace("%(here)s", self._here)
