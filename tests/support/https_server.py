"""A real server behind https:// on loopback, with a certificate of its own."""

from __future__ import annotations

import http.server
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.http_server import in_a_thread

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""A key and a self-signed certificate for 127.0.0.1, good for nothing else (until the year 2126)."""


@dataclass
class Web:
    """What the server answers by path, and what it was asked.

    Attributes:
        answers: status, headers and body.
        asked: method, path and the bearer token, of each request.
    """

    address: str
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    no_head: bool = False


@contextmanager
def serving() -> Iterator[Web]:
    """Serve until the block ends."""
    web = Web("")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(web))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    web.address = f"https://127.0.0.1:{server.server_port}"
    with in_a_thread(server):
        yield web


def _handler(web: Web) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append((self.command, self.path, self.headers["Authorization"]))
            status, headers, body = web.answers.get(self.path, (404, {}, b"none"))
            if self.command == "HEAD" and web.no_head:
                status, headers, body = 405, {}, b""
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - http.server's own name

        def log_message(self, *_: object) -> None:
            pass

    return Handler
