"""A reader that goes away, an end half-way, a full disk, a registry that stalls, no Docker: the tests go together."""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker import ROOT, eventually, run
from tests.support.faulty_registry import Fault, FaultyRegistry, faulty_registry
from tests.support.releases import HOOK, SICK, Receiver, killed, receiver
from tests.support.small_stack import SmallReleases, SmallServer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module", name="proxy")
def _proxy(small_hub: SmallReleases) -> Iterator[FaultyRegistry]:
    """Yield the address that the server pulls from."""
    with faulty_registry(small_hub.registry.port) as found:
        yield found


@pytest.fixture(scope="module", name="ears")
def _ears(
    small_hub: SmallReleases, small_site: SmallServer, proxy: FaultyRegistry
) -> Iterator[Receiver]:
    """Yield what is told about a server that release 1.0 was deployed on."""
    with receiver() as found:
        small_site.secret("alert_webhook", f"{found.address}/{HOOK}")
        small_site.setting(REGISTRY=f"{proxy.name}/{small_hub.namespace}", STACK_PULL_TIMEOUT="300")
        small_hub.publish("1.0")
        small_site.install()
        small_site.deploy()
        yield found


def log(site: SmallServer) -> str:
    """Return what deploys have printed."""
    return (site.folder / "releases" / "deploy.log").read_text(encoding="utf-8")


def texts(ears: Receiver) -> list[str]:
    return [body["text"] for _, body in ears.requests]


def test_the_reader_goes_away(
    small_hub: SmallReleases, small_site: SmallServer, ears: Receiver
) -> None:
    """After the first line, of a deploy that fails and is taken back; the way back is gone to its end, and told."""
    small_hub.publish("2.0", api=SICK)
    ears.requests.clear()
    running = small_site.begin("deploy", "--timer")
    assert running.stdout
    running.stdout.readline()
    running.stdout.close()
    assert running.wait(300) == 1
    assert small_site.version() == "1.0"
    assert ears.events() == ["rollback"]
    assert "1.0" in log(small_site).splitlines()[-1]
    assert "serves again" in small_site.stack("logs", "deploy").stdout


def test_the_session_is_hung_up(
    small_hub: SmallReleases, small_site: SmallServer, ears: Receiver
) -> None:
    """The terminal of a deploy is closed, as when an SSH connection is lost: the deploy goes on to its end."""
    small_hub.publish("3.0")
    ears.requests.clear()
    master, slave = pty.openpty()
    running = subprocess.Popen(
        ["setsid", "--ctty", "--wait", str(small_site.folder / "stack"), "deploy"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd="/",
    )
    os.close(slave)
    said = b""
    while b"running init" not in said:
        said += os.read(master, 4096)
    os.close(master)
    running.wait(300)
    eventually(
        "the end of the deploy", lambda: "3.0 (" in log(small_site).rpartition("answers 200")[2]
    )
    assert small_site.version() == "3.0"
    assert ears.events() == ["recovery"]
    assert not (small_site.folder / "releases" / "running").exists()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_was_ended_is_told_by_the_next(
    small_hub: SmallReleases, small_site: SmallServer, ears: Receiver, end: signal.Signals
) -> None:
    """Once, and the next run goes on."""
    version = f"4.{int(end)}"
    small_hub.publish(version)
    ears.requests.clear()
    if end == signal.SIGKILL:
        assert killed(small_site.begin("deploy"), "running init")
    else:
        running = small_site.begin("deploy")
        assert running.stdout
        assert any("running init" in line for line in running.stdout)
        time.sleep(0.5)  # bash says nothing about a signal that comes while it starts a program
        os.killpg(running.pid, end)
        said = running.communicate()[0]
        assert running.wait(60) == 128 + end
        assert f"ended by {end.name}" in said, said
    assert ears.requests == []
    small_site.deploy("--timer")
    assert small_site.version() == version
    assert ears.events() == ["failure", "recovery"]
    assert f"the deploy of {version}" in texts(ears)[0]
    assert "was ended half-way" in texts(ears)[0]


def full_disk() -> None:
    """Let every write to a file fail in a process and all that it starts, and no pipe and no connection."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_a_full_disk(small_hub: SmallReleases, small_site: SmallServer, ears: Receiver) -> None:
    """The failure is told though nothing can be recorded; nothing is changed; a disk with space again is enough."""
    small_hub.publish("5.0")
    before = small_site.version()
    ears.requests.clear()
    words = [
        "sh",
        "-c",
        "trap '' XFSZ; exec \"$0\" deploy --timer",
        str(small_site.folder / "stack"),
    ]
    done = subprocess.run(
        words, cwd="/", check=False, capture_output=True, text=True, preexec_fn=full_disk
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert ears.events() == ["failure"]
    assert "releases cannot be written; nothing was changed" in texts(ears)[0]
    assert f"{before} (" in texts(ears)[0]
    assert small_site.version() == before
    small_site.deploy("--timer")
    assert small_site.version() == "5.0"


def test_a_reserve_on_a_full_disk(engine: None) -> None:
    """It makes room for what must be written, once; after that, the disk is known to be full."""
    del engine
    parts = ("output", "state", "messages", "interruption", "settings", "tool", "json", "alerts")
    sources = " ".join(f"source /parts/{name}.sh;" for name in parts)
    function = (
        "set -Eeuo pipefail; cd /server; STATE=releases EVENT=deploy LOCKED=yes TARGET= ROLLED_BACK_FROM="
        f" DOCKER_FAULT= INIT_RAN= EXIT_FAILED=1; {sources} serving_now() {{ echo 1.0 serves; }};"
        " mkdir releases; touch releases/history; begin_run;"
        " head -c 900000 /dev/zero >filler 2>/dev/null || true;"
        " for n in 1 2 3; do (begin_run) || echo code $?; done; cat releases/history releases/open-alert"
    )
    done = run(
        *("docker", "run", "--rm", "--network", "none", "--tmpfs", "/server:size=256k"),
        *(
            "--volume",
            f"{ROOT}/deploy/stack.d:/parts:ro",
            "python:3.13-slim",
            "bash",
            "-c",
            function,
        ),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("code 1\n") == 3
    assert done.stdout.count("deploy failed - /server/releases cannot be written") == 1
    assert done.stdout.count("- /server/releases cannot be written; nothing was changed") == 2


@pytest.mark.parametrize("fault", ["silent", "stall", "close", "refuse", "lie"])
def test_a_registry_that_fails(
    small_hub: SmallReleases,
    small_site: SmallServer,
    ears: Receiver,
    proxy: FaultyRegistry,
    fault: Fault,
) -> None:
    """Within a bound: a line in the history, one alert, 69, and nothing changed; then it is deployed."""
    version = f"6.{fault}"
    before, lines = small_site.version(), small_site.history()
    # A layer of its own: one that is here already is not asked for.
    small_hub.publish(version, api=f"RUN head -c 400000 /dev/urandom >/layer # {version}")
    ears.requests.clear()
    proxy.fail(fault)
    small_site.setting(STACK_PULL_TIMEOUT="4")
    began = time.monotonic()
    try:
        for _ in range(2):
            done = small_site.stack("deploy", "--timer")
            assert done.returncode == 69, done.stdout + done.stderr
    finally:
        proxy.fail("none")
        small_site.setting(STACK_PULL_TIMEOUT="300")
    assert time.monotonic() - began < 400  # on a busy machine; without a bound it takes for ever
    assert small_site.version() == before
    assert ears.events() == ["failure"]
    assert f"{before} (" in texts(ears)[0]
    assert "still serves" in texts(ears)[0]
    assert [line[1:3] for line in small_site.history()[len(lines) :]] == [["deploy", "failed"]]
    small_site.deploy("--timer")
    assert small_site.version() == version
    assert ears.events() == ["failure", "recovery"]


@pytest.mark.parametrize("answer", ["sleep 600", "exit 1"])
def test_docker_does_not_answer(
    small_site: SmallServer, ears: Receiver, tmp_path: Path, answer: str
) -> None:
    """It is told by what the server has, once."""
    ears.requests.clear()
    program = run("sh", "-c", "command -v docker").stdout.strip()
    fake = tmp_path / "docker"
    config = f'[ "$1 $2" = "compose config" ] && exec {program} "$@"'
    fake.write_text(f"#!/bin/sh\n{config}\n{answer}\n", encoding="utf-8")
    fake.chmod(0o755)
    for _ in range(2):
        done = small_site.stack("deploy", "--timer", PATH=f"{tmp_path}:{os.environ['PATH']}")
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Docker does not answer; is its service running?" in done.stderr
    assert ears.events() == ["failure"]
    small_site.deploy("--timer")
    assert ears.events() == ["failure", "recovery"]


def test_nothing_is_left(small_site: SmallServer) -> None:
    """No half-written file."""
    assert not list((small_site.folder / "releases").glob("*.part"))
