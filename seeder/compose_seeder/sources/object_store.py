"""Objects in a store: Amazon's S3 and compatible stores, Google's, Azure's.

obstore's exceptions ─▶ SourceError, by `_explain`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from compose_seeder.errors import SourceError, quote
from compose_seeder.safe_url import SafeUrl
from compose_seeder.sources.content import Content, Opened, keep_download

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az")

CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_SERVICE_ACCOUNT_KEY",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}

GOOGLE = {"GOOGLE_SERVICE_ACCOUNT_KEY": "service_account_key", "GOOGLE_BASE_URL": "base_url"}

AZURE = {
    "AZURE_STORAGE_ACCOUNT_NAME": "account_name",
    "AZURE_STORAGE_ACCOUNT_KEY": "account_key",
    "AZURE_STORAGE_SAS_TOKEN": "sas_key",
    "AZURE_STORAGE_ENDPOINT": "endpoint",
}

REASON_CHARACTERS = 300
"""Length up to which a store's own words are quoted."""

FORBIDDEN = re.compile(r"\b403 Forbidden\b|\bstatus: 403\b")
"""A refusal in obstore's message; the number alone may be of a port, or of a duration."""

REQUEST_URL = re.compile(r"performing \w+ (\S+) in ")
"""The address in obstore's message."""

REASON = re.compile(r'"([^"\n]* error)"|(?:message|error): "([^"\n]+)"')
"""A cause of a failed connection among obstore's last lines."""

CERTIFICATE_FAULT = re.compile(r"\b[A-Z][A-Za-z]+\b")
"""The name of what is wrong with a certificate, such as UnknownIssuer."""


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

        with _reading(self.location, self.scheme):
            found = obstore.get(_store(self.scheme, self.bucket, self.settings), self.key)
            pieces, sha256 = keep_download(self, map(bytes, found.stream()))
            return Opened.single(Content(self.name, _fingerprint(found.meta), sha256, pieces))

    def fingerprint(self) -> str:
        """Return the fingerprint of the present object, without its content.

        Raises:
            SourceError: the object cannot be read.
        """
        import obstore  # noqa: PLC0415 - heavy, and optional

        with _reading(self.location, self.scheme):
            store = _store(self.scheme, self.bucket, self.settings)
            return _fingerprint(obstore.head(store, self.key))


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
        with _reading(self.location, self.scheme):
            store = _store(self.scheme, self.bucket, self.settings)
            for page in obstore.list(store, self.key or None):
                for found in page:
                    within = str(PurePosixPath(found["path"]).relative_to(folder))
                    yield (
                        within,
                        StoredObject(
                            self.scheme,
                            self.bucket,
                            found["path"],
                            self.prefix + within,
                            self.settings,
                        ),
                    )


def _split(location: str) -> tuple[str, str, str]:
    """Split a URL into scheme, bucket and key; urlsplit would cut a key at # and ?."""
    scheme, _, rest = location.partition("://")
    bucket, _, key = rest.partition("/")
    return scheme.lower(), bucket, key.lstrip("/")


def _store(scheme: str, bucket: str, settings: Mapping[str, str]) -> ObjectStore:
    from obstore import store  # noqa: PLC0415 - heavy, and optional

    options: dict[str, Any] = {"retry_config": {"max_retries": 3}}
    config: Any
    match scheme:
        case "gs":
            config = {GOOGLE[name]: settings[name] for name in GOOGLE if name in settings}
            options["client_options"] = _client_options(settings.get("GOOGLE_BASE_URL"))
            return store.GCSStore(bucket, config=config, **options)
        case "az":
            config = {AZURE[name]: settings[name] for name in AZURE if name in settings}
            options["client_options"] = _client_options(settings.get("AZURE_STORAGE_ENDPOINT"))
            return store.AzureStore(bucket, config=config, **options)
    own = {name[4:].lower(): value for name, value in settings.items() if name.startswith("AWS_")}
    endpoint = own.pop("endpoint_url", None)
    config = {"region": "us-east-1", **own, **({"endpoint": endpoint} if endpoint else {})}
    return store.S3Store(bucket, config=config, client_options=_client_options(endpoint), **options)


def _client_options(endpoint: str | None) -> Any:
    # A store inside the stack is reached over plain HTTP when its address says so.
    return {"allow_http": (endpoint or "").startswith("http://"), "timeout": "30s"}


def _fingerprint(meta: Any) -> str:
    version = f"version:{meta['version']} " if meta.get("version") else ""
    return f"{version}etag:{meta['e_tag']} size:{meta['size']}"


@contextmanager
def _reading(location: str, scheme: str) -> Iterator[None]:
    from obstore.exceptions import BaseError  # noqa: PLC0415 - heavy, and optional

    try:
        yield
    except (BaseError, OSError) as error:  # a missing object is Python's own FileNotFoundError
        raise SourceError(f"{location} cannot be read: {_explain(error, scheme)}") from None


def _explain(error: BaseException, scheme: str) -> str:
    """Return the reason and the remedy for an exception of obstore."""
    text = str(error)
    if cause := _explain_connection(text):
        return cause
    if "NoSuchBucket" in text or "ContainerNotFound" in text:
        return "there is no such bucket; check the address"
    if isinstance(error, FileNotFoundError) or type(error).__name__ == "NotFoundError":
        return "there is no such object; check the address"
    refused = {"PermissionDeniedError", "UnauthenticatedError"}
    if type(error).__name__ in refused or FORBIDDEN.search(text):
        return f"the store refused the credentials; check {CREDENTIALS[scheme]}"
    return quote(text, REASON_CHARACTERS) or type(error).__name__


def _explain_connection(text: str) -> str:
    """Return why a store was not reached; "" where it was. obstore has it in its last lines only."""
    summary, _, details = text.partition("Debug source:")
    if "error sending request" not in summary and "Connect" not in details:
        return ""
    found = REQUEST_URL.search(summary)
    from compose_seeder.proxy import describe_proxy  # noqa: PLC0415 - for the fast path

    way = describe_proxy(found[1]) if found else ""
    address = SafeUrl(found[1]) if found else "the store"
    if "InvalidCertificate" in details:
        names = CERTIFICATE_FAULT.findall(details.partition("InvalidCertificate")[2])
        faults = ", ".join(name for name in names if not name.startswith("Other"))
        return (
            f"{address} has a certificate that is not trusted ({faults or 'unknown reason'});"
            f" SSL_CERT_FILE can name a file with the certificate of your own CA{way}"
        )
    parts = (kind or cause for kind, cause in REASON.findall(details))
    causes = ", ".join(dict.fromkeys(parts))
    return f"no connection to {address}: {quote(causes, REASON_CHARACTERS)}{way}" if causes else ""
