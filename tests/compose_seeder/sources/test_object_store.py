"""Objects: the translation of obstore's exceptions. `tests/compose_init/test_object_store.py` has a real store."""

from __future__ import annotations

import obstore
import pytest
from obstore import exceptions

from compose_seeder.errors import SourceError
from compose_seeder.sources import Sources
from tests.support.errors import subclasses

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


GOOGLE_KEY = '{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}'
