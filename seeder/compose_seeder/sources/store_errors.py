"""The errors of object stores, in words.

obstore's exceptions ─▶ SourceError, by `_explain`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from compose_seeder.errors import SourceError, quote
from compose_seeder.safe_url import SafeUrl

CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_SERVICE_ACCOUNT_KEY",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}

OWN_CREDENTIALS = {
    "s3": {"AWS_ACCESS_KEY_ID"},
    "gs": {"GOOGLE_SERVICE_ACCOUNT_KEY"},
    "az": {"AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"},
}
"""Without one of them, the machine's metadata service is asked."""

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


@contextmanager
def reading(location: str, scheme: str, settings: Mapping[str, str]) -> Iterator[None]:
    """Translate the errors of reading a place in a store.

    Raises:
        SourceError: with the reason and the remedy.
    """
    from obstore.exceptions import BaseError  # noqa: PLC0415 - heavy, and optional

    try:
        yield
    except (BaseError, OSError) as error:  # a missing object is Python's own FileNotFoundError
        reason = _explain(error, scheme)
        if not settings.keys() & OWN_CREDENTIALS[scheme] and CREDENTIALS[scheme] not in reason:
            reason += f"; no credentials are set, which would be {CREDENTIALS[scheme]}"
        raise SourceError(f"{location} cannot be read: {reason}") from None


def _explain(error: BaseException, scheme: str) -> str:
    """Return the reason and the remedy for an exception of obstore."""
    text = str(error)
    if isinstance(error, TimeoutError):
        return text
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
    from compose_seeder.proxy import describe_route  # noqa: PLC0415 - for the fast path

    way = describe_route(found[1]) if found else ""
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
