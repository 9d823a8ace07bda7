"""`alert`: everybody is told, nobody learns an address."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from typing import Any

import httpx
import pytest

from compose_init.errors import AlertRefusedError, NotReadyError, SettingsError
from compose_init.server.alert import MAX_TEXT_UNITS, alert_to_text, send
from tests.support.http_answers import answering

TOLD = {"event": "failure", "project": "dnd", "host": "cellar", "text": "init has failed"}
SUMMARY = {"event": "the revision 0017 failed", "exit_code": 70}


def alert(**more: Any) -> bytes:
    """As deploy/stack puts it on stdin."""
    given = {**TOLD, "summary": SUMMARY, "webhook": None, "telegram": None, **more}
    return json.dumps(given).encode()


def test_both_ways() -> None:
    """A document for programs and a text for people."""
    with answering(lambda _: (200, {})) as server:
        telegram = {"api": server.base, "token": "12:ab", "chat": "42"}
        sent = send(alert(webhook=server.url, telegram=telegram))
    assert sent == ["webhook at http://127.0.0.1", "Telegram at http://127.0.0.1"]
    assert server.paths == ["/hook", "/bot12:ab/sendMessage"]
    hook, chat = server.bodies
    assert {name: hook[name] for name in TOLD} == TOLD
    assert hook["summary"] == SUMMARY
    assert chat["chat_id"] == "42"
    for words in ("dnd on cellar", "init has failed", "the revision 0017 failed"):
        assert words in chat["text"]


def test_no_channel_is_configured() -> None:
    """It is not an error."""
    assert send(alert()) == []


def test_a_server_error_is_retried() -> None:
    """5xx, twice at most."""
    steps = iter([500, 200])
    with answering(lambda _: (next(steps), {})) as server:
        send(alert(webhook=server.url))
    assert len(server.paths) == 2


def test_a_refusal_is_said_without_the_address() -> None:
    """And the other way is gone all the same."""
    with answering(lambda path: (200 if path == "/hook" else 403, {"echo": path})) as server:
        telegram = {"api": server.base, "token": "12:secret", "chat": "42"}
        with pytest.raises(AlertRefusedError, match="answers 403") as caught:
            send(alert(webhook=server.url, telegram=telegram))
    assert "secret" not in str(caught.value)
    assert server.paths == ["/hook", "/bot12:secret/sendMessage"]


@pytest.mark.parametrize("status", [400, 401, 404, 410, 413, 422])
def test_what_is_refused_for_good_is_tried_once(status: int) -> None:
    """The same alert would be refused again."""
    with (
        answering(lambda _: (status, {})) as server,
        pytest.raises(AlertRefusedError, match=f"answers {status}$"),
    ):
        send(alert(webhook=server.url))
    assert len(server.paths) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Now, and by the next run of deploy/stack."""
    monkeypatch.setattr("compose_init.server.alert.FIRST_PAUSE_SECONDS", 0)
    with (
        answering(lambda _: (status, {})) as server,
        pytest.raises(NotReadyError, match=f"answers {status}"),
    ):
        send(alert(webhook=server.url))
    assert len(server.paths) == 3


def test_one_refusal_and_one_failure() -> None:
    """The next run may tell one of them, so the alert is not refused for good."""
    with answering(lambda _: (400, {})) as server:
        telegram = {"api": server.base, "token": "12:ab", "chat": "42"}
        with pytest.raises(NotReadyError, match=r"no connection.*answers 400"):
            send(alert(webhook="http://127.0.0.1:9", telegram=telegram))


def test_why_telegram_refuses() -> None:
    """Its description is said; what a webhook says may have its secret in it, and is not."""
    said = {"ok": False, "description": "Bad Request: chat not found"}
    with answering(lambda _: (400, said)) as server:
        telegram = {"api": server.base, "token": "12:ab", "chat": "42"}
        with pytest.raises(AlertRefusedError, match=r"answers 400 \(Bad Request: chat not found\)"):
            send(alert(telegram=telegram))
        with pytest.raises(AlertRefusedError, match=r"answers 400$"):
            send(alert(webhook=server.url))


@pytest.mark.parametrize(
    ("given", "paused"),
    [("4", [4.0]), ("0", [1.0]), ("3600", []), ("Thu, 26 Nov 2026 02:00:00 GMT", [])],
)
def test_a_receiver_puts_off(
    monkeypatch: pytest.MonkeyPatch, given: str, paused: list[float]
) -> None:
    """For seconds: they are waited; for longer: that is for the next run."""
    slept: list[float] = []
    monkeypatch.setattr("compose_init.server.alert.time.sleep", slept.append)
    answers = iter([httpx.Response(429, headers={"Retry-After": given}), httpx.Response(200)])
    monkeypatch.setattr(
        "compose_init.server.alert.Transport",
        lambda: httpx.MockTransport(lambda _: next(answers)),
    )
    if paused:
        assert send(alert(webhook="http://127.0.0.1/hook")) == ["webhook at http://127.0.0.1"]
    else:
        with pytest.raises(NotReadyError, match="answers 429"):
            send(alert(webhook="http://127.0.0.1/hook"))
    assert slept == paused


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", b"\\ud800 alone", "🐉 ß\u2028".encode(), b"\\u0000", b"\x7f <b>_*`"]
)
def test_odd_characters(text: bytes) -> None:
    """Whatever a program has printed, receivers get JSON in UTF-8."""
    given = json.dumps({**TOLD, "text": "@", "summary": "@"}).encode().replace(b"@", text)
    with answering(lambda _: (200, {})) as server:
        telegram = {"api": server.base, "token": "12:ab", "chat": "42"}
        where = json.dumps({"webhook": server.url, "telegram": telegram}).encode()
        send(given[:-1] + b", " + where[1:])
    hook, chat = server.bodies
    assert chat["text"].encode()
    assert hook["event"] == "failure"


@pytest.mark.parametrize(
    "webhook",
    ["http://u:secret@127.0.0.1:9/secret?secret", "http://[secret", "secret", "x:\x7fsecret"],
)
def test_an_address_that_cannot_be_reached(webhook: str) -> None:
    """An unreachable or invalid address is named by its host alone."""
    with pytest.raises((NotReadyError, AlertRefusedError)) as caught:
        send(alert(webhook=webhook))
    assert "secret" not in str(caught.value).replace("://secret", "")


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("http://127.0.0.1:9", "no connection .*through the proxy http://127.0.0.1:9"),
        ("socks5://127.0.0.1:9", "HTTPS_PROXY names .*SOCKS"),
        ("{refusing}", "no connection .*through the proxy"),
    ],
)
def test_a_proxy_that_does_not_help(
    monkeypatch: pytest.MonkeyPatch, proxy: str, words: str
) -> None:
    """Nobody was told, and the proxy is named; the other channel is told all the same."""
    monkeypatch.setattr("compose_init.server.alert.FIRST_PAUSE_SECONDS", 0)
    with answering(lambda _: (200, {})) as server, answering(lambda _: (200, {})) as refusing:
        monkeypatch.setenv("https_proxy", proxy.format(refusing=refusing.base))
        telegram = {"api": server.base, "token": "12:ab", "chat": "42"}
        with pytest.raises(NotReadyError, match=words):
            send(alert(webhook="https://hooks.invalid/secret", telegram=telegram))
    assert server.paths == ["/bot12:ab/sendMessage"]


def test_a_redirect_is_no_success() -> None:
    """Where it leads is said, without the path, which may be a secret too."""
    with (
        answering(lambda _: (302, {})) as server,
        pytest.raises(
            AlertRefusedError, match=r"answers 302 and redirects to http://127\.0\.0\.1;"
        ) as said,
    ):
        send(alert(webhook=server.url))
    assert "elsewhere" not in str(said.value)


def test_a_channel_that_does_not_answer_counts_as_told() -> None:
    """The alert may have arrived; the output says that there was no answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            listening.accept()[0].close()

        taken = threading.Thread(target=hang_up)
        taken.start()
        [sent] = send(alert(webhook=f"http://127.0.0.1:{listening.getsockname()[1]}/secret"))
        taken.join()
    assert "has not answered" in sent
    assert "secret" not in sent


@pytest.mark.parametrize(
    ("line", "summary", "words"),
    [
        (json.dumps(SUMMARY), SUMMARY, "init: the revision 0017 failed"),
        ('error: "0017" failed', 'error: "0017" failed', 'init: error: "0017" failed'),
        ('{"event": "cut', '{"event": "cut', 'init: {"event": "cut'),
    ],
)
def test_the_last_line_of_a_log_as_summary(line: str, summary: object, words: str) -> None:
    """Whether it is JSON, for people, or cut off."""
    with answering(lambda _: (200, {})) as server:
        send(alert(summary=line, time="2026-11-24T02:15:00Z", webhook=server.url))
    assert server.bodies[0]["summary"] == summary
    assert server.bodies[0]["time"] == "2026-11-24T02:15:00Z"
    assert words in alert_to_text({**TOLD, "summary": line})


def test_a_long_text_is_cut() -> None:
    """Telegram takes no more."""
    assert len(alert_to_text({**TOLD, "text": "x" * 9999})) == MAX_TEXT_UNITS
    for before in ("", "x"):
        dragons = alert_to_text({**TOLD, "text": before + "🐉" * 9999})
        assert MAX_TEXT_UNITS - 1 <= len(dragons.encode("utf-16-le")) // 2 <= MAX_TEXT_UNITS
        assert dragons.endswith("🐉…")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "must be a JSON object"),
        ('{"event": "x"}', "project is missing; host is missing; text is missing; event must be"),
        (json.dumps({**TOLD, "telegram": {"api": "x"}}), "telegram.token is missing"),
        (json.dumps({**TOLD, "telegram": "x"}), "telegram must be an object"),
        (json.dumps({**TOLD, "webhook": ["x"]}), "webhook must be an address"),
    ],
)
def test_an_invalid_alert(text: str, words: str) -> None:
    """All faults are listed at once."""
    with pytest.raises(SettingsError, match=words):
        send(text.encode())


def test_the_command() -> None:
    """It reads stdin, and needs no database."""
    with answering(lambda _: (200, {})) as server:
        done = subprocess.run(
            [sys.executable, "-m", "compose_init", "alert"],
            input=alert(webhook=server.url),
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"sent to webhook at http://127.0.0.1\n"
