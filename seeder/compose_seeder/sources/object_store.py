"""Objects in a store: Amazon's S3 and compatible stores, Google's, Azure's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from compose_seeder.sources.content import Content, Opened, keep_download
from compose_seeder.sources.deadline import each_within, within
from compose_seeder.sources.store_client import open_store
from compose_seeder.sources.store_errors import reading

SCHEMES = ("s3", "gs", "az")

ANSWER_SECONDS = 20.0
"""Time for an answer, with the credentials that a metadata service gives, and all retries."""

CHUNK_BYTES = 256 << 10
"""The least size of a piece of a download, which has the same time."""


@dataclass(frozen=True)
class StoredObject:
    """An object in a bucket.

    Attributes:
        scheme: s3, gs or az.
        bucket: the bucket's name.
        key: the object's key, without a `/` before it.
        name: the name for messages and for decoding.
        settings: of the store, by their vendors' names.
    """

    scheme: str
    bucket: str
    key: str
    name: str = ""
    settings: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def at(cls, location: str, name: str, settings: Mapping[str, str]) -> StoredObject:
        """Return the object at a URL."""
        return cls(*_split(location), name, settings)

    def __str__(self) -> str:
        """Return the URL."""
        return self.location

    @property
    def location(self) -> str:
        """The URL."""
        return f"{self.scheme}://{self.bucket}/{self.key}"

    def open(self) -> Opened:
        """Download the object.

        Raises:
            SourceError: the object cannot be read.
        """
        import obstore  # noqa: PLC0415 - heavy, and optional

        with reading(self.location, self.scheme, self.settings):
            store = open_store(self.scheme, self.bucket, self.settings)
            found = within(ANSWER_SECONDS, lambda: obstore.get(store, self.key))
            chunks = each_within(ANSWER_SECONDS, found.stream(min_chunk_size=CHUNK_BYTES))
            pieces, sha256 = keep_download(self, map(bytes, chunks))
            return Opened.single(Content(self.name, _fingerprint(found.meta), sha256, pieces))

    def fingerprint(self) -> str:
        """Return the fingerprint of the present object, without its content.

        Raises:
            SourceError: the object cannot be read.
        """
        import obstore  # noqa: PLC0415 - heavy, and optional

        with reading(self.location, self.scheme, self.settings):
            store = open_store(self.scheme, self.bucket, self.settings)
            return _fingerprint(within(ANSWER_SECONDS, lambda: obstore.head(store, self.key)))


@dataclass(frozen=True)
class ObjectFolder:
    """The objects below a folder of a bucket.

    Attributes:
        scheme: s3, gs or az.
        bucket: the bucket's name.
        key: the folder's, without a `/` before or after it; "" for the whole bucket.
        prefix: what stands before the names of objects in messages, with its `/`.
        settings: of the store, by their vendors' names.
    """

    scheme: str
    bucket: str
    key: str
    prefix: str = ""
    settings: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def at(cls, location: str, prefix: str, settings: Mapping[str, str]) -> ObjectFolder:
        """Return the folder at a URL."""
        return cls(*_split(location), prefix, settings)

    def __str__(self) -> str:
        """Return the URL."""
        return self.location

    @property
    def location(self) -> str:
        """The URL, without a `/` at its end."""
        return f"{self.scheme}://{self.bucket}/{self.key}".rstrip("/")

    def files(self, depth: int | None) -> Iterator[tuple[str, StoredObject]]:
        """List the objects, each with its path within the folder.

        Args:
            depth: unused; a store lists all objects below a folder.

        Raises:
            SourceError: the folder cannot be listed.
        """
        import obstore  # noqa: PLC0415 - heavy, and optional

        del depth
        folder = PurePosixPath(self.key)
        with reading(self.location, self.scheme, self.settings):
            store = open_store(self.scheme, self.bucket, self.settings)
            for page in each_within(ANSWER_SECONDS, obstore.list(store, self.key or None)):
                for found in page:
                    key = found["path"]
                    path = str(PurePosixPath(key).relative_to(folder))
                    name = self.prefix + path
                    yield path, StoredObject(self.scheme, self.bucket, key, name, self.settings)


def _split(location: str) -> tuple[str, str, str]:
    """Split a URL into scheme, bucket and key; urlsplit would cut a key at # and ?."""
    scheme, _, rest = location.partition("://")
    bucket, _, key = rest.partition("/")
    return scheme.lower(), bucket, key.lstrip("/")


def _fingerprint(meta: Any) -> str:
    version = f"version:{meta['version']} " if meta.get("version") else ""
    return f"{version}etag:{meta['e_tag']} size:{meta['size']}"
