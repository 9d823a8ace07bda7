"""Locations to sources: the only place that reads a path, a URL or a pattern.

    monsters.json   ─▶ LocalFile        s3:// gs:// az:// ─▶ StoredObject
    monsters/*.json ─▶ Glob             https://          ─▶ WebFile
    env:NAME        ─▶ EnvironmentVariable

A fingerprint is equal where the content is: the SHA-256 of a local file, the ETag (with the version,
where the store keeps versions) of an object. An object whose fingerprint is known need not be
downloaded again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from compose_seeder.errors import ManifestError
from compose_seeder.safe_url import SafeUrl, scheme_of
from compose_seeder.sources import environment_variable, glob
from compose_seeder.sources.environment_variable import EnvironmentVariable
from compose_seeder.sources.glob import Folder, Glob, Pattern, has_wildcards, split_pattern
from compose_seeder.sources.https import WebFile
from compose_seeder.sources.local_file import FileState, LocalFile, LocalFolder
from compose_seeder.sources.object_store import SCHEMES as STORES
from compose_seeder.sources.object_store import ObjectFolder, StoredObject
from compose_seeder.sources.source import Input, Source

SCHEMES = (*STORES, "https")


@dataclass(frozen=True)
class Sources:
    """The settings with which sources are read; makes sources from their locations.

    Attributes:
        settings: of the stores, by their vendors' names (`AWS_ACCESS_KEY_ID`,
            `GOOGLE_SERVICE_ACCOUNT_KEY`, `AZURE_STORAGE_ACCOUNT_NAME`, …), and `SEED_HTTPS_TOKEN`.
        variables: variables for datasets that have `env`.
    """

    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    _digests: dict[FileState, str] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def file(self, location: str, name: str = "") -> Source:
        """Return the source at an absolute path or a URL, which is no pattern.

        Args:
            location: the path or the URL.
            name: the name for messages and for decoding; the last part of the path by default.
        """
        scheme = scheme_of(location)
        name = name or location_name(location).rpartition("/")[2]
        if scheme in STORES:
            return StoredObject.at(location, name, self.settings)
        if scheme == "https":
            return WebFile(SafeUrl(location), name, self.settings.get("SEED_HTTPS_TOKEN", ""))
        return LocalFile(Path(location), name, self._digests)

    def beside(self, manifest: str, named: str) -> Source:
        """Return the source that a manifest names.

        Args:
            manifest: the manifest's own location.
            named: a path relative to the manifest's folder, a URL, or a pattern.

        Raises:
            ManifestError: the path leaves the manifest's folder, or the URL or the pattern is invalid.
        """
        if not has_wildcards(named):
            return self.file(_absolute(manifest, named), location_name(named))
        prefix, text = split_pattern(named)
        folder = _absolute(manifest, prefix or ".").removesuffix("/.").rstrip("/")
        if scheme_of(folder) == "https":
            raise ManifestError(
                f"{named}: a pattern cannot be used behind https://, where files cannot be listed;"
                " name each file, or use an object store"
            )
        pattern = Pattern(text)
        pattern.check()
        return Glob(self._folder(folder, prefix), pattern)

    def variable(self, name: str) -> EnvironmentVariable:
        """Return the variable with this name as an input."""
        return EnvironmentVariable(name, self.variables)

    def recorded(self, location: str) -> Input:
        """Return the input whose `location` this is, as the ledger has it."""
        if location.startswith(environment_variable.PREFIX):
            return self.variable(location.removeprefix(environment_variable.PREFIX))
        parts = glob.split_location(location)
        if parts is None:
            return self.file(location)
        folder, text = parts
        return Glob(self._folder(folder, ""), Pattern(text))

    def _folder(self, location: str, prefix: str) -> Folder:
        if scheme_of(location):
            return ObjectFolder.at(location, prefix, self.settings)
        return LocalFolder(Path(location), prefix, self._digests)


def location_name(location: str) -> str:
    """Return a location as messages show it: a URL without login and query."""
    return str(SafeUrl(location)) if scheme_of(location) else location


def check_url(url: str) -> None:
    """Check the URL of a source or a manifest.

    Raises:
        ManifestError: the URL is invalid, has a login, or a scheme that is not supported; the message
            holds nothing that may be secret.
    """
    scheme = scheme_of(url)
    try:
        parts = urlsplit(url)
        _ = parts.port  # read for its ValueError
    except ValueError:  # its words may quote a secret
        raise ManifestError(f"the {scheme}:// address has an invalid host or port") from None
    safe = SafeUrl(url)
    if scheme not in SCHEMES:
        known = ", ".join(f"{each}://" for each in SCHEMES)
        raise ManifestError(f"{safe}: {scheme}:// is not supported; use a file, or {known}")
    if not parts.hostname:
        raise ManifestError(f"{safe}: names no host or bucket")
    if "@" in parts.netloc:
        raise ManifestError(
            f"{safe}: the address has a login, which logs and the ledger would show;"
            " set SEED_HTTPS_TOKEN, or the store's settings"
        )


def _absolute(manifest: str, named: str) -> str:
    """Return the absolute path or the URL of a file that a manifest names."""
    if "\0" in named:
        raise ManifestError(
            f"{named!r} has the character NUL, which no path can have; remove the character"
        )
    if scheme_of(named):
        check_url(named)
        return named
    if scheme_of(manifest):
        return _join_url(manifest, named)
    folder = Path(os.path.realpath(manifest)).parent
    # realpath also takes a link to itself, which cannot be read.
    path = Path(os.path.realpath(folder / named))
    if not path.is_relative_to(folder):
        raise ManifestError(
            f"{named}: leaves the manifest's folder {folder}; move the file into the folder"
        )
    return str(path)


def _join_url(manifest: str, named: str) -> str:
    parts = urlsplit(manifest)
    folder = parts.path.rpartition("/")[0]
    # A server may take %2e and %2f for . and /.
    if named.startswith("/") or ".." in unquote(named).split("/"):
        raise ManifestError(
            f"{named}: leaves the manifest's folder {location_name(manifest)};"
            " move the file into the folder"
        )
    return f"{parts.scheme}://{parts.netloc}{folder}/{named}"
