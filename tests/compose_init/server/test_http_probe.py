"""`probe`: what others meet at an address."""

from __future__ import annotations

import pytest

from compose_init.errors import NotReadyError, SettingsError
from compose_init.server.http_probe import probe
from tests.support.http_answers import Answering, answering


def test_it_answers() -> None:
    """With success, and as the version."""
    with answering(lambda _: (200, {"version": "1.2.0"})) as server:
        assert " answers 200 as version 1.2.0 after " in probe(server.url, 5, "1.2.0")
        assert " answers 200 after " in probe(server.url, 5)


def test_it_is_asked_until_it_does() -> None:
    """503, then an older version, then the one that is expected."""
    steps = iter([(503, {}), (200, {"version": "1.1.0"}), (200, {"version": "1.2.0"})])
    with answering(lambda _: next(steps)) as server:
        assert "as version 1.2.0" in probe(server.url, 5, "1.2.0")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((503, {"reason": "no schema"}), "it answers 503 .*no schema"),
        ((302, {}), "it answers 302"),
        ((200, {"version": "1.1.0"}), "it answers as version '1.1.0', and not '1.2.0'"),
        ((200, ["no object"]), "not a JSON object with a version; set STACK_PROBE_VERSION=false"),
        ((200, {}), "not a JSON object with a version"),
    ],
)
def test_it_does_not(answer: tuple[int, object], words: str) -> None:
    """What was found last is said."""
    with answering(lambda _: answer) as server, pytest.raises(NotReadyError, match=words):
        probe(server.url, 0.3, "1.2.0")


def test_nobody_is_there() -> None:
    """A refused connection is waited for; user and query are not repeated."""
    url = "http://who:secret@127.0.0.1:9/health?token=secret"
    with pytest.raises(NotReadyError, match=r"127\.0\.0\.1:9/health did not come up") as caught:
        probe(url, 0.2)
    assert "secret" not in str(caught.value)


def test_no_address() -> None:
    """Waiting does not mend it."""
    for address in ("localhost:8000", "http://[::1", "http://h:99999/"):
        with pytest.raises(SettingsError, match="must look like"):
            probe(address, 1)


def test_the_server_of_these_tests_listens() -> None:
    """What is sent arrives."""
    with answering(lambda _: (200, {})) as server:
        probe(server.url, 5)
    assert isinstance(server, Answering)
    assert server.paths == ["/hook"]


def test_loopback_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker gives every container the proxies of its own configuration, and none of them reaches loopback."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with answering(lambda _: (200, {})) as server, answering(lambda _: (503, {})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert " answers 200" in probe(server.url, 5)
        with pytest.raises(NotReadyError, match=r"503.*through the proxy .*NO_PROXY"):
            probe("http://somewhere.invalid/health", 0.3)


def test_a_redirect_says_where_it_leads() -> None:
    """Since a redirect is no success."""
    with answering(lambda _: (302, {})) as server:
        found = r"answers 302 and redirects to http://127\.0\.0\.1:\d+/elsewhere; name that"
        with pytest.raises(NotReadyError, match=found):
            probe(server.url, 0.3)
