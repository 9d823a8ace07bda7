"""Where seeds are: files, objects in a store, and the web; each as bytes with a fingerprint.

A fingerprint is equal where the content is: the SHA-256 of a local file, the ETag (with the version,
where the store keeps versions) of an object. An object whose fingerprint is known need not be
downloaded again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from seeder import web
from seeder.content import Content, of_file
from seeder.errors import ManifestError, SourceError
from seeder.objects import SCHEMES as STORES

SCHEMES = (*STORES, "https")

SIGNS = "*?["
"""What makes a location stand for several."""


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

    def read(self, location: str) -> Content:
        """The content at one location.

        Args:
            location: an absolute path, or a URL.

        Raises:
            SourceError: it cannot be read, with the reason and what to do.
        """
        return self._read(location, location.rpartition("/")[2])

    def read_all(self, location: str) -> list[Content]:
        """The content at a location, or of all that match it, in the order of their names.

        Raises:
            SourceError: nothing matches, or something cannot be read.
        """
        if not is_glob(location):
            return [self.read(location)]
        return [self._read(place, name) for name, place in self._matching(location)]

    def fingerprint(self, location: str) -> str:
        """The fingerprint of what is there now, or matches; downloads nothing that has an ETag.

        Args:
            location: as for `read`, a pattern, or `env:NAME` for a variable.

        Raises:
            SourceError: it cannot be read.
        """
        if location.startswith("env:"):
            from seeder import environment

            return environment.fingerprint(
                self.variables, location.removeprefix(environment.PREFIX)
            )
        if not is_glob(location):
            return self._fingerprint(location)
        return together((name, self._fingerprint(at)) for name, at in self._matching(location))

    def _read(self, location: str, name: str) -> Content:
        scheme = scheme_of(location)
        if scheme in STORES:
            from seeder import objects

            return objects.read(location, name, self.settings)
        if scheme == "https":
            named = urlsplit(location).path.rpartition("/")[2] or name
            return web.read(location, named, self.settings.get("SEED_HTTPS_TOKEN", ""))
        try:
            return replace(of_file(Path(location)), name=name)
        except OSError as error:
            raise SourceError(
                f"{location} cannot be read: {error.strerror}; is the seeds folder mounted, and readable"
                " for the user that this runs as?"
            ) from None

    def _fingerprint(self, location: str) -> str:
        scheme = scheme_of(location)
        if scheme in STORES:
            from seeder import objects

            return objects.fingerprint(location, self.settings)
        if scheme == "https":
            return web.fingerprint(location, self.settings.get("SEED_HTTPS_TOKEN", ""))
        return self.read(location).fingerprint

    def _matching(self, location: str) -> list[tuple[str, str]]:
        """Name within the pattern's folder, and location, of everything that matches."""
        folder = folder_of(location)
        if scheme_of(location):
            from seeder import objects

            there: Iterator[tuple[str, str]] = objects.below(folder, self.settings)
        else:
            there = _files_below(Path(folder))
        wanted = _expression(location.removeprefix(folder))
        found = sorted((name, place) for name, place in there if wanted.fullmatch(name))
        if not found:
            raise SourceError(f"{location} matches nothing; check the pattern, or take it away")
        return found


def together(parts: Iterator[tuple[str, str]]) -> str:
    """One fingerprint of several sources, by name and fingerprint."""
    return "sha256:" + hashlib.sha256(repr(sorted(parts)).encode()).hexdigest()


def is_glob(location: str) -> bool:
    """Whether it stands for several: a `?` in a web address begins its query."""
    return scheme_of(location) != "https" and any(sign in location for sign in SIGNS)


def resolve(manifest: str, source: str) -> str:
    """The location of a source that a manifest names.

    Args:
        manifest: the manifest's own location.
        source: relative to the manifest's folder, or a URL; a pattern where it has `*`, `?` or `[`.

    Raises:
        ManifestError: the path leaves the manifest's folder, or the URL is none that can be read.
    """
    scheme = scheme_of(source)
    if scheme:
        _check_url(source, scheme)
        return source
    if scheme_of(manifest):
        return _beside(manifest, source)
    folder = Path(manifest).resolve().parent
    path = (folder / source).resolve()
    if not path.is_relative_to(folder):
        raise ManifestError(
            f"source {source}: leaves the manifest's folder {folder}; move the file into it"
        )
    return str(path)


def check_pin(location: str, content: Content, sha256: str | None) -> None:
    """Raise `SourceError` where the content is not what the manifest's `sha256` says."""
    if sha256 and content.sha256 != sha256:
        raise SourceError(
            f"{web.bare(location) if scheme_of(location) else location} is not what its checksum says: sha256"
            f" {content.sha256}, the manifest pins {sha256}; put the right file there, or change the pin"
        )


def scheme_of(location: str) -> str:
    """The scheme of a URL, in small letters; empty for a path."""
    scheme, separator, _ = location.partition("://")
    return scheme.lower() if separator else ""


def _check_url(source: str, scheme: str) -> None:
    if scheme not in SCHEMES:
        known = ", ".join(f"{each}://" for each in SCHEMES)
        raise ManifestError(
            f"source {web.bare(source)}: {scheme}:// is not known; use a file, or {known}"
        )
    if "@" in urlsplit(source).netloc:
        raise ManifestError(
            f"source {web.bare(source)}: has a login in its address, where logs and the ledger would show it;"
            " set SEED_HTTPS_TOKEN, or the store's settings"
        )


def _beside(manifest: str, source: str) -> str:
    parts = urlsplit(manifest)
    folder = parts.path.rpartition("/")[0]
    if source.startswith("/") or ".." in source.split("/"):
        raise ManifestError(f"source {source}: leaves the manifest's folder {web.bare(manifest)}")
    return f"{parts.scheme}://{parts.netloc}{folder}/{source}"


def folder_of(location: str) -> str:
    """What stands before the first part with a sign of a pattern, with its `/`."""
    start = min(location.find(sign) for sign in SIGNS if sign in location)
    return location[: location.rfind("/", 0, start) + 1]


def _files_below(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.rglob("*"):
        if path.is_file() and path.resolve().is_relative_to(folder):
            yield path.relative_to(folder).as_posix(), str(path)


def _expression(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression: `*` and `?` stay within a folder, `**/` goes through several."""
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    return re.compile(
        "".join(
            signs.get(part)
            or (part.replace("[!", "[^", 1) if part.startswith("[") else re.escape(part))
            for part in parts
        )
    )
