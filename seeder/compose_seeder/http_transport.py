"""How every HTTP request of this program travels: directly or through a proxy, with trust in certificates, bounded.

    Transport ─▶ the connections of one route ─▶ _BoundedStream

httpx has a timeout for each read alone, so an answer that comes a byte at a time would never end; and what it
makes of NO_PROXY and SSL_CERT_FILE ends in exceptions of its own.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from threading import Lock
from typing import Any

import httpcore
import httpx

from compose_seeder.errors import SurroundingsError
from compose_seeder.proxy import Proxy, find_proxy

ANSWER_SHARE = 0.5
"""Time for an answer from its first byte on, whatever its size: a share of the time for its first byte."""

MIN_ANSWER_SECONDS = 5.0
"""The least of it."""

BYTES_PER_SECOND = 1024
"""An answer that is this fast may take longer."""


class Transport(httpx.BaseTransport):
    """The transport of a client.

    Args:
        limits: of the connections of each route.
    """

    def __init__(self, limits: httpx.Limits = httpx.Limits()) -> None:  # noqa: B008 - a value
        self._limits = limits
        self._routes: dict[tuple[Proxy | None, bool], httpx.HTTPTransport] = {}
        self._lock = Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request on its route.

        Raises:
            SurroundingsError: a variable of the environment about proxies or certificates is wrong.
            httpx.TransportError: no answer, or an answer that does not come to its end.
        """
        proxy = find_proxy(str(request.url))
        encrypted = request.url.scheme == "https" or (
            proxy is not None and proxy.url.full.startswith("https:")
        )
        with self._lock:
            route = self._routes.get((proxy, encrypted))
            if route is None:
                route = _open_route(proxy, self._limits, encrypted=encrypted)
                self._routes[proxy, encrypted] = route
        try:
            return route.handle_request(request)
        except UnicodeError as error:  # of the host's name, by the encoding "idna"
            raise httpx.ConnectError(f"{request.url.host} is no name of a host: {error}") from None

    def close(self) -> None:
        """Close all connections."""
        for route in self._routes.values():
            route.close()


def _open_route(
    proxy: Proxy | None, limits: httpx.Limits, *, encrypted: bool
) -> httpx.HTTPTransport:
    # Reading all certificates takes longer than many a request.
    trusted: Any = _trusted_certificates() if encrypted else False
    through = None
    if proxy is not None:
        encrypted_hop = proxy.url.full.startswith("https:")
        through = httpx.Proxy(proxy.url.full, ssl_context=trusted if encrypted_hop else None)
    route = httpx.HTTPTransport(verify=trusted, trust_env=False, limits=limits, proxy=through)
    # httpx has no parameter for it.
    route._pool._network_backend = _BoundedBackend()  # noqa: SLF001 - see above
    return route


def _trusted_certificates() -> ssl.SSLContext:
    """Return the certificates that are trusted: those that the environment names, else those of certifi.

    Raises:
        SurroundingsError: the environment names certificates that cannot be read.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one as well
        reason = error.strerror or type(error).__name__
        raise SurroundingsError(
            f"SSL_CERT_FILE or SSL_CERT_DIR names certificates that cannot be read: {reason}"
        ) from None


class _BoundedBackend(httpcore.NetworkBackend):
    """Connects as httpcore does; the streams are bounded."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _BoundedStream(
            self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        )


class _BoundedStream(httpcore.NetworkStream):
    """A connection on which no answer comes too slowly."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._begin()

    def _begin(self) -> None:
        self._first: float | None = None
        self._received = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._first is None:
            data = self._stream.read(max_bytes, timeout)
            self._first = time.monotonic()
        else:
            data = self._read_more(max_bytes, timeout, time.monotonic() - self._first)
        self._received += len(data)
        return data

    def _read_more(self, max_bytes: int, timeout: float | None, passed: float) -> bytes:
        if timeout is None:
            return self._stream.read(max_bytes)
        whole = max(MIN_ANSWER_SECONDS, timeout * ANSWER_SHARE)
        left = whole + self._received / BYTES_PER_SECOND - passed
        try:
            if left > 0:
                return self._stream.read(max_bytes, min(timeout, left))
        except httpcore.ReadTimeout:
            if timeout < left:
                raise
        raise httpcore.ReadTimeout(
            f"the answer is too slow: {self._received} bytes in {passed:.0f} s, and no end"
        )

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._begin()  # a request, whose answer comes next
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
