"""The proxy that a request goes through: of the environment, and only where it is asked."""

from __future__ import annotations

import pytest

from compose_seeder.errors import SurroundingsError
from compose_seeder.proxy import describe_route, find_proxy


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
    assert "http://squid:1080, which ALL_PROXY names" in describe_route("https://api/things")


NO_PROXY = (
    "localhost, api:8001,.internal,*.corp db.example,10.0.0.0/8,192.168.1.7,1.2.3.4:80,"
    "::1/128,[fd00::]/8,[fe80::1]:9,fd12::5,http://web.example,Upper,bad/33,::1/999,:,*."
)


@pytest.mark.parametrize(
    ("url", "direct"),
    [
        ("http://api:8001", True),
        ("http://api:8002", False),
        ("http://a.internal", True),
        ("http://notinternal", False),
        ("http://a.corp", True),
        ("http://db.example", True),
        ("http://replica.db.example:5000", True),
        ("http://10.9.8.7:8000", True),
        ("http://11.9.8.7", False),
        ("http://192.168.1.7", True),
        ("http://192.168.1.70", False),
        ("http://1.2.3.4", True),
        ("http://1.2.3.4:81", False),
        ("http://[fdff::7]:8000", True),
        ("http://[fe80::1]:9", True),
        ("http://[fe80::1]:10", False),
        ("http://[fd12::5]", True),
        ("http://web.example", True),
        ("http://upper", True),
        ("http://elsewhere", False),
        ("http://[2001:db8::1]", False),
    ],
)
def test_hosts_and_networks_in_no_proxy(
    monkeypatch: pytest.MonkeyPatch, url: str, direct: bool
) -> None:
    """As curl, Go and Docker read it; what is none of these forms excludes nothing."""
    monkeypatch.setenv("http_proxy", "http://squid:3128")
    monkeypatch.setenv("no_proxy", NO_PROXY)
    assert (find_proxy(url) is None) == direct
    monkeypatch.setenv("no_proxy", "*")
    assert find_proxy(url) is None


LOOPBACK = ("127.0.0.1", "127.1", "localhost", "LOCALHOST.", "api.localhost", "0.0.0.0", "[::1]")  # noqa: S104


@pytest.mark.parametrize("host", [*LOOPBACK, "[::ffff:127.0.0.1]", "[::]", "ip6-localhost"])
def test_loopback_is_asked_directly(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Whatever the environment says, and however it is written."""
    monkeypatch.setenv("http_proxy", "http://squid:3128")
    assert find_proxy(f"http://{host}:8000") is None
    assert find_proxy("http://128.0.0.1:8000") is not None


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1080", "http://squid:port", "http://:3128", "http://[::1"]
)
def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """The variable is named, where a request needs it."""
    monkeypatch.setenv("https_proxy", proxy)
    assert find_proxy("http://api") is None
    with pytest.raises(SurroundingsError, match="HTTPS_PROXY"):
        find_proxy("https://api")
    assert describe_route("https://api") == ""
