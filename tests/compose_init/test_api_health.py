"""The API's health check: what a message says of the way that it took."""

from __future__ import annotations

import httpx
import pytest

from compose_init.api_health import wait_for_api
from compose_init.errors import NotReadyError


def fail(client: httpx.Client) -> str:
    with client, pytest.raises(NotReadyError) as raised:
        wait_for_api(client, "/health", 0.2)
    return str(raised.value)


def test_a_redirect_says_where_it_leads() -> None:
    """As for a slash at the end; the query may hold a secret."""
    location = {"Location": "/health/?token=secret"}
    answer = httpx.MockTransport(lambda _: httpx.Response(307, headers=location))
    said = fail(httpx.Client(base_url="http://api:8000", transport=answer))
    assert "/health answered 307 and redirects to http://api:8000/health/; name the path" in said
    assert "API_HEALTH_PATH" in said
    assert "secret" not in said


@pytest.mark.parametrize("status", [None, 503])
def test_a_proxy_is_named(monkeypatch: pytest.MonkeyPatch, status: int | None) -> None:
    """That is away, or that answers in place of the API."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    transport = httpx.MockTransport(lambda _: httpx.Response(503)) if status else None
    said = fail(httpx.Client(base_url="http://api.invalid:8000", transport=transport))
    assert "through the proxy http://127.0.0.1:9, which HTTP_PROXY names" in said
