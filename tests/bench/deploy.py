"""What a deploy costs: the time that "nothing new" takes, and the time for which nobody answers."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from compose_init import __version__
from tests.bench.measure import Duration, Ratio, Result, Skipped
from tests.support.docker import ROOT, Images, run, telegram_server
from tests.support.releases import Poll, Registry, Server, registry, server

HERE = Images("localhost/bench", __version__)


def compare(*, quick: bool) -> list[Result]:
    """Releases that differ in their version alone, in turn by `stack` and by Compose by itself."""
    try:
        answer = run("docker", "info", timeout=30)
    except FileNotFoundError:
        return [Skipped("deploy", "there is no docker command")]
    if answer.returncode:
        return [Skipped("deploy", "no Docker engine answers")]
    built = run("make", "images", f"REGISTRY={HERE.registry}", timeout=900, cwd=ROOT)
    if built.returncode:
        raise RuntimeError(built.stderr)
    with ExitStack() as things:
        folder = Path(things.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        for name in ("site", "releases"):
            (folder / name).mkdir()
        hub = things.enter_context(registry(HERE, folder / "releases"))
        telegram = things.enter_context(telegram_server())
        site = things.enter_context(server(folder / "site", hub, telegram))
        hub.publish("1.0.0")
        _do(site, "install", "--no-timer")
        _do(site, "deploy")
        nothing = [_do(site, "deploy") for _ in range(3 if quick else 10)]
        ours, theirs = [], []
        for number in range(2 if quick else 5):
            ours.append(_downtime(hub, site, f"2.{number}.0", "stack"))
            theirs.append(_downtime(hub, site, f"3.{number}.0", "compose"))
    return [
        Duration(
            "deploy, nothing new",
            median(nothing),
            f"from `stack deploy` being called to its end: registry asked, every service looked at; {len(nothing)}"
            f" times, {min(nothing):.2f} to {max(nothing):.2f} s",
        ),
        Ratio(
            "deploy, without an API",
            median(ours),
            median(theirs),
            "how long nobody answers, to `docker compose pull && docker compose up -d --wait`; without a migration",
        ),
    ]


def _do(site: Server, *words: str) -> float:
    began = time.monotonic()
    done = site.stack(*words)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return time.monotonic() - began


def _downtime(hub: Registry, site: Server, version: str, by: str) -> float:
    hub.publish(version)
    with Poll(site.address) as poll:
        if by == "stack":
            _do(site, "deploy")
        else:
            clean = {"COMPOSE_FILE": "compose.yml"}
            for words in (("pull", "-q", "api", "bot", "init"), ("up", "-d", "--wait")):
                done = run("docker", "compose", *words, cwd=site.folder, timeout=240, **clean)
                if done.returncode:
                    raise RuntimeError(done.stderr)
        time.sleep(0.2)
    if site.version() != version:
        raise RuntimeError(f"{site.version()} answers, and not {version}")
    return poll.downtime
