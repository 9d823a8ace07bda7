"""A real HTTP server that answers as a test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.http_server import in_a_thread


@dataclass
class Answering:
    """What came."""

    base: str
    paths: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        """An address of it."""
        return f"{self.base}/hook"


@contextmanager
def answering(answer: Callable[[str], tuple[int, object]], port: int = 0) -> Iterator[Answering]:
    """Serve until the block ends, on any port or on this one; `answer` makes status and JSON of a path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers["Content-Length"] or 0)
            found.paths.append(self.path)
            found.bodies.append(json.loads(self.rfile.read(length)) if length else None)
            status, document = answer(self.path)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    found = Answering(f"http://127.0.0.1:{listening.server_port}")
    with in_a_thread(listening):
        yield found
