"""`make demo`, from the outside: what it claims, and what it leaves behind (nothing)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, as PostgreSQL's socket needs one, that PostgreSQL's own user may pass through."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        path = Path(name)
        path.chmod(0o711)
        yield path


def demo(folder: Path, **environment: str) -> subprocess.Popen[str]:
    """The demo as a process of a group of its own, with every temporary file below `folder`."""
    return subprocess.Popen(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def processes_that_mention(text: str) -> list[str]:
    """Command lines of running processes."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def assert_nothing_left(folder: Path) -> None:
    """No process and no file."""
    assert processes_that_mention(str(folder)) == []
    assert list(folder.iterdir()) == []


def test_it_keeps_every_promise_and_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    """Six steps, exit code 0, and the first run's report where INIT_REPORT says."""
    report = tmp_path / "report.json"
    process = demo(folder, INIT_REPORT=str(report), DATABASE_URL="postgresql://elsewhere/x")
    printed, _ = process.communicate(timeout=120)

    assert process.returncode == 0, printed
    assert [int(step) for step in re.findall(r"^(\d)\. ", printed, re.MULTILINE)] == [
        *range(1, 7)
    ], printed
    first = json.loads(report.read_text())
    assert first["outcome"] == "done"
    assert {dataset["name"]: dataset["created"] for dataset in first["datasets"]}["monsters"] == 46
    assert "hp: 12 → 7  (edited by hand, left)" in printed
    assert "hp: 59 → 65" in printed
    assert "nothing to do in" in printed
    assert "\033[" not in printed, "no colours where there is no terminal"
    assert_nothing_left(folder)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
@pytest.mark.parametrize(
    "moment", ["1. An empty", "starting the temporary API", "4. What would"], ids=lambda m: m[:3]
)
def test_it_cleans_up_whenever_it_is_stopped(
    folder: Path, moment: str, signum: signal.Signals
) -> None:
    """Ctrl-C goes to the whole group, SIGTERM to the demo alone; both leave nothing behind."""
    process = demo(folder)
    assert process.stdout is not None
    for line in process.stdout:
        if moment in line:
            break
    time.sleep(0.3)
    if signum is signal.SIGINT:
        os.killpg(process.pid, signum)
    else:
        process.terminate()
    printed, _ = process.communicate(timeout=30)

    assert process.returncode == 128 + signum, printed
    assert "everything is cleaned up" in printed
    assert "Traceback" not in printed
    assert_nothing_left(folder)
