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


GOOGLE_KEY = '{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}'
