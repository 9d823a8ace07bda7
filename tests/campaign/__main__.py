"""Deploys at random, with random faults, and looks after each deploy at what must hold: `python -m tests.campaign`.

Needs Docker, root (for a small disk), and the images of the example (`make images REGISTRY=localhost/e2e`).
Each step is a release or a change, a fault, and a command; then one calm run of the timer, and the promises are
looked at. The same `--seed` gives the same steps, though not the same moments.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.campaign.invariants import broken_promises
from tests.campaign.world import World, world
from tests.support.docker import docker
from tests.support.faulty_registry import FAULTS

PUBLISHED = ("good", "migrating", "sick", "dying", "broken", "half")
CHANGES = (
    *PUBLISHED,
    *(
        "good",
        "good",
        "good",
        "migrating",
        "complete",
        "replay",
        "nothing",
        "nothing",
        "words",
        "bad words",
        "api killed",
    ),
)
DISTURBANCES = (
    *("none", "none", "kill", "kill", "terminate", "two at once", "reader goes", "full disk"),
    *("alerts refused", *(f"registry: {fault}" for fault in FAULTS)),
)
COMMANDS = (("deploy", "--timer"), ("deploy", "--timer"), ("deploy",), ("rollback",))
RUN_SECONDS = 240
CALM_RUNS = 4
BUSY = 75


def change(world: World, kind: str, chance: random.Random) -> str:
    """Change what a deploy will find; return what was changed, for the log."""
    if kind in PUBLISHED:
        return f"{kind} {world.publish(kind)}"
    if kind == "complete" and world.half:
        return f"complete {world.complete()}"
    if kind == "replay":
        world.replay(version := chance.choice(world.good))
        return f"replay {version}"
    return _change_server(world, kind)


def _change_server(world: World, kind: str) -> str:
    if kind == "words":
        world.words.append(f"word {len(world.words)}")
        world.seed()
    elif kind == "bad words":
        world.seed('[{"id": 1')
    elif kind == "api killed":
        with suppress(AssertionError):  # there may be none
            docker("kill", f"{world.site.project}-api-1")
    else:
        return "nothing"
    return kind


def run_disturbed(
    world: World, words: tuple[str, ...], disturbance: str, chance: random.Random
) -> list[tuple[int, str]]:
    """Run the command, while something goes wrong; return exit codes and outputs."""
    with ExitStack() as stack:
        if disturbance == "full disk":
            stack.enter_context(world.full_disk())
        if disturbance.startswith("registry: "):
            world.registry.fail(disturbance.removeprefix("registry: "))  # type: ignore[arg-type]
            stack.callback(world.registry.fail, "none")
        if disturbance == "alerts refused":
            world.receiver.refuses = "/"
            stack.callback(setattr, world.receiver, "refuses", "none")
        runs = [world.site.begin(*words) for _ in range(1 + (disturbance == "two at once"))]
        if disturbance in {"kill", "terminate"}:
            time.sleep(chance.uniform(0, 8))
            sent = signal.SIGKILL if disturbance == "kill" else signal.SIGTERM
            with suppress(ProcessLookupError):
                os.killpg(runs[0].pid, sent)
        if disturbance == "reader goes" and runs[0].stdout:
            runs[0].stdout.readline()
            runs[0].stdout.close()
            runs[0].stdout = None
        return [_ended(run) for run in runs]


def _ended(run: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        said = run.communicate(timeout=RUN_SECONDS)[0] if run.stdout else ""
        return run.wait(RUN_SECONDS), said
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        return -1, f"did not end within {RUN_SECONDS} s: {run.communicate()[0]}"


def settle(world: World) -> tuple[int, str]:
    """Run the timer without a fault, again while another run is busy; return exit code and output."""
    for _ in range(CALM_RUNS):
        done = world.site.stack("deploy", "--timer")
        if done.returncode != BUSY:
            break
        time.sleep(1)
    return done.returncode, done.stdout + done.stderr


def step(world: World, number: int, seed: int) -> tuple[str, list[str], str]:
    """Make one step; return what it was, what does not hold after it, and what the runs said."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 - no secret
    kind, disturbance = chance.choice(CHANGES), chance.choice(DISTURBANCES)
    words = chance.choice(COMMANDS)
    what = f"{change(world, kind, chance)} | {disturbance} | {' '.join(words)}"
    runs = run_disturbed(world, words, disturbance, chance)
    if kind == "bad words":
        world.seed()
    runs.append(settle(world))
    codes = ", ".join(str(code) for code, _ in runs)
    log = "\n".join(f"--- exit code {code}\n{said}" for code, said in runs)
    faults = broken_promises(world)
    if disturbance in {"kill", "terminate"}:  # between the receiver's answer and the note of it
        faults = [fault for fault in faults if not fault.startswith("told twice")]
    if -1 in dict(runs):
        faults.append("a run did not end")
    return f"{what} | {codes} | {world.site.version()}", faults, log


def main() -> int:
    """Run a campaign; print each step, what did not hold, and how often what was tried."""
    parser = ArgumentParser("python -m tests.campaign", description=__doc__)
    parser.add_argument("--deploys", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--registry", default="localhost/e2e", help="of the example's images")
    parser.add_argument("--first", type=int, default=1, help="the number of the first step")
    parser.add_argument("--setting", action="append", default=[], help="NAME=VALUE of .env")
    call = parser.parse_args()
    settings = dict(each.split("=", 1) for each in call.setting)
    tried: Counter[str] = Counter()
    known: set[str] = set()
    failed = 0
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        world(Path(folder), call.registry, **settings) as here,
    ):
        _begin(here)
        for number in range(call.first, call.first + call.deploys):
            began = time.monotonic()
            what, faults, log = step(here, number, call.seed)
            tried.update(part.split(" ")[0] for part in what.split(" | ")[:2])
            print(f"{number:4d}  {time.monotonic() - began:5.1f} s  {what}", flush=True)
            faults = [fault for fault in faults if fault not in known]
            known.update(faults)
            failed += bool(faults)
            for fault in faults:
                print(f"      BROKEN: {fault}", flush=True)
            if faults:
                print("\n".join(f"        {line}" for line in log.splitlines()), flush=True)
    print(json.dumps({"deploys": call.deploys, "failed": failed, "tried": dict(tried)}))
    return int(failed > 0)


def _begin(here: World) -> None:
    here.publish("good")
    here.site.install()
    here.site.deploy()
    here.plant_marker()


if __name__ == "__main__":
    sys.exit(main())
