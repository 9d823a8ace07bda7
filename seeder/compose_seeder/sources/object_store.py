"""Objects in a store: Amazon's S3 and what speaks like it, Google's, Azure's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from compose_seeder.errors import SourceError
from compose_seeder.sources.content import Content, spooled

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


def read(location: str, name: str, settings: Mapping[str, str]) -> Content:
    """An object, downloaded.

    Raises:
        SourceError: it cannot be read.
    """
    import obstore

    with _Failures(location):
        answer = obstore.get(_store(location, settings), _key(location))
        pieces, sha256 = spooled(location, map(bytes, answer.stream()))
        return Content(name, _fingerprint(answer.meta), sha256, pieces)


def fingerprint(location: str, settings: Mapping[str, str]) -> str:
    """The fingerprint of an object as it is now, without its content.

    Raises:
        SourceError: it cannot be read.
    """
    import obstore

    with _Failures(location):
        return _fingerprint(obstore.head(_store(location, settings), _key(location)))


def below(location: str, settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is below a folder: the path within it, and the location.

    Raises:
        SourceError: the store does not tell.
    """
    import obstore

    parts, folder = urlsplit(location), PurePosixPath(_key(location))
    with _Failures(location):
        for some in obstore.list(_store(location, settings), str(folder).strip(".") or None):
            for each in some:
                within = PurePosixPath(each["path"]).relative_to(folder)
                yield str(within), f"{parts.scheme}://{parts.netloc}/{each['path']}"


def _key(location: str) -> str:
    # Not by urlsplit: a key may hold # and ?.
    return location.partition("://")[2].partition("/")[2].lstrip("/")


def _store(location: str, settings: Mapping[str, str]) -> ObjectStore:
    from obstore import store

    parts = urlsplit(location)
    options: dict[str, Any] = {"retry_config": {"max_retries": 3}}
    config: Any
    match parts.scheme:
        case "gs":
            config = {GOOGLE[name]: settings[name] for name in GOOGLE if name in settings}
            options["client_options"] = _client(settings.get("GOOGLE_BASE_URL"))
            return store.GCSStore(parts.netloc, config=config, **options)
        case "az":
            config = {AZURE[name]: settings[name] for name in AZURE if name in settings}
            options["client_options"] = _client(settings.get("AZURE_STORAGE_ENDPOINT"))
            return store.AzureStore(parts.netloc, config=config, **options)
    own = {name[4:].lower(): value for name, value in settings.items() if name.startswith("AWS_")}
    endpoint = own.pop("endpoint_url", None)
    config = {"region": "us-east-1", **own, **({"endpoint": endpoint} if endpoint else {})}
    return store.S3Store(parts.netloc, config=config, client_options=_client(endpoint), **options)


def _client(endpoint: str | None) -> Any:
    # A store inside the stack is reached over plain HTTP when its address says so.
    return {"allow_http": (endpoint or "").startswith("http://"), "timeout": "30s"}


def _fingerprint(meta: Any) -> str:
    version = f"version:{meta['version']} " if meta.get("version") else ""
    return f"{version}etag:{meta['e_tag']} size:{meta['size']}"


class _Failures:
    """What the store says, as a `SourceError`."""

    def __init__(self, location: str) -> None:
        self._location = location

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from obstore.exceptions import BaseError

        # What is not there is a plain FileNotFoundError.
        if isinstance(error, BaseError | OSError):
            scheme = urlsplit(self._location).scheme
            raise SourceError(
                f"{self._location} cannot be read: {_reason(error, CREDENTIALS[scheme])}"
            ) from None


def _reason(error: BaseException, credentials: str) -> str:
    text = str(error)
    if "NoSuchBucket" in text or "ContainerNotFound" in text:
        return "there is no such bucket"
    if isinstance(error, FileNotFoundError):
        return "there is no such object"
    refused = {"PermissionDeniedError", "UnauthenticatedError"}
    if type(error).__name__ in refused or "403" in text:
        return f"the store refused the credentials; check {credentials}"
    return " ".join(text.split())[:300]
