"""Sources behind https://.

An ETag is the fingerprint, so that an unchanged source is not downloaded again. Where a server gives
no ETag, or a weak one (RFC 9110, 8.8.1), the fingerprint is the SHA-256 of the content.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compose_seeder.errors import SourceError
from compose_seeder.header import VALUE_FAULTS, fits_header
from compose_seeder.safe_url import SafeUrl
from compose_seeder.sources.content import Content, Opened, hash_pieces, keep_download

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 5

TIMEOUT_SECONDS = 30.0

OK = 200
"""The only status whose body is the whole source."""

HINTS = {
    401: "; SEED_HTTPS_TOKEN is sent as a bearer token",
    403: "; SEED_HTTPS_TOKEN is sent as a bearer token",
    404: "; check the address",
}


@dataclass(frozen=True)
class WebFile:
    """A file on a web server.

    Attributes:
        url: an https:// address.
        name: the name for messages and for decoding.
        token: sent as a bearer token to this host, and to no other; no token where it is empty.
    """

    url: SafeUrl
    name: str = ""
    token: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        """Return the address without login and query."""
        return str(self.url)

    @property
    def location(self) -> str:
        """The address in full."""
        return self.url.full

    def open(self) -> Opened:
        """Download the file.

        Raises:
            SourceError: the file cannot be read.
        """
        with self._response("GET") as response:
            pieces, sha256 = keep_download(self, response.iter_raw())
            fingerprint = _strong_etag(response) or f"sha256:{sha256}"
            return Opened.single(Content(self.name, fingerprint, sha256, pieces))

    def fingerprint(self) -> str:
        """Return the fingerprint of the present content; download it only where there is no ETag.

        Raises:
            SourceError: the file cannot be read.
        """
        try:
            with self._response("HEAD") as response:
                etag = _strong_etag(response)
        except SourceError:
            etag = ""  # some servers refuse HEAD; any other fault is found by GET as well
        if etag:
            return etag
        with self._response("GET") as response:
            return _strong_etag(response) or f"sha256:{hash_pieces(response.iter_raw())}"

    @contextmanager
    def _response(self, method: str) -> Iterator[httpx.Response]:
        import httpx  # noqa: PLC0415 - for the fast path

        from compose_seeder.http_transport import Transport  # noqa: PLC0415 - for the fast path

        headers = self._headers()
        try:
            with httpx.Client(timeout=TIMEOUT_SECONDS, transport=Transport()) as client:
                request = client.build_request(method, self.url.full, headers=headers)
                response = self._follow_redirects(client, request)
                try:
                    yield response
                finally:
                    response.close()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            # OSError: of the temporary file; UnicodeError: a redirect to an impossible host name.
            reason = str(error) or type(error).__name__
            from compose_seeder.proxy import describe_route  # noqa: PLC0415 - for the fast path

            way = describe_route(self.url.full)
            raise SourceError(f"{self} cannot be read: {reason}{way}") from None

    def _headers(self) -> dict[str, str]:
        # An encoding on the way would give other bytes, and another ETag.
        headers = {"Accept-Encoding": "identity"}
        if self.token:
            if not fits_header(self.token):
                raise SourceError(
                    f"SEED_HTTPS_TOKEN holds characters that no header can have: {VALUE_FAULTS};"
                    " correct the token"
                )
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def _follow_redirects(self, client: httpx.Client, request: httpx.Request) -> httpx.Response:
        for _ in range(MAX_REDIRECTS + 1):
            response = client.send(request, stream=True)
            if response.next_request is None:
                self._check_status(response)
                return response
            response.close()
            request = response.next_request
            if request.url.scheme != "https":
                raise SourceError(
                    f"{self} redirects to {SafeUrl(str(request.url))}; a redirect may not leave https"
                )
        raise SourceError(
            f"{self} cannot be read: too many redirects (more than {MAX_REDIRECTS}); name the last address"
        )

    def _check_status(self, response: httpx.Response) -> None:
        if response.status_code != OK:
            response.close()
            hint = HINTS.get(response.status_code, "")
            raise SourceError(
                f"{self} cannot be read: the server answered {response.status_code}{hint}"
            )


def _strong_etag(response: httpx.Response) -> str:
    tag = response.headers.get("ETag", "")
    return f"etag:{tag}" if tag.startswith('"') else ""
