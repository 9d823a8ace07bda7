"""Runs of deploy/stack that nobody reads, that are ended, that cannot write or that Docker does not answer."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.docker import ROOT, Completed, run

HEAD = (
    "set -Eeuo pipefail; cd {folder}; STATE=releases EVENT=deploy LOCKED=yes TARGET="
    " ROLLED_BACK_FROM= DOCKER_FAULT= INIT_RAN="
)
PARTS = (
    "output",
    "state",
    "messages",
    "interruption",
    "settings",
    "limits",
    "tool",
    "json",
    "alerts",
    "alert_from_host",
)
TRAPS = (
    "trap 'on_exit $?' EXIT; trap 'exit 143' TERM;"
    " serving_now() { echo 1.0 still serves; };"
    ' send_alert() { echo "$1 $2" >>told; };'
)
"""Alerts go to a file."""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "releases").mkdir()
    return tmp_path


def script(folder: Path, function: str, parts: tuple[str, ...] = PARTS) -> list[str]:
    """Return the words that run functions of these parts in a folder."""
    sources = " ".join(f"source {ROOT}/deploy/stack.d/{name}.sh;" for name in parts)
    head = HEAD.format(folder=shlex.quote(str(folder)))
    return ["bash", "-c", f"{head}; EXIT_FAILED=1; {sources} {TRAPS} {function}"]


def call(folder: Path, function: str) -> Completed:
    return run(*script(folder, function))


def told(folder: Path) -> list[str]:
    path = folder / "told"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def log(folder: Path) -> str:
    return (folder / "releases" / "deploy.log").read_text(encoding="utf-8")


def test_output_goes_to_both_streams_in_order_and_to_a_file(folder: Path) -> None:
    """Every line has arrived when the script has ended; the file has all of them."""
    function = (
        "keep_output deploy; for n in {1..200}; do say $n; warn $'two\nlines'; done; printf end"
    )
    done = call(folder, function)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "end"
    assert len(done.stdout.splitlines()) == 201
    assert [line[-5:] for line in done.stderr.splitlines()] == ["] two", "lines"] * 200
    kept = log(folder).splitlines()
    assert kept[0].endswith("Z ./stack deploy")
    assert len(kept) == 1 + 200 * 3 + 1
    assert "\x01" not in done.stdout + done.stderr + log(folder)


def test_a_long_log_is_put_aside(folder: Path) -> None:
    """One file of a megabyte, and the one before it."""
    (folder / "releases" / "deploy.log").write_text("old\n" * 300_000, encoding="utf-8")
    call(folder, "keep_output deploy; say new")
    assert "old" not in log(folder)
    assert (folder / "releases" / "deploy.log.1").read_text(encoding="utf-8").startswith("old")


@pytest.mark.parametrize("end", ["close", "hangup"])
def test_nobody_reads_any_more(folder: Path, end: str) -> None:
    """The run goes on to its end, and so do the programs that it starts; the file has what they print."""
    function = (
        "keep_output deploy; say one; until [[ -e go ]]; do sleep 0.05; done;"
        " sh -c 'echo from a program; echo and an error >&2; kill -HUP $PPID; echo after' | sed 's/^/    /';"
        " for n in {1..50}; do say more; warn more; done; say end; touch end"
    )
    running = subprocess.Popen(
        script(folder, function), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert running.stdout
    assert "one" in running.stdout.readline()
    running.stdout.close()
    if end == "hangup":
        running.send_signal(signal.SIGHUP)
    (folder / "go").touch()
    assert running.wait(60) == 0
    assert (folder / "end").exists()
    assert all(words in log(folder) for words in ("from a program", "after", "end"))


def test_a_reader_that_does_not_read(folder: Path) -> None:
    """A terminal that was stopped holds the end up for a few seconds, and not for ever."""
    function = "keep_output deploy; for n in {1..20}; do say $n; done; touch end"
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    running = subprocess.Popen(script(folder, function), stdout=writing, stderr=writing)
    os.close(writing)
    assert running.wait(60) == 0
    assert (folder / "end").exists()
    os.close(reading)


def test_a_run_that_is_ended_is_told_by_the_next(folder: Path) -> None:
    """By SIGTERM or by SIGKILL, half-way or before anything was changed; what comes to its end is not told."""
    begin = "describe_release() { echo 2.0; }; tell_interrupted_run; begin_run;"
    assert call(folder, begin).returncode == 0
    assert call(folder, f"{begin} mark_run 0123456789ab; die 1 no").returncode == 1
    assert told(folder) == []
    assert call(folder, f"{begin} mark_run 0123456789ab; kill -TERM $$; sleep 1").returncode == 143
    assert call(folder, f"{begin} kill -KILL $$; sleep 1").returncode == -9
    half = "failure the deploy of 2.0 was ended half-way, by a signal or with the machine"
    early = (
        "failure a deploy was ended by a signal or with the machine, before it had changed anything"
    )
    goes_on = "; this run goes on from there, 1.0 still serves"
    assert told(folder) == [half + goes_on]
    assert call(folder, begin).returncode == 0
    assert told(folder) == [half + goes_on, early + goes_on]
    assert call(folder, begin).returncode == 0
    assert len(told(folder)) == 2
    history = (folder / "releases" / "history").read_text(encoding="utf-8").splitlines()
    assert [line.split()[1:4] for line in history] == [
        ["deploy", "failed", "0123456789ab"],
        ["deploy", "failed", "-"],
    ]


@pytest.mark.parametrize("end", ["exit 7", "echo $UNSET_VARIABLE", "(exit 3); exit"])
def test_an_end_that_nobody_foresaw_is_told(folder: Path, end: str) -> None:
    """Whatever ends the script with a failure."""
    call(folder, f"trap - ERR; set +e; {end}")
    [message] = told(folder)
    assert message.startswith("failure the script ended unexpectedly with exit code")
    assert not (folder / "releases" / "running").exists()


WITHOUT_SPACE = "ulimit -f 0; trap '' XFSZ;"
"""Every write to a file fails, as on a full disk."""


def test_nothing_can_be_written(folder: Path) -> None:
    """The alert goes out all the same, as well as the message; nothing half-written stays."""
    (folder / "releases" / "history").write_text("one\n", encoding="utf-8")
    alert = 'send_alert() { echo "told: $1 $2: $3"; };'
    done = call(folder, f"{alert} {WITHOUT_SPACE} keep_output deploy; begin_run")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"told: failure {folder}/releases cannot be written; nothing was changed" in done.stdout
    assert "File too large" in done.stdout
    assert "df -h" in done.stderr
    assert (folder / "releases" / "history").read_text(encoding="utf-8") == "one\n"
    assert not list((folder / "releases").glob("*.part"))


def test_an_alert_that_cannot_be_recorded_is_sent(folder: Path) -> None:
    """And again by the next run, rather than never."""
    function = (
        "unset -f send_alert; source {parts}/alerts.sh; alert_channels() {{ echo webhook; }};"
        " alert_recipient() {{ echo '\"x\"'; }};"
        ' EXIT_USAGE=78; run_tool() {{ echo "sent: $2"; ANSWER=; }};'
        " {without} send_alert failure one; send_alert failure one"
    ).format(parts=f"{ROOT}/deploy/stack.d", without=WITHOUT_SPACE)
    parts = tuple(part for part in PARTS if part != "alerts")
    done = run(*script(folder, function, parts))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("sent: ") == 2


SLOW = """#!/bin/sh
sleep 60 >/dev/null 2>&1
"""


@pytest.mark.parametrize("words", ["pull -q x", "buildx imagetools inspect x"])
def test_what_does_not_answer_is_ended(folder: Path, words: str) -> None:
    """Within the bound, with a line that says so."""
    docker = folder / "docker"
    docker.write_text(SLOW, encoding="utf-8")
    docker.chmod(0o755)
    began = time.monotonic()
    done = call(folder, f"PATH=$PWD:$PATH; SETTINGS[STACK_PULL_TIMEOUT]=1; docker {words} || true")
    assert time.monotonic() - began < 30
    assert "did not end within 1 seconds" in done.stderr


def test_every_call_of_docker_has_a_bound(folder: Path) -> None:
    """Only what works for as long as there is something to do has none here."""
    asked = {
        "image inspect": "60",
        "info --format": "60",
        "ps --all": "60",
        "compose config": "60",
        "pull x": "900",
        "compose run": "0",
        "compose exec": "0",
    }
    for words, limit in asked.items():
        assert call(folder, f"docker_limit '{words}'").stdout.strip() == limit, words


@pytest.mark.parametrize(("verify", "code"), [("tail -f /dev/null", 69), ("false", 1), ("true", 0)])
def test_a_verification_that_does_not_end(folder: Path, verify: str, code: int) -> None:
    """It is ended, and is not taken for a signature that is not valid."""
    release = (
        "# release 0123456789ab\nservices:\n  api:\n    image: r/api@sha256:1 # r/api:latest\n"
    )
    (folder / "releases" / "0123456789ab.yml").write_text(release, encoding="utf-8")
    function = (
        f"SETTINGS[STACK_VERIFY]='{verify}' SETTINGS[STACK_PULL_TIMEOUT]=1 EXIT_REGISTRY=69;"
        ' verify_signatures 0123456789ab || { code=$?; echo "$REASON"; die $code no; }'
    )
    done = run(*script(folder, function, (*PARTS, "releases", "signatures")))
    assert done.returncode == code, done.stderr
    assert ("did not end within 1 seconds" in done.stdout) == (code == 69)
    assert ("is not valid" in done.stdout) == (code == 1)
