"""Sources behind https://: a real server on loopback, with a certificate of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from compose_seeder.errors import ManifestError, SourceError, SurroundingsError
from compose_seeder.manifest.parse import load
from compose_seeder.sources import Sources
from tests.support.https_server import CERTIFICATE, Web, serving


@pytest.fixture(name="serve")
def _serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Web]]:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with ExitStack() as stack:
        yield lambda: stack.enter_context(serving())


@pytest.fixture(name="web")
def _web(serve: Callable[[], Web]) -> Web:
    return serve()


def test_an_etag_is_the_fingerprint(web: Web) -> None:
    """So that what is unchanged is not downloaded."""
    web.answers["/a.json?ref=main"] = 200, {"ETag": '"one"'}, b"[1]"
    (content,) = Sources().file(f"{web.address}/a.json?ref=main").open().contents
    assert (content.name, content.data, content.fingerprint) == ("a.json", b"[1]", 'etag:"one"')
    web.asked.clear()
    assert Sources().file(f"{web.address}/a.json?ref=main").fingerprint() == 'etag:"one"'
    assert [method for method, _, _ in web.asked] == ["HEAD"]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"one"'}])
def test_the_content_is_the_fingerprint_where_there_is_no_etag(
    web: Web, headers: dict[str, str]
) -> None:
    """A weak one may stay the same for other bytes."""
    web.answers["/a.json"] = 200, headers, b"[1]"
    expected = f"sha256:{hashlib.sha256(b'[1]').hexdigest()}"
    assert Sources().file(f"{web.address}/a.json").open().fingerprint == expected
    assert Sources().file(f"{web.address}/a.json").fingerprint() == expected


def test_a_server_that_knows_get_alone(web: Web) -> None:
    """It is asked so, and gives the same fingerprint."""
    web.answers["/a.json"] = 200, {"ETag": '"one"'}, b"[1]"
    web.no_head = True
    assert Sources().file(f"{web.address}/a.json").fingerprint() == 'etag:"one"'


def test_a_redirect_is_followed(web: Web) -> None:
    """To the content, with its ETag."""
    web.answers["/a"] = 302, {"Location": "/b"}, b""
    web.answers["/b"] = 200, {"ETag": '"two"'}, b"[2]"
    (content,) = Sources().file(f"{web.address}/a").open().contents
    assert (content.data, content.fingerprint) == (b"[2]", 'etag:"two"')


@pytest.mark.parametrize("to", ["http://127.0.0.1:9/a.json?s=secret", "ftp://127.0.0.1/a.json"])
def test_a_redirect_does_not_leave_https(web: Web, to: str) -> None:
    """What comes in the clear may be anybody's."""
    web.answers["/a.json"] = 302, {"Location": to}, b""
    with pytest.raises(SourceError, match=r"cannot be read|may not leave https") as raised:
        Sources().file(f"{web.address}/a.json").open()
    assert "secret" not in str(raised.value)


def test_redirects_have_an_end(web: Web) -> None:
    """Rather than the run."""
    web.answers["/a"] = 302, {"Location": "/a"}, b""
    with pytest.raises(SourceError, match=r"too many redirects \(more than 5\)"):
        Sources().file(f"{web.address}/a").open()


def test_a_token_goes_to_its_host_alone(serve: Callable[[], Web]) -> None:
    """Another host would learn it."""
    here, elsewhere = serve(), serve()
    here.answers["/a"] = 302, {"Location": f"{elsewhere.address}/b"}, b""
    elsewhere.answers["/b"] = 200, {}, b"[]"
    sources = Sources({"SEED_HTTPS_TOKEN": "t0ken"})
    assert sources.file(f"{here.address}/a").open().data == b"[]"
    assert here.asked == [("GET", "/a", "Bearer t0ken")]
    assert elsewhere.asked == [("GET", "/b", None)]


@pytest.mark.parametrize("status", [401, 404, 500, 206, 304])
def test_an_answer_that_is_not_the_whole(web: Web, status: int) -> None:
    """With the status, and without the query."""
    web.answers["/a.json?key=secret"] = status, {"ETag": '"x"'}, b""
    source = Sources().file(f"{web.address}/a.json?key=secret")
    for ask in (source.open, source.fingerprint):
        with pytest.raises(SourceError, match=f"the server answered {status}") as raised:
            ask()
        assert "secret" not in str(raised.value)


def test_a_certificate_that_nobody_vouches_for(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not taken."""
    monkeypatch.delenv("SSL_CERT_FILE")
    web.answers["/a.json"] = 200, {}, b"[]"
    with pytest.raises(SourceError, match=r"cannot be read: .*CERTIFICATE_VERIFY_FAILED"):
        Sources().file(f"{web.address}/a.json").open()


def test_no_room_for_a_download(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only container without a temporary folder, or a full one."""
    web.answers["/a.json"] = 200, {}, b"x" * 3_000_000
    monkeypatch.setattr("compose_seeder.sources.content.MEMORY_BYTES", 1 << 20)
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(SourceError, match=r"/a.json cannot be stored: .*\(TMPDIR\)"):
        Sources().file(f"{web.address}/a.json").open()


def test_a_manifest_on_the_web_is_named_without_its_query(web: Web) -> None:
    """Which may hold a secret."""
    for content in (b"[[dataset", b"\xff", b'[[dataset]]\nnome = "x"\n'):
        web.answers["/seeds.toml?key=secret"] = 200, {}, content
        with pytest.raises(ManifestError, match=f"{web.address}/seeds.toml is") as raised:
            load(f"{web.address}/seeds.toml?key=secret", Sources())
        assert "secret" not in str(raised.value)


def test_nobody_there() -> None:
    """With what the system says."""
    with pytest.raises(SourceError, match=r"cannot be read: .*refused"):
        Sources().file("https://127.0.0.1:9/a.json").open()


def test_a_download_has_a_bound(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that goes on and on does not fill the disk; a large one goes through a file."""
    web.answers["/a.json"] = 200, {}, b"x" * 3_000_000
    monkeypatch.setattr("compose_seeder.sources.content.MEMORY_BYTES", 1 << 20)
    (content,) = Sources().file(f"{web.address}/a.json").open().contents
    assert content.data == content.data == b"x" * 3_000_000
    monkeypatch.setattr("compose_seeder.sources.content.MAX_BYTES", 1 << 21)
    with pytest.raises(SourceError, match="is larger than 2 MiB"):
        Sources().file(f"{web.address}/a.json").open()


def test_a_token_that_no_header_may_hold(web: Web) -> None:
    """It is not shown."""
    with pytest.raises(SourceError, match="holds characters that no header can have") as raised:
        Sources({"SEED_HTTPS_TOKEN": "hunter22\nx"}).file(f"{web.address}/a.json").open()
    assert "hunter22" not in str(raised.value)


def test_a_redirect_to_no_host(web: Web) -> None:
    """Nothing can be asked there."""
    web.answers["/a.json"] = 302, {"Location": "https://a..b/"}, b""
    with pytest.raises(SourceError, match="cannot be read"):
        Sources().file(f"{web.address}/a.json").open()


def test_certificates_that_are_not_there(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE is wrong, and not the source."""
    monkeypatch.setenv("SSL_CERT_FILE", "/none.pem")
    with pytest.raises(SurroundingsError, match="SSL_CERT_FILE"):
        Sources().file(f"{web.address}/a.json").open()
