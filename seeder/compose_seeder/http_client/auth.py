"""Tokens that do not last: read again from a file, or fetched by OAuth2 client credentials (RFC 6749, 4.4).

    request ─▶ the token ─▶ 401? ─▶ another token ─▶ the request once more

A request that is refused with 401 was not acted on, so that any can be sent again.
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
from compose_seeder.http_client.header import fits_header
from compose_seeder.http_client.redact import ANSWER, masked, of_headers
from compose_seeder.sources.variables import VariableFileError, read_value_file

EARLY = 30.0
"""Seconds before its end at which a token is renewed, or a tenth of its time where that is less."""

REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class BearerToken(httpx.Auth):
    """A bearer token, which may lie in a file that somebody replaces; threads share it.

    Args:
        token: as it was when the settings were read.
        path: of the file; a content that no header may hold, or none, is not taken.
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
class Client:
    """Who asks for a token, and where.

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

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._lock = Lock()
        self._token: _Token | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send it with a token that is valid; once more with a new one where that is refused.

        Raises:
            CredentialsError: the token server refuses the client, or answers with no token.
            httpx.ConnectError: it cannot be reached, or fails: the request itself was not sent.
        """
        token = self._valid(None)
        request.headers["Authorization"] = f"Bearer {token.value}"
        answer = yield request
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            token = self._valid(token)
            request.headers["Authorization"] = f"Bearer {token.value}"
            yield request

    def _valid(self, refused: _Token | None) -> _Token:
        """A token that has not ended and was not refused; fetched by one thread for all."""
        with self._lock:
            token = self._token
            if token is None or token is refused or self._clock() >= token.until:
                token = self._token = self._fetch()
            return token

    def _fetch(self) -> _Token:
        asked = self._clock()
        try:
            # A client of its own: the API's headers are not for the token server.
            with httpx.Client(timeout=30) as http:
                answer = self._ask(http)
        except httpx.RequestError as error:
            raise httpx.ConnectError(
                f"no token from {self._client.token_url}: {error or type(error).__name__}"
            ) from None
        if answer.status_code in REFUSED:
            raise CredentialsError(
                f"{self._said(answer)}; check API_OAUTH_CLIENT_ID, API_OAUTH_CLIENT_SECRET and"
                " API_OAUTH_SCOPE"
            )
        if answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise httpx.ConnectError(f"no token: {self._said(answer)}")
        return self._token_in(answer, asked)

    def _ask(self, http: httpx.Client) -> httpx.Response:
        """With HTTP Basic, which every server must know; in the body where that is refused."""
        form = {"grant_type": "client_credentials", **self._client.parameters}
        # Both are form-encoded before they are put together (RFC 6749, 2.3.1).
        basic = httpx.BasicAuth(quote_plus(self._client.id), quote_plus(self._client.secret))
        accept = {"Accept": "application/json"}
        answer = http.post(self._client.token_url, data=form, headers=accept, auth=basic)
        if answer.status_code not in REFUSED:
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
            said = "no access_token" if answer.is_success else self._said(answer)
            raise CredentialsError(
                f"{self._client.token_url} answered with {said}; is API_OAUTH_TOKEN_URL right?"
            )
        kind = document.get("token_type", "Bearer")
        if str(kind).lower() != "bearer":
            raise CredentialsError(
                f"{self._client.token_url} answered with a token of type {quote(kind)}; only Bearer is known"
            )
        return _Token(document["access_token"], asked + _lasts(document.get("expires_in")))

    def _said(self, answer: httpx.Response) -> str:
        secrets = {self._client.secret, *of_headers(answer.request)}
        words = quote(masked(answer.text, secrets), ANSWER)
        return f"{self._client.token_url} answered {answer.status_code}: {words}"


def _lasts(expires_in: object) -> float:
    """Seconds for which a token is used; without end where nobody says: until it is refused."""
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return float("inf")
    return max(0.0, seconds - min(EARLY, seconds / 10))
