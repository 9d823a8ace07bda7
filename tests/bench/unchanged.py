"""A run that finds nothing to do, beside Alembic at head and beside bare Python: all as processes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from examples.postgres import Server, free_port
from tests.bench.measure import Ratio, Result, Skipped, alternate, timed
from tests.bench.revisions import against_alembic
from tests.support.programs import API, ROOT

SEEDS = ROOT / "examples" / "dnd-helper" / "seeds"
BARE_MEANING = "the same, to Python with psycopg: one connection, one query"
MEANING = "an unchanged run from start to exit, to `alembic upgrade head` at head"
GOAL = 0.35
BARE_GOAL = 1.15
SIZES = (10, 500)

BARE = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    print(connection.execute("SELECT 1").fetchone())
"""
"""The floor: Python with psycopg, one connection and one query."""

INSIDE = """
import json, statistics, subprocess, sys, time
calls = [["compose-init"], ["alembic", "upgrade", "head"]]
taken = [[], []]
for number in range(int(sys.argv[1]) + 1):
    for seconds, call in zip(taken, calls):
        started = time.perf_counter()
        done = subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seconds.append(time.perf_counter() - started)
        if done.returncode:
            sys.exit(f"{call}: {done.stdout}")
        if number and call == calls[0] and "nothing to do" not in done.stdout:
            sys.exit(f"not unchanged: {done.stdout}")
print(json.dumps([statistics.median(seconds[1:]) for seconds in taken]))
"""
"""Runs in the container: Docker's own time is no part of it. The first round makes everything current."""


def compare(*, quick: bool) -> list[Result]:
    """In this virtual environment, and inside the image where there is one."""
    rounds = 5 if quick else 15
    with Server() as server, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        example = [*_processes(server, Path(folder), rounds), _in_image(server, rounds)]
    return [*example, *against_alembic(SIZES, quick=quick)]


def _processes(server: Server, folder: Path, rounds: int) -> list[Result]:
    environment = _environment(server)
    ours = [sys.executable, "-m", "compose_init"]
    theirs = [sys.executable, "-m", "alembic", "-c", str(API / "alembic.ini"), "upgrade", "head"]
    _call(ours, environment, folder)
    said = _call(ours, environment, folder)
    if "nothing to do" not in said:
        raise RuntimeError(f"an unchanged run found something to do:\n{said}")
    bare = [sys.executable, "-c", BARE]
    ours_took, theirs_took, bare_took = alternate(
        rounds,
        lambda: timed(lambda: _call(ours, environment, folder)),
        lambda: timed(lambda: _call(theirs, environment, folder)),
        lambda: timed(lambda: _call(bare, environment, folder)),
    )
    return [
        Ratio("unchanged run", ours_took, theirs_took, MEANING, GOAL),
        Ratio("unchanged run, to psycopg", ours_took, bare_took, BARE_MEANING, BARE_GOAL),
    ]


def _in_image(server: Server, rounds: int) -> Result:
    name = "unchanged run, in the image"
    image = os.environ.get("BENCH_IMAGE") or _newest_image()
    if not image:
        return Skipped(
            name, "no image localhost/dnd-helper/init: `make images`, or set BENCH_IMAGE"
        )
    variables = {
        **_settings(server),
        "ALEMBIC_CONFIG": "alembic.ini",
        "SEED_MANIFEST": "/seeds/seeds.toml",
        "API_COMMAND": "python -m dnd_helper_api.main",
    }
    with_variables = [part for name in variables for part in ("--env", name)]
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--network", "host", "--volume", f"{SEEDS}:/seeds:ro"),
            *(*with_variables, "--entrypoint", "python", image, "-c", INSIDE, str(rounds)),
        ],
        env={**os.environ, **variables},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        return Skipped(name, f"{image} could not run it: {''.join(last)[:200]}")
    ours, theirs = json.loads(done.stdout)
    return Ratio(name, ours, theirs, f"the same inside {image}", GOAL)


def _newest_image() -> str | None:
    try:
        done = subprocess.run(
            [
                *("docker", "images", "--format", "{{.Repository}}:{{.Tag}}"),
                "localhost/dnd-helper/init",
            ],
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        return None
    return next(iter(done.stdout.split()), None)


def _settings(server: Server) -> dict[str, str]:
    port = free_port()
    return {
        "DATABASE_URL": server.url(),
        "API_BASE_URL": f"http://127.0.0.1:{port}",
        "API_HOST": "127.0.0.1",
        "API_PORT": str(port),
    }


def _environment(server: Server) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **_settings(server),
        "PYTHONPATH": f"{ROOT}:{API}",
        "ALEMBIC_CONFIG": str(API / "alembic.ini"),
        "SEED_MANIFEST": str(SEEDS / "seeds.toml"),
        "API_COMMAND": shlex.join([sys.executable, "-m", "dnd_helper_api.main"]),
    }


def _call(command: list[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        command, env=environment, cwd=folder, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
