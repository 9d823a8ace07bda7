"""Objects: the translation of obstore's exceptions. `tests/compose_init/test_object_store.py` has a real store."""

from __future__ import annotations

import socket

import obstore
import pytest
from obstore import exceptions

from compose_seeder.errors import SourceError, SurroundingsError
from compose_seeder.sources import Sources, object_store
from tests.support.dripping import dripping
from tests.support.errors import subclasses
from tests.support.http_answers import answering

OBSTORE_ERRORS = sorted(
    (error for error in vars(exceptions).values() if isinstance(error, type)),
    key=lambda error: error.__name__,
)


def test_every_exception_of_obstore_is_known() -> None:
    """All of them are in one tree."""
    assert {*OBSTORE_ERRORS} == {exceptions.BaseError, *subclasses(exceptions.BaseError)}


@pytest.mark.parametrize("kind", [*OBSTORE_ERRORS, FileNotFoundError, PermissionError])
@pytest.mark.parametrize("location", ["s3://bucket/a.json", "gs://bucket/a.json"])
def test_the_exceptions_of_obstore_are_translated(
    kind: type[Exception], location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the address; refused credentials with the variables to check."""

    def fail(*_: object) -> None:
        raise kind("no")

    monkeypatch.setattr(obstore, "head", fail)
    source = Sources({"GOOGLE_SERVICE_ACCOUNT_KEY": GOOGLE_KEY}).file(location)
    reason = "no"
    if kind in {FileNotFoundError, exceptions.NotFoundError}:
        reason = "there is no such object"
    if kind in {exceptions.PermissionDeniedError, exceptions.UnauthenticatedError}:
        reason = "the store refused the credentials; check (AWS_ACCESS|GOOGLE_SERVICE)"
    with pytest.raises(SourceError, match=f"^{location} cannot be read: {reason}"):
        source.fingerprint()


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("http://who:hunter2@127.0.0.1:9", r"to http://127\.0\.0\.1:9/.*: .*Connection refused"),
        ("http://nowhere.invalid", r"to http://nowhere\.invalid/.*failed to lookup address"),
    ],
)
def test_the_cause_of_a_failed_connection(endpoint: str, said: str) -> None:
    """Of obstore's last lines, and without a password in the endpoint."""
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    with pytest.raises(SourceError, match=f"cannot be read: no connection {said}") as raised:
        Sources(settings).file("s3://bucket/a.json").open()
    assert "hunter2" not in str(raised.value)


def test_a_certificate_that_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fault and the remedy; obstore has the fault in its last lines."""
    text = (
        "Generic S3 error: Error performing GET https://store:40312/b/a in 1.403ms - HTTP error: error sending"
        " request\n\nDebug source:\nHttpError { kind: Connect, source: Custom { error:"
        " InvalidCertificate(\n Other(\n OtherError(\n CaUsedAsEndEntity,\n ),\n ),\n ) } }"
    )

    def fail(*_: object) -> None:
        raise exceptions.GenericError(text)

    monkeypatch.setattr(obstore, "head", fail)
    with pytest.raises(SourceError, match=r"not trusted \(CaUsedAsEndEntity\); SSL_CERT_FILE"):
        Sources({}).file("s3://bucket/a.json").fingerprint()


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("Server returned non-2xx status code: 403 Forbidden: no", True),
        ("Error performing PUT http://store:4030/b in 403ms - status code: 400 Bad Request", False),
    ],
)
def test_a_403_is_a_status(monkeypatch: pytest.MonkeyPatch, text: str, is_refused: bool) -> None:
    """And not a part of a port or of a duration."""

    def fail(*_: object) -> None:
        raise exceptions.GenericError(text)

    monkeypatch.setattr(obstore, "head", fail)
    with pytest.raises(SourceError) as raised:
        Sources({}).file("s3://bucket/a.json").fingerprint()
    assert ("refused the credentials" in str(raised.value)) is is_refused


KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.mark.parametrize(
    ("variable", "location"),
    [
        ("AWS_ENDPOINT_URL", "s3://bucket/a.json"),
        ("GOOGLE_BASE_URL", "gs://bucket/a.json"),
        ("AZURE_STORAGE_ENDPOINT", "az://bucket/a.json"),
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1:9", "minio:9000", "http://", "http://a b", "x://y"])
def test_an_address_that_is_none(variable: str, location: str, address: str) -> None:
    """The variable is named; obstore panics on such an address."""
    source = Sources({**KEYS, variable: address}).file(location)
    with pytest.raises(SurroundingsError, match=f"^{variable} must look like http://"):
        source.fingerprint()


@pytest.mark.parametrize("settings", [KEYS, {}], ids=["with-credentials", "without"])
def test_a_store_that_never_answers(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    """It is given up within seconds, and so is a metadata service that shall give credentials."""
    monkeypatch.setattr(object_store, "ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", address)
        source = Sources({**settings, "AWS_ENDPOINT_URL": address}).file("s3://bucket/a.json")
        with pytest.raises(SourceError, match=r"cannot be read: no answer within 0\.5 s") as raised:
            source.open()
    assert ("no credentials are set" in str(raised.value)) == (not settings)


def test_a_download_that_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up, as an answer that does not come is."""
    monkeypatch.setattr(object_store, "ANSWER_SECONDS", 1.0)
    head = (
        b'HTTP/1.1 200 OK\r\nETag: "1"\r\nLast-Modified: Tue, 24 Nov 2026 02:15:00 GMT\r\n'
        b"Content-Length: 100000\r\n\r\n "
    )
    with dripping(head, 0.001) as address:
        source = Sources({**KEYS, "AWS_ENDPOINT_URL": address}).file("s3://bucket/a.json")
        with pytest.raises(SourceError, match="cannot be read: no answer within 1 s"):
            source.open()


@pytest.mark.parametrize("no_proxy", ["", "elsewhere,::1/128"])
def test_a_store_on_loopback_is_asked_directly(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    """Whatever proxy the environment names."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", no_proxy)
    with answering(lambda _: (404, {})) as server:
        settings = {**KEYS, "AWS_ENDPOINT_URL": server.base}
        with pytest.raises(SourceError, match="there is no such object"):
            Sources(settings).file("s3://bucket/a.json").open()
    assert server.paths == ["/bucket/a.json"]


GOOGLE_KEY = '{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}'
