"""Where seeds are: files, objects in a store, and the web; each as bytes with a fingerprint.

A fingerprint is equal where the content is: the SHA-256 of a local file, the ETag (with the version,
where the store keeps versions) of an object. An object whose fingerprint is known need not be
downloaded again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from compose_seeder.errors import ManifestError, SourceError
from compose_seeder.sources import https
from compose_seeder.sources.content import Content, State, of_file
from compose_seeder.sources.glob import Pattern, folder_of, is_pattern, pattern_at
from compose_seeder.sources.object_store import SCHEMES as STORES

SCHEMES = (*STORES, "https")

VARIABLE = "env:"
"""What the place of a variable begins with, among those of files."""


@dataclass(frozen=True)
class Sources:
    """Reads sources.

    Attributes:
        settings: of the stores, by the names that their makers give them (`AWS_ACCESS_KEY_ID`,
            `GOOGLE_SERVICE_ACCOUNT_KEY`, `AZURE_STORAGE_ACCOUNT_NAME`, …), and `SEED_HTTPS_TOKEN`.
        variables: variables for datasets that have `env`.
    """

    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    _digests: dict[State, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def read(self, location: str) -> Content:
        """The content at one location.

        Args:
            location: an absolute path, or a URL.

        Raises:
            SourceError: it cannot be read, with the reason and what to do.
        """
        return self._read(location, bare(location).rpartition("/")[2])

    def read_all(self, location: str) -> list[Content]:
        """The content at a location, or of all that match it, in the order of their names.

        Raises:
            SourceError: nothing matches, or something cannot be read.
        """
        pattern = pattern_at(location)
        if pattern is None:
            return [self.read(location)]
        return [self._read(place, name) for name, place in self._matching(pattern)]

    def fingerprint(self, location: str) -> str:
        """The fingerprint of what is there now, or matches; downloads nothing that has an ETag.

        Args:
            location: as for `read`, a pattern, or `env:NAME` for a variable.

        Raises:
            SourceError: it cannot be read.
        """
        if location.startswith(VARIABLE):
            from compose_seeder.documents import env_substitution

            return env_substitution.fingerprint(self.variables, location.removeprefix(VARIABLE))
        pattern = pattern_at(location)
        if pattern is None:
            return self._fingerprint(location)
        return together((name, self._fingerprint(at)) for name, at in self._matching(pattern))

    def _read(self, location: str, name: str) -> Content:
        scheme = scheme_of(location)
        if scheme in STORES:
            from compose_seeder.sources import object_store

            return object_store.read(location, name, self.settings)
        if scheme == "https":
            return https.read(location, name, self.settings.get("SEED_HTTPS_TOKEN", ""))
        return of_file(Path(location), name, self._digests)

    def _fingerprint(self, location: str) -> str:
        scheme = scheme_of(location)
        if scheme in STORES:
            from compose_seeder.sources import object_store

            return object_store.fingerprint(location, self.settings)
        if scheme == "https":
            return https.fingerprint(location, self.settings.get("SEED_HTTPS_TOKEN", ""))
        return self.read(location).fingerprint

    def _matching(self, pattern: Pattern) -> list[tuple[str, str]]:
        """Name within the pattern's folder, and location, of everything that matches."""
        if scheme_of(pattern.folder):
            from compose_seeder.sources import object_store

            there: Iterator[tuple[str, str]] = object_store.below(pattern.folder, self.settings)
        else:
            there = _files_below(pattern)
        found = sorted((name, place) for name, place in there if pattern.matches(name))
        if not scheme_of(pattern.folder):
            _check_links(pattern.folder, [place for _, place in found])
        if not found:
            raise SourceError(
                f"{pattern.folder}/{pattern.glob} matches nothing; check the pattern, or take it away"
            )
        return found


def together(parts: Iterator[tuple[str, str]]) -> str:
    """One fingerprint of several sources, by name and fingerprint."""
    return "sha256:" + hashlib.sha256(repr(sorted(parts)).encode()).hexdigest()


def resolve(manifest: str, source: str) -> str:
    """The location of a source that a manifest names.

    Args:
        manifest: the manifest's own location.
        source: relative to the manifest's folder, or a URL; or a pattern.

    Raises:
        ManifestError: the path leaves the manifest's folder, the URL is none that can be read, or the
            pattern is none.
    """
    if not is_pattern(source):
        return _resolve(manifest, source)
    folder = folder_of(source)
    there = _resolve(manifest, folder or ".").removesuffix("/.").rstrip("/")
    if scheme_of(there) == "https":
        raise ManifestError(
            f"{source}: is a pattern, and nobody can tell what there is behind https://;"
            " name each file, or use an object store"
        )
    pattern = Pattern(there, source.removeprefix(folder))
    pattern.check()
    return pattern.location


def _resolve(manifest: str, source: str) -> str:
    if "\0" in source:
        raise ManifestError(f"{source!r} has the character NUL, which stands in no path: remove it")
    scheme = scheme_of(source)
    if scheme:
        check_url(source)
        return source
    if scheme_of(manifest):
        return _beside(manifest, source)
    folder = Path(os.path.realpath(manifest)).parent
    path = Path(
        os.path.realpath(folder / source)
    )  # of a link to itself as well, which cannot be read
    if not path.is_relative_to(folder):
        raise ManifestError(
            f"{source}: leaves the manifest's folder {folder}; move the file into it"
        )
    return str(path)


def check_pin(location: str, content: Content, sha256: str | None) -> None:
    """Raise `SourceError` where the content is not what the manifest's `sha256` says."""
    if sha256 and content.sha256 != sha256:
        raise SourceError(
            f"{bare(location)} is not what its checksum says: sha256"
            f" {content.sha256}, the manifest pins {sha256}; put the right file there, or change the pin"
        )


def bare(location: str) -> str:
    """A location for messages: a URL without login and query, since either may hold a secret."""
    return https.bare(location) if scheme_of(location) else location


def scheme_of(location: str) -> str:
    """The scheme of a URL, in small letters; empty for a path."""
    scheme, separator, _ = location.partition("://")
    return scheme.lower() if separator else ""


def check_url(source: str) -> None:
    """Raise `ManifestError` where a URL is none that a source may have."""
    scheme = scheme_of(source)
    try:
        parts = urlsplit(source)
        _ = parts.port  # read for its ValueError
    except ValueError:  # its words may quote a secret
        raise ManifestError(f"the {scheme}:// address has no host and port that are ones") from None
    if scheme not in SCHEMES:
        known = ", ".join(f"{each}://" for each in SCHEMES)
        raise ManifestError(f"{bare(source)}: {scheme}:// is not known; use a file, or {known}")
    if not parts.hostname:
        raise ManifestError(f"{bare(source)}: names no host or bucket")
    if "@" in parts.netloc:
        raise ManifestError(
            f"{bare(source)}: has a login in its address, where logs and the ledger would show it;"
            " set SEED_HTTPS_TOKEN, or the store's settings"
        )


def _beside(manifest: str, source: str) -> str:
    parts = urlsplit(manifest)
    folder = parts.path.rpartition("/")[0]
    # A server may take %2e and %2f for what they stand for.
    if source.startswith("/") or ".." in unquote(source).split("/"):
        raise ManifestError(f"{source}: leaves the manifest's folder {bare(manifest)}")
    return f"{parts.scheme}://{parts.netloc}{folder}/{source}"


def _files_below(pattern: Pattern) -> Iterator[tuple[str, str]]:
    """Files in the pattern's folder, no deeper than it reaches.

    Raises:
        SourceError: nobody may look into a folder: it is not taken for empty.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise SourceError(f"{error.filename} cannot be listed: {error.strerror}") from None

    deep = None if "**" in pattern.glob else pattern.glob.count("/")
    for at, folders, names in os.walk(pattern.folder, onerror=refuse):
        here = Path(at).relative_to(pattern.folder)
        if deep is not None and len(here.parts) >= deep:
            folders.clear()
        for name in names:
            path = Path(at, name)
            if path.is_file() or path.is_symlink():
                yield (here / name).as_posix(), str(path)


def _check_links(folder: str, places: list[str]) -> None:
    """Raise `SourceError` where a file that matches is a link out of the folder: it would be somebody else's."""
    for place in places:
        if not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(folder)):
            raise SourceError(f"{place} is a link out of {folder}: put the file itself there")
