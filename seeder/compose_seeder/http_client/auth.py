"""Tokens that expire: read again from a file, or fetched by OAuth2 client credentials (RFC 6749, 4.4).

    request ─▶ the token ─▶ 401? ─▶ another token ─▶ the request once more

An API does not act on a request that it refuses with 401, so that any request can be sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from urllib.parse import quote_plus

import httpx
from msgspec import DecodeError

from compose_seeder.errors import CredentialsError, quote
from compose_seeder.exact_json import decode
from compose_seeder.header import fits_header
from compose_seeder.http_client.redact import (
    ANSWER_CHARACTERS,
    describe_redirect,
    secrets_in_headers,
)
from compose_seeder.http_transport import Transport
from compose_seeder.masking import SecretMask
from compose_seeder.proxy import describe_route
from compose_seeder.safe_url import SafeUrl
from compose_seeder.sources.variables import VariableFileError, read_value_file

RENEWAL_SECONDS = 30.0
"""Seconds before its expiry at which a token is renewed, or a tenth of its lifetime where that is less."""

TIMEOUT_SECONDS = 30.0

REFUSED_STATUSES = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class BearerToken(httpx.Auth):
    """A bearer token, which may lie in a file that somebody replaces; threads share it.

    Args:
        token: as it was when the settings were read.
        path: of the file; empty content, or content that no header may hold, is ignored.
    """

    def __init__(self, token: str, path: Path | None = None) -> None:
        self._token = token
        self._path = path

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send it with the token; once more where the file holds another one by now."""
        sent = self._token
        request.headers["Authorization"] = f"Bearer {sent}"
        answer = yield request
        if answer.status_code == HTTPStatus.UNAUTHORIZED and (found := self._read()) != sent:
            self._token = found
            request.headers["Authorization"] = f"Bearer {found}"
            yield request

    def _read(self) -> str:
        if self._path is None:
            return self._token
        try:
            found = read_value_file(self._path)
        except VariableFileError:
            return self._token
        return found if found and fits_header(found) else self._token


@dataclass(frozen=True)
class OAuthClient:
    """The client of a token server.

    Attributes:
        parameters: beside `grant_type`: scope, audience.
    """

    token_url: str
    id: str
    secret: str = field(repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    until: float
    """When it is renewed, by the clock."""


class ClientCredentials(httpx.Auth):
    """A bearer token of OAuth2 client credentials, renewed before its end and after a 401.

    Args:
        client: who asks for it.
        clock: seconds, monotonic.
    """

    def __init__(self, client: OAuthClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._server = SafeUrl(client.token_url)
        self._clock = clock
        self._lock = Lock()
        self._token: _Token | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send it with a token that is valid; once more with a new one where that is refused.

        Raises:
            CredentialsError: the token server refuses the client, or answers with no token.
            httpx.ConnectError: the token server gives no token; the request itself was not sent.
        """
        token = self._valid(None)
        request.headers["Authorization"] = f"Bearer {token.value}"
        answer = yield request
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            token = self._valid(token)
            request.headers["Authorization"] = f"Bearer {token.value}"
            yield request

    def _valid(self, refused: _Token | None) -> _Token:
        """Return a token that has not expired and was not refused; one thread fetches it for all."""
        with self._lock:
            token = self._token
            if token is None or token is refused or self._clock() >= token.until:
                token = self._token = self._fetch()
            return token

    def _fetch(self) -> _Token:
        asked = self._clock()
        try:
            # A client of its own: the API's headers are not for the token server.
            with httpx.Client(timeout=TIMEOUT_SECONDS, transport=Transport()) as http:
                answer = self._ask(http)
        except httpx.RequestError as error:
            raise httpx.ConnectError(
                f"no token from {self._server}: {error or type(error).__name__}"
                f"{describe_route(self._client.token_url)}"
            ) from None
        if answer.status_code in REFUSED_STATUSES:
            raise CredentialsError(
                f"{self._describe_answer(answer)}; check API_OAUTH_CLIENT_ID, API_OAUTH_CLIENT_SECRET and"
                " API_OAUTH_SCOPE"
            )
        if answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise httpx.ConnectError(f"no token: {self._describe_answer(answer)}")
        return self._token_in(answer, asked)

    def _ask(self, http: httpx.Client) -> httpx.Response:
        """Ask with HTTP Basic, which every server must accept; in the body where that is refused."""
        form = {"grant_type": "client_credentials", **self._client.parameters}
        # Both are form-encoded before they are put together (RFC 6749, 2.3.1).
        basic = httpx.BasicAuth(quote_plus(self._client.id), quote_plus(self._client.secret))
        accept = {"Accept": "application/json"}
        answer = http.post(self._client.token_url, data=form, headers=accept, auth=basic)
        if answer.status_code not in REFUSED_STATUSES:
            return answer
        form |= {"client_id": self._client.id, "client_secret": self._client.secret}
        return http.post(self._client.token_url, data=form, headers=accept)

    def _token_in(self, answer: httpx.Response, asked: float) -> _Token:
        try:
            document = decode(answer.content) if answer.is_success else None
        except DecodeError:
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("access_token"), str):
            # Not quoted where it is a success: it may hold a token all the same.
            found = f"{self._server} answered with no access_token"
            if not answer.is_success:
                found = self._describe_answer(answer)
            if redirect := describe_redirect(answer):
                found += f" and {redirect}"
            raise CredentialsError(f"{found}; check API_OAUTH_TOKEN_URL")
        kind = document.get("token_type", "Bearer")
        if str(kind).lower() != "bearer":
            raise CredentialsError(
                f"{self._server} answered with a token of type {quote(kind)}; only Bearer is supported"
            )
        return _Token(document["access_token"], asked + _lifetime(document.get("expires_in")))

    def _describe_answer(self, answer: httpx.Response) -> str:
        mask = SecretMask({self._client.secret, *secrets_in_headers(answer.request)})
        words = quote(mask(answer.text), ANSWER_CHARACTERS)
        return f"{self._server} answered {answer.status_code}: {words}"


def _lifetime(expires_in: object) -> float:
    """Return the seconds for which a token is used; infinity where they are unknown: until it is refused."""
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return float("inf")
    return max(0.0, seconds - min(RENEWAL_SECONDS, seconds / 10))
