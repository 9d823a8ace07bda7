"""The transport of every HTTP client: its route, its certificates, and an end to every answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from compose_seeder import http_transport
from compose_seeder.errors import SurroundingsError
from compose_seeder.http_transport import Transport
from tests.support.dripping import dripping
from tests.support.http_server import in_a_thread

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4000\r\n\r\n"


@contextmanager
def keeping_alive() -> Iterator[tuple[str, set[tuple[str, int]]]]:
    """Yield the address of a server that answers `y` on connections that stay, and the clients that it has had."""
    clients: set[tuple[str, int]] = set()

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            clients.add(self.client_address)
            self.send_response(200)
            self.send_header("Content-Length", "1")
            self.end_headers()
            self.wfile.write(b"y")

        def log_message(self, *_: object) -> None:
            pass

    with in_a_thread(ThreadingHTTPServer(("127.0.0.1", 0), Answer)) as address:
        yield address, clients


@pytest.mark.parametrize("pieces", [HEAD + b" ", b"HTTP/1.1 200 OK\r\nX: x"], ids=["body", "head"])
def test_an_answer_that_drips_has_an_end(monkeypatch: pytest.MonkeyPatch, pieces: bytes) -> None:
    """In its body and in its headers, though each read gets a byte in time."""
    monkeypatch.setattr(http_transport, "MIN_ANSWER_SECONDS", 0.1)
    began = time.monotonic()
    with (
        dripping(pieces, 0.01) as url,
        httpx.Client(transport=Transport(), timeout=2) as client,
        pytest.raises(httpx.ReadTimeout, match="the answer is too slow"),
    ):
        client.get(url)
    assert time.monotonic() - began < 10


def test_an_answer_that_flows_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long list is no dripping one."""
    monkeypatch.setattr(http_transport, "MIN_ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(http_transport, "ANSWER_SHARE", 0)
    monkeypatch.setattr(http_transport, "BYTES_PER_SECOND", 50)
    with (
        dripping(HEAD.replace(b"4000", b"100") + b" ", 0.002) as url,
        httpx.Client(transport=Transport()) as client,
    ):
        assert client.get(url).text == " " * 100


def test_a_connection_is_no_older_for_the_next_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for an answer begins with the answer, and not with the connection that is used again."""
    monkeypatch.setattr(http_transport, "MIN_ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(http_transport, "ANSWER_SHARE", 0)
    monkeypatch.setattr(http_transport, "BYTES_PER_SECOND", 1 << 20)
    with keeping_alive() as (url, clients), httpx.Client(transport=Transport()) as client:
        assert client.get(url).text == "y"
        time.sleep(0.2)
        assert client.get(url).text == "y"
    assert len(clients) == 1


def test_each_host_has_its_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy for others, and loopback directly, with one client."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "::1/128")
    with (
        dripping(HEAD.replace(b"4000", b"1") + b"y", 0) as url,
        httpx.Client(transport=Transport()) as client,
    ):
        assert client.get(url).text == "y"
        with pytest.raises(httpx.ConnectError):
            client.get("http://api.invalid/")


@pytest.mark.parametrize("name", ["nowhere.pem", "empty.pem"])
def test_certificates_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """The variable is named where a certificate is needed, and nowhere else."""
    (tmp_path / "empty.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
    with httpx.Client(transport=Transport()) as client:
        with pytest.raises(SurroundingsError, match="SSL_CERT_FILE"):
            client.get("https://127.0.0.1:9/")
        with pytest.raises(httpx.ConnectError):
            client.get("http://127.0.0.1:9/")


def test_a_name_that_no_host_can_have() -> None:
    """It is an error of the connection, as an unknown host is."""
    with (
        httpx.Client(transport=Transport()) as client,
        pytest.raises(httpx.ConnectError, match="is no name of a host"),
    ):
        client.get(f"http://{'a' * 70}.invalid/")
