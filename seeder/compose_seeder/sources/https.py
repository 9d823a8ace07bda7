"""Sources behind https://.

An ETag is the fingerprint, so that what is unchanged is not downloaded again. Where a server gives
none, or a weak one (RFC 9110, 8.8.1), the content itself is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from compose_seeder.errors import SourceError
from compose_seeder.sources.content import Content, digest, spooled

if TYPE_CHECKING:
    import httpx

REDIRECTS = 5
"""How many are followed."""

SECONDS = 30.0


def read(location: str, name: str, token: str) -> Content:
    """What is there, downloaded.

    Args:
        location: an https:// address.
        name: what messages call it.
        token: sent as a bearer token to this host, and to no other; none where it is empty.

    Raises:
        SourceError: it cannot be read.
    """
    with _answer("GET", location, token) as answer:
        pieces, sha256 = spooled(bare(location), answer.iter_raw())
        return Content(name, _strong(answer) or f"sha256:{sha256}", sha256, pieces)


def fingerprint(location: str, token: str) -> str:
    """The fingerprint of what is there now; downloads it only where the server gives no ETag.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with _answer("HEAD", location, token) as answer:
            found = _strong(answer)
    except SourceError:
        found = ""  # some servers know GET alone; whatever else is wrong, that says as well
    if found:
        return found
    with _answer("GET", location, token) as answer:
        return _strong(answer) or f"sha256:{digest(answer.iter_raw())}"


def bare(location: str) -> str:
    """An address without login and query: either may hold a secret."""
    parts = urlsplit(location)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def _strong(answer: httpx.Response) -> str:
    tag = answer.headers.get("ETag", "")
    return f"etag:{tag}" if tag.startswith('"') else ""


@contextmanager
def _answer(method: str, location: str, token: str) -> Iterator[httpx.Response]:
    import httpx

    # As they are: an encoding on the way would give other bytes, and another ETag.
    headers = {"Accept-Encoding": "identity"}
    if token:
        if not (token.isascii() and token.isprintable()):
            raise SourceError(
                "SEED_HTTPS_TOKEN holds what no header may: line ends, or characters beyond ASCII"
            )
        headers["Authorization"] = f"Bearer {token}"
    try:
        with httpx.Client(timeout=SECONDS) as client:
            request = client.build_request(method, location, headers=headers)
            answer = _follow(client, request, location)
            try:
                yield answer
            finally:
                answer.close()
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        # OSError: of SSL_CERT_FILE; UnicodeError: a redirect to a host that none can have.
        reason = str(error) or type(error).__name__
        raise SourceError(f"{bare(location)} cannot be read: {reason}") from None


def _follow(client: httpx.Client, request: httpx.Request, location: str) -> httpx.Response:
    for _ in range(REDIRECTS + 1):
        answer = client.send(request, stream=True)
        if answer.next_request is None:
            _check(answer, location)
            return answer
        answer.close()
        request = answer.next_request
        if request.url.scheme != "https":
            raise SourceError(
                f"{bare(location)} leads to {bare(str(request.url))}: a redirect may not leave https"
            )
    raise SourceError(f"{bare(location)} leads on and on: more than {REDIRECTS} redirects")


def _check(answer: httpx.Response, location: str) -> None:
    if answer.status_code == 200:  # noqa: PLR2004 - OK; nothing else brings the whole of it
        return
    answer.close()
    hint = {
        401: "; SEED_HTTPS_TOKEN is sent as a bearer token",
        403: "; SEED_HTTPS_TOKEN is sent as a bearer token",
        404: "; is the address right?",
    }.get(answer.status_code, "")
    raise SourceError(
        f"{bare(location)} cannot be read: the server answered {answer.status_code}{hint}"
    )
