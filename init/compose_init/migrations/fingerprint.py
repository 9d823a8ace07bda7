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

from compose_init.alembic_options import AlembicOptions
from compose_init.files import is_alembic_toml

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


def fingerprint_migrations(options: AlembicOptions) -> Fingerprint:
    """Return the fingerprint of the migrations, from the files that the options name."""
    try:
        home, environment, revisions = _parts(options)
        return Fingerprint(
            _digest(home, environment, options.section),
            _digest(home, revisions),
        )
    except (_NotFoundError, OSError):  # Alembic names it
        return unequal()


def unequal() -> Fingerprint:
    """Return the fingerprint of what cannot be read: no other equals it, so that it is never up to date."""
    text = os.urandom(16).hex()
    return Fingerprint(text, text)


def revision_folders(options: AlembicOptions) -> set[str]:
    """Return the folders whose files of revisions the fingerprint has, as real paths; none where it has none."""
    try:
        return set(_folders(options)[1])
    except (_NotFoundError, OSError):
        return set()


def files(options: AlembicOptions) -> set[str]:
    """Return the configuration and every Python file below the folders that it names, as resolved paths."""
    try:
        _, environment, revisions = _parts(options)
    except (_NotFoundError, OSError):
        return set()
    return {os.path.realpath(path) for path in environment | revisions}


def script_folder(options: AlembicOptions) -> str:
    """Return `script_location` of an `alembic.ini`, or of the `pyproject.toml` beside it; "" for none."""
    try:
        return _Options(options).one("script_location")
    except _NotFoundError:  # it is there; Alembic expands it
        return "?"


class _NotFoundError(Exception):
    """A folder or package that the configuration names is not there, or its name cannot be expanded."""


def toml_of(config: Path) -> Path | None:
    """Return the `pyproject.toml` that is the configuration or beside it, if it has a table for Alembic."""
    path = config.with_name("pyproject.toml")
    return path if is_alembic_toml(path) else None


def _parts(options: AlembicOptions) -> tuple[Path, set[str], set[str]]:
    """Return the folder that paths are relative to, and the files of the environment and of the revisions."""
    config = options.config
    folder, places = _folders(options)
    if config.is_dir():
        found = set(_python_files(places[0], "__pycache__"))
        own = {path for path in found if os.path.basename(path) == "env.py"}  # noqa: PTH119 - 500 of them
        return config, own, found - own
    # Revisions without their source are in __pycache__, which is no part of others.
    skipped = "" if _Options(options).one("sourceless").lower() == "true" else "__pycache__"
    revisions = {path for place in places for path in _python_files(place, skipped)}
    environment = {str(config), *_python_files(folder, "__pycache__")} - revisions
    toml = toml_of(config)
    return config.parent, environment | ({str(toml)} if toml else set()), revisions


def _folders(named: AlembicOptions) -> tuple[str, list[str]]:
    """Return the folder of `env.py`, and those of the revisions, as real paths.

    Raises:
        _NotFoundError: a folder that the configuration names is not there.
    """
    config = named.config
    if config.is_dir():
        place = os.path.realpath(config)
        return place, [place]
    options = _Options(named)
    script = options.folder(options.one("script_location") or str(config.parent))
    locations = options.many("version_locations", "path_separator", "version_path_separator")
    places = [str(options.folder(name)) for name in locations]
    if not all(os.path.isdir(place) for place in [str(script), *places]):  # noqa: PTH112 - as below
        raise _NotFoundError
    return str(script), places or [os.path.realpath(script / "versions")]


def _digest(home: Path, paths: set[str], *words: str) -> str:
    digest = hashlib.sha256("".join(f"{word}\0" for word in words).encode())
    inside = f"{home}/"
    for path in sorted(paths):
        # Relative: the same files mounted at another place are the same.
        name = path[len(inside) :] if path.startswith(inside) else os.path.relpath(path, home)
        digest.update(name.encode() + b"\0")
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - half the time of Path.read_bytes
            digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def _python_files(folder: str, skipped: str) -> Iterator[str]:
    """Yield the Python files below a folder, without those in folders that are called `skipped`.

    Raises:
        OSError: a folder cannot be read.
    """
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:  # `versions` is there with the first revision
        return
    for entry in entries:
        if entry.is_dir():
            if entry.name != skipped:
                yield from _python_files(entry.path, skipped)
        elif entry.name.endswith(SOURCE):
            yield entry.path


class _Options:
    """The options of an `alembic.ini` that name folders, as Alembic reads them."""

    def __init__(self, options: AlembicOptions) -> None:
        from configparser import ConfigParser, Error  # noqa: PLC0415 - for the fast path

        config = options.config
        self._section = options.section
        self._here = str(config.parent)
        # As Alembic does: an option may stand for other ones of its section and of [DEFAULT].
        self._ini = ConfigParser({"here": self._here.replace("%", "%%")}, strict=False)
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
        """Return an option's text; "" where it is not set.

        Raises:
            _NotFoundError: it cannot be expanded.
        """
        return self._text(name) or self._with_here(str(self._toml.get(name, "")))

    def many(self, name: str, *separators: str) -> list[str]:
        """Return an option's parts.

        Args:
            name: of the option.
            separators: names of the options that say what is between parts; the first that is set counts.
        """
        text = self._text(name)
        if not text:
            listed = self._toml.get(name)
            entries = listed if isinstance(listed, list) else []
            return [self._with_here(str(entry)) for entry in entries]
        named = (self._text(each) for each in separators)
        separator = SEPARATORS.get(next(filter(None, named), ""))
        parts = text.split(separator) if separator else re.split(r", *|\s+", text)
        return [part.strip() for part in parts if part.strip()]

    def _text(self, name: str) -> str:
        from configparser import InterpolationError  # noqa: PLC0415 - for the fast path

        try:
            return self._ini.get(self._section, name, fallback="")
        except (InterpolationError, ValueError):
            raise _NotFoundError from None

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
        """Return a text of a `pyproject.toml` with the one name that Alembic puts in."""
        try:
            return text % {"here": self._here}
        except (KeyError, ValueError, TypeError):
            raise _NotFoundError from None
