"""A small API over HTTP, with the habits that real ones have; each can be switched on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

Record = dict[str, Any]


class Api:
    """Keeps records under /things; no unique key, no bulk call.

    Attributes:
        rows: by id.
        requests: all that came, as `METHOD path`.
        bodies: of the writing ones.
        refuse: slugs that get 422.
        fail_after: writes after which it answers 500; None never.
        hidden: fields that the list does not show.
        habit: applied to what a client writes, before it is kept.
    """

    def __init__(self) -> None:
        self.rows: dict[int, Record] = {}
        self.requests: list[str] = []
        self.bodies: list[Record] = []
        self.refuse: set[str] = set()
        self.fail_after: int | None = None
        self.status = 0
        self.hidden: set[str] = set()
        self.habit: Any = lambda record: record
        self.wrapped: Record | None = None
        self.headers: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def writes(self) -> list[str]:
        """The requests that write."""
        return [request for request in self.requests if not request.startswith("GET")]

    def add(self, **record: Any) -> int:
        """A record that somebody else wrote."""
        number = max(self.rows, default=0) + 1
        self.rows[number] = {"id": number, **record}
        return number

    def find(self, slug: str) -> Record:
        """The record with a slug."""
        return next(row for row in self.rows.values() if row["slug"] == slug)

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and document."""
        with self._lock:
            self.requests.append(f"{method} {path}")
            if self.status:
                return self.status, {"detail": "as you wish"}
            if method == "GET":
                return self._read(path)
            if self.fail_after is not None and len(self.writes) > self.fail_after:
                return 500, {"detail": "out of order"}
            if method == "DELETE":
                row = self.rows.pop(int(path.rpartition("/")[2]), None)
                return (200, row) if row else (404, {"detail": "gone"})
            self.bodies.append(body)
            if body["slug" if "slug" in body else "name"] in self.refuse:
                return 422, {"detail": "this one not: " + "x" * 5000}
            return self._write(method, path, body)

    def _read(self, path: str) -> tuple[int, Any]:
        if path == "/things":
            shown = [
                {name: value for name, value in row.items() if name not in self.hidden}
                for row in self.rows.values()
            ]
            return 200, shown if self.wrapped is None else {"items": shown, **self.wrapped}
        number = int(path.rpartition("/")[2])
        return (200, self.rows[number]) if number in self.rows else (404, {"detail": "gone"})

    def _write(self, method: str, path: str, body: Record) -> tuple[int, Any]:
        if method == "POST":
            number = self.add(**self.habit(body))
            return 201, self.rows[number]
        number = int(path.rpartition("/")[2])
        before = self.rows[number] if method == "PATCH" else {"id": number}
        self.rows[number] = {**before, **self.habit(body)}
        return 200, self.rows[number]


@contextmanager
def serving(api: Api) -> Iterator[httpx.Client]:
    """A client of the API, which answers on loopback meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, document = api.answer(self.command, self.path, body)
            data = json.dumps(document).encode()
            self.send_response(status)
            for name, value in api.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{server.server_address[1]}") as client:
                yield client
        finally:
            server.shutdown()
            thread.join()
