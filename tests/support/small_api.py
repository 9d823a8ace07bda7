"""A small API over HTTP, with the habits that real ones have; each can be switched on."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

from tests.support.http_server import in_a_thread

Record = dict[str, Any]

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of plain HTTP: reading the certificates of all authorities takes longer than most tests."""


HANG_UP = (0, None)
"""No answer: the connection is closed."""


class Api:
    """Keeps records under /things; no unique key, where nobody asks for one.

    Attributes:
        rows: by id.
        requests: all that came, as `METHOD path`.
        bodies: of the writing ones.
        refuse: slugs that get 422.
        fail_after: writes after which it answers 500; None never.
        hidden: fields that the list does not show.
        paged: how the list comes in pages of two: link, next, cursor, offset or deaf (always the first).
        busy: how many requests are still answered with `busy_status`, and `retry_after`; with
            `busy_writes`, of those that write.
        room: how many requests at once are not too many; None for any number.
        took: seconds that a request takes.
        peak: how many requests were under way at once.
        once: the idempotency keys of creations that were taken.
        keys: the idempotency keys that came, in their order.
        unique: a slug that is there already gets 409.
        bulk: what becomes of a bulk: all, half (and 500), refused (and 422 where one is refused), mute
            (no answer), mixed (207, with an error in the place of a record that is refused), reversed.
        text: what answers to requests that write are instead of JSON.
        tokens: bearer tokens that are taken; any, where there are none.
        echo: a refusal says back the request's headers and body.
        habit: applied to what a client writes, before it is kept.
        creation: what becomes of a POST: "" (made and shown), silent (made, and 201 without a body), bare (made,
            and 201 with its slug alone), error (nothing is
            made, and 200 with an error), echo (nothing is made, and 200 with what came), hang up (made, and no answer),
            slow (no answer, and made after `took_to_create` seconds).
        clock: by which these seconds pass.
        blind: how many lists still do not show what was created.
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
        self.busy_status = 429
        self.busy_writes = False
        self.retry_after: str | None = "0"
        self.room: int | None = None
        self.took = 0.0
        self.under_way = 0
        self.peak = 0
        self.keys: list[str | None] = []
        self.unique = False
        self.bulk = "all"
        self.text = ""
        self.tokens: set[str] = set()
        self.echo = False
        self.creation = ""
        self.took_to_create = 0.0
        self.clock = time.monotonic
        self.late: list[tuple[float, Record, str | None]] = []
        """What is still to be made, each with the time at which it is, and its idempotency key."""
        self.blind = 0
        self.once: dict[str, Record] = {}
        self.lost = 0
        """How many answers to creations with an idempotency key are lost on their way."""
        self.connections = 0
        """How many clients are connected."""
        self._lock = threading.Lock()
        self._once: str | None = None

    def connected(self, change: int) -> None:
        """Count a client that has come (1) or gone (-1)."""
        with self._lock:
            self.connections += change

    @property
    def writes(self) -> list[str]:
        """The requests that write."""
        return [request for request in self.requests if not request.startswith("GET")]

    def add(self, **record: Any) -> int:
        """Add a record that somebody else wrote."""
        number = max(self.rows, default=0) + 1
        self.rows[number] = {"id": number, **record}
        return number

    def make_late_records(self) -> None:
        """Make the records whose time has come."""
        due = [each for each in self.late if each[0] <= self.clock()]
        self.late = [each for each in self.late if each not in due]
        for _, record, once in due:
            number = self.add(**record)
            if once:
                self.once[once] = self.rows[number]

    def find(self, slug: str) -> Record:
        """Return the record with a slug."""
        return next(row for row in self.rows.values() if row["slug"] == slug)

    def answer(
        self, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[int, Any]:
        """Status and document."""
        with self._lock:
            self.requests.append(f"{method} {path}")
            self.under_way += 1
            self.peak = max(self.peak, self.under_way)
            crowded = self.room is not None and self.under_way > self.room
        if self.took:
            time.sleep(self.took)
        with self._lock:
            self.under_way -= 1
            self.make_late_records()
            if crowded:
                return 429, {"detail": "too many at once"}
            return self._answer(method, path, body, headers)

    def _answer(  # noqa: C901, PLR0911 - a habit a line
        self, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[int, Any]:
        once = headers.get("Idempotency-Key")
        if self.tokens and headers.get("Authorization", "")[7:] not in self.tokens:
            return 401, {"detail": f"unknown: {headers.get('Authorization')}"}
        if method != "GET":
            self.keys.append(once)
        if self.busy and not (self.busy_writes and method == "GET"):
            self.busy -= 1
            return self.busy_status, {"detail": "slowly"}
        if once in self.once:
            return 201, self.once[once]
        if once and once in [key for *_, key in self.late]:
            return 409, {"detail": "a request with this key is under way"}
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
        if path == "/things/bulk":
            return self._bulk(body)
        if body.get("slug", body.get("name")) in self.refuse:
            said = f"{dict(headers)} {json.dumps(body)} " if self.echo else ""
            return 422, {"detail": f"{said}this one not: " + "x" * 5000}
        self._once = once
        return self._write(method, path, body)

    def _bulk(self, body: list[Record] | dict[str, list[Record]]) -> tuple[int, Any]:
        records = body["things"] if isinstance(body, dict) else body
        refused = self.refuse & {record["slug"] for record in records}
        if self.bulk == "mixed":
            good = [record for record in records if record["slug"] not in refused]
            taken = {record["slug"]: self._write("POST", "/things", record)[1] for record in good}
            return 207, [taken.get(record["slug"], {"status": 422}) for record in records]
        if self.bulk == "refused" or refused:
            return 422, {"detail": "none of these"}
        there = {row["slug"] for row in self.rows.values()}
        if self.unique and there & {record["slug"] for record in records}:
            return 409, {"detail": "some of these are there"}
        half = records[: len(records) // 2] if self.bulk == "half" else records
        made = [self._write("POST", "/things", record)[1] for record in half]
        if self.bulk == "half":
            return 422, {"detail": "not the other half"}
        if self.bulk == "mute":
            return 201, {"created": len(made)}
        return 201, made[::-1] if self.bulk == "reversed" else made

    def _read(self, path: str) -> tuple[int, Any]:
        if path.partition("?")[0] == "/things" and self.paged:
            return 200, self._page(dict(parse_qsl(urlsplit(path).query)))
        slug = dict(parse_qsl(urlsplit(path).query)).get("slug")
        if slug is not None:
            return 200, [row for row in self.rows.values() if str(row["slug"]).startswith(slug)]
        if path.startswith("/things/of/"):
            found = [row for row in self.rows.values() if row["slug"] == unquote(path[11:])]
            return (200, found[0]) if found else (404, {"detail": "none"})
        if path == "/things" and self.blind and self.writes:
            self.blind -= 1
            return 200, []
        if path == "/things":
            shown = [
                {name: value for name, value in row.items() if name not in self.hidden}
                for row in self.rows.values()
            ]
            return 200, shown if self.wrapped is None else {"items": shown, **self.wrapped}
        number = int(path.partition("?")[0].rpartition("/")[2])
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

    def _write(self, method: str, path: str, body: Record) -> tuple[int, Any]:  # noqa: PLR0911 - a habit a line
        if method == "POST":
            if self.creation == "error":
                return 200, {"error": "quota exceeded"}
            if self.creation == "echo":
                return 200, body
            if self.unique and any(row["slug"] == body["slug"] for row in self.rows.values()):
                return 409, {"detail": "that one is there"}
            if self.creation == "slow":
                self.late.append((self.clock() + self.took_to_create, self.habit(body), self._once))
                return HANG_UP
            number = self.add(**self.habit(body))
            if self.creation == "hang up":
                return HANG_UP
            bare = {"slug": body["slug"]} if self.creation == "bare" else self.rows[number]
            return 201, None if self.creation == "silent" else bare
        number = int(path.rpartition("/")[2])
        before = self.rows[number] if method == "PATCH" else {"id": number}
        self.rows[number] = {**before, **self.habit(body)}
        return 200, self.rows[number]


@contextmanager
def serving(api: Api) -> Iterator[httpx.Client]:
    """Yield a client of the API, which serves on loopback meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer is one packet: the second of two waits for an acknowledgement

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            once = self.headers.get("Idempotency-Key")
            status, document = api.answer(self.command, self.path, body, dict(self.headers))
            if (status, document) == HANG_UP:
                self.close_connection = True
                return
            if once and self.command == "POST" and status in {200, 201}:
                api.once[once] = document
                if api.lost:
                    api.lost -= 1
                    self.close_connection = True
                    return
            written = self.command != "GET" and status < 400
            blank = written and document is None
            data = b"" if blank else ((written and api.text) or json.dumps(document)).encode()
            self.send_response(status)
            for name, value in api.headers.items():
                self.send_header(name, value)
            if status in {429, 503} and api.retry_after is not None:
                self.send_header("Retry-After", api.retry_after)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class CountingServer(ThreadingHTTPServer):
        block_on_close = False

        def process_request(self, request: Any, client_address: Any) -> None:
            api.connected(1)
            super().process_request(request, client_address)

        def shutdown_request(self, request: Any) -> None:
            super().shutdown_request(request)
            api.connected(-1)

    with (
        in_a_thread(CountingServer(("127.0.0.1", 0), Handler)) as address,
        httpx.Client(base_url=address, verify=NO_CERTIFICATES) as client,
    ):
        yield client
