"""`alert`: everybody is told, nobody learns an address."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from compose_init.errors import NotReadyError, SettingsError
from compose_init.server.alert import MAX_TEXT_CHARACTERS, alert_to_text, send
from tests.support.http_answers import answering

TOLD = {"event": "failure", "project": "dnd", "host": "cellar", "text": "init has failed"}
SUMMARY = {"event": "the revision 0017 failed", "exit_code": 70}


def alert(**more: Any) -> str:
    """As deploy/stack puts it on stdin."""
    return json.dumps({**TOLD, "summary": SUMMARY, "webhook": None, "telegram": None, **more})


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
        with pytest.raises(NotReadyError, match="answers 403") as caught:
            send(alert(webhook=server.url, telegram=telegram))
    assert "secret" not in str(caught.value)
    assert server.paths == ["/hook", "/bot12:secret/sendMessage"]


@pytest.mark.parametrize(
    "webhook",
    ["http://u:secret@127.0.0.1:9/secret?secret", "http://[secret", "secret", "x:\x7fsecret"],
)
def test_an_address_that_cannot_be_reached(webhook: str) -> None:
    """An unreachable or invalid address is named by its host alone."""
    with pytest.raises(NotReadyError) as caught:
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
            NotReadyError, match=r"answers 302 and redirects to http://127\.0\.0\.1;"
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
    assert len(alert_to_text({**TOLD, "text": "x" * 9999})) == MAX_TEXT_CHARACTERS


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
        send(text)


def test_the_command() -> None:
    """It reads stdin, and needs no database."""
    with answering(lambda _: (200, {})) as server:
        done = subprocess.run(
            [sys.executable, "-m", "compose_init", "alert"],
            input=alert(webhook=server.url),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "sent to webhook at http://127.0.0.1\n"
