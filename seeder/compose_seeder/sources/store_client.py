"""The client of an object store, as the settings and the environment describe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from compose_seeder.errors import SurroundingsError
from compose_seeder.safe_url import SafeUrl

if TYPE_CHECKING:
    from obstore.store import ObjectStore

ENDPOINTS = {
    "s3": "AWS_ENDPOINT_URL",
    "gs": "GOOGLE_BASE_URL",
    "az": "AZURE_STORAGE_ENDPOINT",
}

METADATA_HOSTS = "169.254.169.254,169.254.170.2,metadata.google.internal"

NO_PROXY_AT_ALL = "http://proxy.invalid"
"""Keeps the store's client from those of the environment; every host that is asked is excluded from it."""

GOOGLE = {"GOOGLE_SERVICE_ACCOUNT_KEY": "service_account_key", "GOOGLE_BASE_URL": "base_url"}

AZURE = {
    "AZURE_STORAGE_ACCOUNT_NAME": "account_name",
    "AZURE_STORAGE_ACCOUNT_KEY": "account_key",
    "AZURE_STORAGE_SAS_TOKEN": "sas_key",
    "AZURE_STORAGE_ENDPOINT": "endpoint",
}


def open_store(scheme: str, bucket: str, settings: Mapping[str, str]) -> ObjectStore:
    """Return obstore's client of a bucket.

    Raises:
        SurroundingsError: the address of the store, or of a proxy, is wrong.
    """
    from obstore import store  # noqa: PLC0415 - heavy, and optional

    options: dict[str, Any] = {
        "retry_config": {"max_retries": 3},
        "client_options": _client_options(ENDPOINTS[scheme], settings),
    }
    config: Any
    match scheme:
        case "gs":
            config = {GOOGLE[name]: settings[name] for name in GOOGLE if name in settings}
            return store.GCSStore(bucket, config=config, **options)
        case "az":
            config = {AZURE[name]: settings[name] for name in AZURE if name in settings}
            return store.AzureStore(bucket, config=config, **options)
    own = {name[4:].lower(): value for name, value in settings.items() if name.startswith("AWS_")}
    endpoint = own.pop("endpoint_url", None)
    config = {"region": "us-east-1", **own, **({"endpoint": endpoint} if endpoint else {})}
    return store.S3Store(bucket, config=config, **options)


def _client_options(variable: str, settings: Mapping[str, str]) -> Any:
    """Return the options of the store's HTTP client.

    Raises:
        SurroundingsError: the address of the store, or of a proxy, is wrong.
    """
    endpoint = settings.get(variable, "")
    # A store inside the stack is reached over plain HTTP when its address says so.
    options = {"allow_http": endpoint.startswith("http://"), "timeout": "30s"}
    if not endpoint:
        return options
    host = _host_of(variable, endpoint)
    from compose_seeder.proxy import find_proxy  # noqa: PLC0415 - for the fast path

    # The store's client reads the variables too, but not as every other client of this program does.
    proxy = find_proxy(endpoint)
    direct = {"proxy_url": NO_PROXY_AT_ALL, "proxy_excludes": f"{host},{METADATA_HOSTS}"}
    return options | (direct if proxy is None else {"proxy_url": proxy.url.full})


def _host_of(variable: str, endpoint: str) -> str:
    """Return the host of a store's own address.

    Raises:
        SurroundingsError: it is none.
    """
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname or ""
        valid = parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:  # of the port, too
        valid = False
    if not (valid and host and endpoint.isprintable() and " " not in endpoint):
        raise SurroundingsError(
            f"{variable} must look like http://minio:9000, with http:// or https://; found {SafeUrl(endpoint)}"
        )
    return host
