"""Files and objects in a store, as bytes with a fingerprint.

A fingerprint is equal where the content is: the SHA-256 of a local file, the ETag (with the version,
where the store keeps versions) of an object. An object whose fingerprint is known need not be
downloaded again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from seeder.errors import ManifestError, SourceError

if TYPE_CHECKING:
    from obstore.store import S3Store

NOT_BUILT = {"gs", "az", "https"}


@dataclass(frozen=True, slots=True)
class Content:
    """What a source held: its bytes, and the fingerprint of exactly these bytes."""

    data: bytes
    fingerprint: str


@dataclass(frozen=True)
class Sources:
    """Reads sources; `object_store` is the store's configuration, in the AWS names.

    Attributes:
        object_store: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT_URL`, … .
    """

    object_store: Mapping[str, str] = field(default_factory=dict)

    def read(self, location: str) -> Content:
        """The content at a location.

        Args:
            location: an absolute path, or `s3://bucket/key`.

        Raises:
            SourceError: it cannot be read, with the reason and what to do.
        """
        if _scheme(location) == "s3":
            return self._object(location, head=False)
        try:
            data = Path(location).read_bytes()
        except OSError as error:
            raise SourceError(
                f"{location} cannot be read: {error.strerror}; is the seeds folder mounted, and readable"
                " for the user that this runs as?"
            ) from None
        return Content(data, f"sha256:{hashlib.sha256(data).hexdigest()}")

    def fingerprint(self, location: str) -> str:
        """The fingerprint of what is there now; downloads nothing from an object store.

        Raises:
            SourceError: it cannot be read.
        """
        if _scheme(location) == "s3":
            return self._object(location, head=True).fingerprint
        return self.read(location).fingerprint

    def _object(self, location: str, *, head: bool) -> Content:
        import obstore
        from obstore.exceptions import BaseError

        parts = urlsplit(location)
        key = parts.path.lstrip("/")
        try:
            store = self._s3(parts.netloc)
            if head:
                return Content(b"", _object_fingerprint(obstore.head(store, key)))
            answer = obstore.get(store, key)
            return Content(bytes(answer.bytes()), _object_fingerprint(answer.meta))
        except (BaseError, OSError) as error:  # what is not there is a plain FileNotFoundError
            raise SourceError(f"{location} cannot be read: {_reason(error)}") from None

    def _s3(self, bucket: str) -> S3Store:
        from obstore.store import S3Store

        options = {
            name.removeprefix("AWS_").lower(): value for name, value in self.object_store.items()
        }
        endpoint = options.pop("endpoint_url", None)
        config: Any = {"region": "us-east-1", **options}
        if endpoint:
            config["endpoint"] = endpoint
        return S3Store(
            bucket,
            config=config,
            # A store inside the stack is reached over plain HTTP when its address says so.
            client_options={"allow_http": (endpoint or "").startswith("http://"), "timeout": "30s"},
            retry_config={"max_retries": 3},
        )


def resolve(manifest: str, source: str) -> str:
    """The location of a source that a manifest names.

    Args:
        manifest: the manifest's own location.
        source: relative to the manifest's folder, or a URL.

    Raises:
        ManifestError: the path leaves the manifest's folder, or the scheme is not built yet.
    """
    scheme = _scheme(source)
    if scheme == "s3":
        return source
    if scheme:
        later = "is not built yet in this version" if scheme in NOT_BUILT else "is not known"
        raise ManifestError(f"source {_bare(source)}: {scheme}:// {later}; use a file, or s3://")
    if _scheme(manifest):
        return _inside_bucket(manifest, source)
    folder = Path(manifest).resolve().parent
    path = (folder / source).resolve()
    if not path.is_relative_to(folder):
        raise ManifestError(
            f"source {source}: leaves the manifest's folder {folder}; move the file into it"
        )
    return str(path)


def check_pin(location: str, content: Content, sha256: str | None) -> None:
    """Raise `SourceError` where the content is not what the manifest's `sha256` says."""
    found = hashlib.sha256(content.data).hexdigest() if sha256 else None
    if found != sha256:
        raise SourceError(
            f"{location} is not what its checksum says: sha256 {found}, the manifest pins {sha256};"
            " put the right file there, or change the pin"
        )


def _inside_bucket(manifest: str, source: str) -> str:
    parts = urlsplit(manifest)
    folder = parts.path.rpartition("/")[0]
    if source.startswith("/") or ".." in source.split("/"):
        raise ManifestError(f"source {source}: leaves the manifest's folder {_bare(manifest)}")
    return f"{parts.scheme}://{parts.netloc}{folder}/{source}"


def _scheme(location: str) -> str:
    scheme, separator, _ = location.partition("://")
    return scheme.lower() if separator else ""


def _bare(location: str) -> str:
    """A URL without login and query: either may hold a secret."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def _object_fingerprint(meta: Any) -> str:
    version = f"version:{meta['version']} " if meta.get("version") else ""
    return f"{version}etag:{meta['e_tag']} size:{meta['size']}"


def _reason(error: Exception) -> str:
    text = str(error)
    if "NoSuchBucket" in text:
        return "there is no such bucket"
    if isinstance(error, FileNotFoundError):
        return "there is no such object"
    refused = {"PermissionDeniedError", "UnauthenticatedError"}
    if type(error).__name__ in refused or "403" in text:
        return (
            "the store refused the credentials; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return " ".join(text.split())[:300]
