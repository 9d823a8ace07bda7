"""A proxy before a registry that fails as registries do: refuses, is silent, stalls in a layer, sends other bytes."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from tests.support.http_server import in_a_thread

Fault = Literal["none", "refuse", "close", "silent", "stall", "lie"]
FAULTS: tuple[Fault, ...] = ("refuse", "close", "silent", "stall", "lie")
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class FaultyRegistry:
    """The address that a server pulls from, and what goes wrong there."""

    port: int
    fault: Fault = "none"
    requests: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the fault ends: whoever waits in a stalled answer is let go."""

    @property
    def name(self) -> str:
        """Return the registry's part of an image's name."""
        return f"127.0.0.1:{self.port}"

    def fail(self, fault: Fault) -> None:
        """Let requests fail in this way from now on; `none` ends it."""
        self.over.set()
        self.over = threading.Event()
        self.fault = fault


class _Listening(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.registry = FaultyRegistry(self.server_port)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listening

    def do_GET(self) -> None:
        registry = self.server.registry
        registry.requests += 1
        fault, over = registry.fault, registry.over
        self.close_connection = fault != "none"
        if fault == "silent":
            over.wait()
        elif fault == "refuse":
            self.send_error(503)
        elif fault != "close":
            self._forward(fault, over)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _forward(self, fault: Fault, over: threading.Event) -> None:
        behind = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        try:
            behind.request(self.command, self.path, headers=dict(self.headers))
            answer = behind.getresponse()
            body = answer.read()
        finally:
            behind.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length", str(len(body))))
        self.end_headers()
        if fault == "lie" and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        if fault == "stall" and "/blobs/" in self.path:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            over.wait()
        else:
            self.wfile.write(body)

    def handle_one_request(self) -> None:
        with suppress(ConnectionError):
            super().handle_one_request()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def faulty_registry(behind: int) -> Iterator[FaultyRegistry]:
    """Yield a proxy before the registry at this port of the loopback."""
    listening = _Listening(behind)
    with in_a_thread(listening):
        try:
            yield listening.registry
        finally:
            listening.registry.fail("none")
