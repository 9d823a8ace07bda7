"""The proxy that a message names: of the environment, and only where it is asked."""

from __future__ import annotations

import httpx
import pytest

from compose_seeder.proxy import describe_proxy, describe_route, direct_to_loopback


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_it_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable that has it."""
    monkeypatch.setenv("http_proxy", "http://user:hunter2@squid:3128")
    said = describe_route("http://api:8000/things")
    assert "through the proxy http://squid:3128, which HTTP_PROXY names" in said
    assert "hunter2" not in said
    assert describe_route("https://api:8000/things") == ""
    monkeypatch.setenv("all_proxy", "squid:1080")
    assert "http://squid:1080, which ALL_PROXY names" in describe_proxy("https://api/things")


def test_it_is_not_named_where_it_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY, and loopback for clients that ask it directly."""
    monkeypatch.setenv("http_proxy", "http://squid:3128")
    monkeypatch.setenv("no_proxy", "api,.internal")
    assert describe_route("http://api:8000") == ""
    assert describe_route("http://a.internal") == ""
    assert describe_route("http://127.0.0.1:8000") == ""
    assert describe_proxy("http://127.0.0.1:8000") != ""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "[::1]"])
def test_loopback_is_asked_directly(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Whatever the environment says."""
    monkeypatch.setenv("http_proxy", "http://squid:3128")
    url = f"http://{host}:8000"
    with httpx.Client(mounts=direct_to_loopback(url)) as client:
        assert client._transport_for_url(httpx.URL(url)) is client._transport
        elsewhere = httpx.URL("http://api:8000")
        assert client._transport_for_url(elsewhere) is not client._transport
    assert direct_to_loopback("http://api:8000") == {}
