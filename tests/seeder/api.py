"""A small API over HTTP, with the habits that real ones have; each can be switched on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

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
        paged: how the list comes in pages of two: link, next, cursor, offset or deaf (always the first).
        busy: how many requests are still answered with 429.
        once: the idempotency keys of creations that were taken.
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
        self.paged = ""
        self.busy = 0
        self.once: dict[str, Record] = {}
        self.lost = 0
        """How many answers to creations with an idempotency key are lost on their way."""
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

    def answer(  # noqa: PLR0911 - a habit a line
        self, method: str, path: str, body: Any, once: str | None = None
    ) -> tuple[int, Any]:
        """Status and document."""
        with self._lock:
            self.requests.append(f"{method} {path}")
            if self.busy:
                self.busy -= 1
                return 429, {"detail": "slowly"}
            if once in self.once:
                return 201, self.once[once]
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
        if path.partition("?")[0] == "/things" and self.paged:
            return 200, self._page(dict(parse_qsl(urlsplit(path).query)))
        if path == "/things":
            shown = [
                {name: value for name, value in row.items() if name not in self.hidden}
                for row in self.rows.values()
            ]
            return 200, shown if self.wrapped is None else {"items": shown, **self.wrapped}
        number = int(path.rpartition("/")[2])
        return (200, self.rows[number]) if number in self.rows else (404, {"detail": "gone"})

    def _page(self, query: dict[str, str]) -> Any:
        start = 0 if self.paged == "deaf" else int(query.get("start", 0))
        rows = list(self.rows.values())
        page, more = rows[start : start + 2], start + 2 < len(rows)
        following = f"/things?start={start + 2}"
        self.headers = (
            {"Link": f'<{following}>; rel="next"'} if more and self.paged == "link" else {}
        )
        if self.paged in {"link", "offset", "deaf"}:
            return page
        return {
            "items": page,
            "next": (start + 2 if self.paged == "cursor" else following) if more else None,
        }

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
            once = self.headers.get("Idempotency-Key")
            status, document = api.answer(self.command, self.path, body, once)
            if once and status == 201:
                api.once[once] = document
                if api.lost:
                    api.lost -= 1
                    self.close_connection = True
                    return
            if status == 429:
                api.headers = {"Retry-After": "0"}
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
