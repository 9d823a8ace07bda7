"""Alerts of deploy/stack: the queue, and what sends them where no init image can."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.docker import ROOT, Completed, run
from tests.support.http_answers import answering
from tests.support.requirements import lacking

PARTS = ("state", "messages", "settings", "releases", "tool", "json", "alerts", "alert_from_host")
TOOL = """#!/bin/bash
[[ $1 == run ]] || exit 0
alert=$(cat)
echo "$alert" >>"$CALLS"
{answer}
"""
"""A `docker` that runs `alert` of an init image."""
FAULT = "\u2717 the alert was not sent: it answers {status}  (exit_code={code})"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """Return a server's folder with a webhook, and the last init image that worked."""
    for made in ("server/releases", "server/secrets", "bin"):
        (tmp_path / made).mkdir(parents=True)
    (tmp_path / "server/secrets/alert_webhook").write_text("http://127.0.0.1:9/hook\n")
    (tmp_path / "server/releases/init-image").write_text("registry.example/init@sha256:1\n")
    (tmp_path / "calls").touch()
    for program in ("bash", "cat", "date", "awk", "head", "tail", "tr", "grep", "sed", "mv", "rm"):
        found = shutil.which(program)
        assert found
        (tmp_path / "bin" / program).symlink_to(found)
    for program in ("uname", "id", "timeout", "sort", "tac", "dirname", "basename"):
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    return tmp_path / "server"


def tool(folder: Path, answer: str) -> None:
    """Let `alert` of the init image do this."""
    docker = folder.parent / "bin" / "docker"
    docker.write_text(TOOL.format(answer=answer), encoding="utf-8")
    docker.chmod(0o755)


def call(folder: Path, function: str) -> Completed:
    """Run a function with the parts that alerts need, and the programs that the test allows."""
    sources = " ".join(f"source {ROOT}/deploy/stack.d/{name}.sh;" for name in PARTS)
    head = "set -Eeuo pipefail; export LC_ALL=C; STATE=releases INIT_SERVICE=init INIT_RAN= EXIT_USAGE=78"
    calls = str(folder.parent / "calls")
    path = f"{folder.parent}/bin"
    bash = str(shutil.which("bash"))
    script = f"{head} DOCKER_FAULT=; {sources} {function}"
    return run(bash, "-c", script, cwd=folder, PATH=path, CALLS=calls, PROJECT="shop")


def texts(written: list[str]) -> list[str]:
    """Return the texts of alerts, each a JSON object with or without a channel before its members."""
    objects = [
        line if line.startswith("{") else "{" + line.partition(" ")[2] + "}" for line in written
    ]
    return [json.loads(each)["text"] for each in objects]


def lines(folder: Path, name: str) -> list[str]:
    path = folder / "releases" / name
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def tried(folder: Path) -> list[str]:
    """Return the texts that the tool was asked to send."""
    return texts((folder.parent / "calls").read_text(encoding="utf-8").splitlines())


def test_a_refused_alert_holds_up_no_other(folder: Path) -> None:
    """It is tried once and put aside with the reason; the next one is sent; what is told stays told."""
    refused = FAULT.format(status=400, code=76)
    tool(folder, f'case $alert in *one*) echo "{refused}"; exit 76 ;; esac; echo sent to webhook')
    done = call(folder, "send_alert failure one; send_alert failure two; send_alert failure one")
    assert done.returncode == 0, done.stderr
    assert tried(folder) == ["one", "two"]
    assert lines(folder, "unsent-alerts") == []
    [aside] = lines(folder, "refused-alerts")
    assert json.loads("{" + aside.partition(" ")[2] + "}")["refused"] == (
        "the alert was not sent: it answers 400"
    )
    assert "is not sent again (see releases/refused-alerts)" in done.stderr
    said = call(folder, "describe_open_alert webhook one; echo; describe_open_alert webhook two")
    assert said.stdout.splitlines() == [
        "refused by the receiver of webhook",
        "sent by webhook",
    ]
    call(folder, "send_unsent_alerts")
    assert tried(folder) == ["one", "two"]


def test_a_failure_that_passes_keeps_the_order(folder: Path) -> None:
    """Each run tries once; nothing later goes before what is kept."""
    fault = FAULT.format(status=503, code=69)
    tool(folder, f'echo "{fault}"; exit 69')
    done = call(folder, "send_alert failure one; send_alert failure two")
    assert "the next run tries again" in done.stderr
    assert tried(folder) == ["one"]
    tool(folder, "echo sent to webhook")
    call(folder, "send_unsent_alerts; send_alert failure two; send_alert recovery well")
    assert tried(folder) == ["one", "one", "two", "well"]
    assert lines(folder, "unsent-alerts") == []
    assert not (folder / "releases" / "open-alert").exists()


def test_what_is_not_answered_is_sent_once_more(folder: Path) -> None:
    """It may have arrived, or not."""
    tool(folder, "echo sent to webhook at http://x, which has not answered")
    for function in ("send_alert failure one", "send_unsent_alerts", "send_unsent_alerts"):
        assert call(folder, function).returncode == 0
    assert tried(folder) == ["one", "one"]


@pytest.mark.parametrize("other", ["failure three", "rollback three"])
def test_failures_that_take_turns_are_told_once(folder: Path, other: str) -> None:
    """Until a recovery; then they are new."""
    tool(folder, "echo sent to webhook")
    again = f"send_alert failure one; send_alert {other}; send_alert failure one"
    call(folder, f"{again}; send_alert recovery well; send_alert failure one")
    assert tried(folder) == ["one", "three", "well", "one"]


@pytest.mark.parametrize(
    "answer",
    [
        "exit 0",
        "exit 1",
        "echo exec format error; exit 255",
        "echo the daemon says no; exit 125",
        'echo "\u2717 a defect  (exit_code=1)"; exit 1',
        "kill -9 $$",
        "echo usage; exit 2",
    ],
)
@pytest.mark.parametrize("program", ["curl", "wget", "bash"])
def test_an_image_that_does_not_work_is_not_the_tool(
    folder: Path, answer: str, program: str
) -> None:
    """Whatever it ends with; the server's own programs send the alert, with the same members."""
    tool(folder, answer)
    if program != "bash":
        found = shutil.which(program)
        if found is None:
            lacking(f"{program} is not installed")
        (folder.parent / "bin" / program).symlink_to(found)
    with answering(lambda _: (200, {})) as server:
        (folder / "secrets/alert_webhook").write_text(server.url)
        (folder / "secrets/alert_telegram_token").write_text("12:ab")
        text = 'two\nlines, "quoted" \\ $(echo) \u00df @'
        done = call(
            folder,
            f"SETTINGS[STACK_TELEGRAM_API]={server.base} SETTINGS[STACK_TELEGRAM_CHAT]=42;"
            f" send_alert failure $'{text}'".replace("\n", "\\n"),
        )
    assert done.returncode == 0, done.stderr
    assert lines(folder, "unsent-alerts") == []
    assert server.paths == ["/hook", "/bot12:ab/sendMessage"]
    hook, chat = server.bodies
    assert (hook["event"], hook["project"], hook["text"]) == ("failure", "shop", text)
    assert chat["chat_id"] == "42"
    assert chat["text"].endswith(f": {text}")
    assert os.uname().nodename in chat["text"]


@pytest.mark.parametrize("program", ["curl", "wget", "bash"])
@pytest.mark.parametrize(
    ("status", "kept", "aside"), [(400, 0, 1), (302, 0, 1), (429, 1, 0), (503, 1, 0)]
)
def test_the_servers_programs_tell_a_refusal_from_a_failure(
    folder: Path, program: str, status: int, kept: int, aside: int
) -> None:
    """And the reason has no secret."""
    tool(folder, "exit 125")
    if program != "bash":
        found = shutil.which(program)
        if found is None:
            lacking(f"{program} is not installed")
        (folder.parent / "bin" / program).symlink_to(found)
    with answering(lambda _: (status, {})) as server:
        (folder / "secrets/alert_webhook").write_text(server.url)
        done = call(folder, "send_alert failure one")
    assert done.returncode == 0, done.stderr
    assert len(server.paths) == 1
    assert len(lines(folder, "unsent-alerts")) == kept
    assert len(lines(folder, "refused-alerts")) == aside
    assert f"{status} answer to the {program} of this server" in done.stderr
    assert "/hook" not in done.stderr


def test_without_a_connection(folder: Path) -> None:
    """The alert is kept."""
    tool(folder, "exit 125")
    done = call(folder, "send_alert failure one")
    assert done.returncode == 0, done.stderr
    assert len(lines(folder, "unsent-alerts")) == 1
    assert "no answer to the bash of this server" in done.stderr


def test_a_long_text_is_cut_between_characters(folder: Path) -> None:
    """What Docker prints may be long, and not UTF-8."""
    tool(folder, "echo sent to webhook")
    done = call(
        folder, "send_alert failure one \"$(printf '\u20ac%.0s' {1..2000})$(printf '\\xff')\""
    )
    assert done.returncode == 0, done.stderr
    [text] = tried(folder)
    assert 2900 < len(text.encode()) < 3100
    assert text.startswith("one: \u20ac\u20ac")
