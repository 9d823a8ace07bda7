"""`make demo` and `make`'s installation from the outside: their claims, and that they leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.postgres import Server, embedded_binaries

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder for temporary files that the account of PostgreSQL can enter."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        path = Path(name)
        path.chmod(0o711)
        yield path


def outside_of_make() -> dict[str, str]:
    """Return this environment without the variables by which a `make` tells its own `make` about itself."""
    made = ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS")
    return {name: value for name, value in os.environ.items() if name not in made}


def demo(folder: Path, checkout: Path = ROOT, **environment: str) -> subprocess.Popen[str]:
    """Start the demo as the leader of a process group, with every temporary file below `folder`."""
    return subprocess.Popen(
        [sys.executable, "-m", "examples.demo"],
        cwd=checkout,
        env={**os.environ, "TMPDIR": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def processes_that_mention(text: str) -> list[str]:
    """Return the command lines of running processes that contain a text."""
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
    """Assert that no process and no file is left."""
    assert processes_that_mention(str(folder)) == []
    assert list(folder.iterdir()) == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the sources below a folder closed to other users, in a path with difficult letters."""
    tmp_path.chmod(0o700)
    copy = tmp_path / "früh stück ж"
    for name in ("examples", "init", "seeder"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_it_keeps_every_promise_and_leaves_nothing_behind(
    checkout: Path, folder: Path, tmp_path: Path
) -> None:
    """Six steps, exit code 0, and the first run's report where INIT_REPORT says.

    The sources come from the copy, and so do the paths in settings, the manifest and commands.
    """
    report = tmp_path / "report.json"
    process = demo(
        folder,
        checkout,
        PYTHONPATH=os.pathsep.join(str(checkout / name) for name in ("", "init", "seeder")),
        INIT_REPORT=str(report),
        DATABASE_URL="postgresql://elsewhere/x",
    )
    printed, _ = process.communicate(timeout=240)

    assert process.returncode == 0, printed
    assert [int(step) for step in re.findall(r"^(\d)\. ", printed, re.MULTILINE)] == [
        *range(1, 7)
    ], printed
    first = json.loads(report.read_text())
    assert first["outcome"] == "done"
    assert {dataset["name"]: dataset["created"] for dataset in first["datasets"]}["monsters"] == 46
    assert "hp: 12 → 7  (edited by hand, kept)" in printed
    assert "hp: 59 → 65" in printed
    assert "nothing to do in" in printed
    assert "\033[" not in printed, "no colours where there is no terminal"
    assert_nothing_left(folder)


@pytest.mark.parametrize(
    ("moment", "signum"),
    [
        ("1. An empty", signal.SIGINT),
        ("1. An empty", signal.SIGTERM),
        ("starting the temporary API", signal.SIGINT),
        ("starting the temporary API", signal.SIGTERM),
        ("4. What would", signal.SIGINT),
    ],
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
    printed, _ = process.communicate(timeout=120)

    assert process.returncode == 128 + signum, printed
    assert "everything is cleaned up" in printed
    assert "Traceback" not in printed
    assert_nothing_left(folder)


def closed_binaries(folder: Path) -> Path:
    """Copy the wheel's PostgreSQL as pip installs it under umask 077; return the copy's `bin`."""
    package = embedded_binaries().parents[1]
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(source, folder / source.name)
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & 0o700)
    return folder / embedded_binaries().relative_to(package.parent)


def test_a_server_starts_from_a_folder_that_other_users_cannot_enter(tmp_path: Path) -> None:
    """Root starts PostgreSQL as another account, which needs the programs and their libraries."""
    with Server(binaries=closed_binaries(tmp_path / "site packages")) as server:
        assert server.url().endswith(f":{server.port}/postgres")
    assert not server.folder.exists()


def test_a_server_starts_where_temporary_files_are_closed_to_other_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with pam_tmpdir, whose TMPDIR for root no other user can enter."""
    tmp_path.chmod(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Server() as server:
        assert server.data.exists()
    assert not server.folder.exists()


class Make:
    """A checkout with this Makefile, whose Python and pip are scripts that write down their calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        shutil.copy(ROOT / "Makefile", folder)
        (folder / "requirements").mkdir()
        for name in ("requirements/demo.txt", "requirements/dev.txt", "pyproject.toml"):
            (folder / name).touch()
        self.python = folder / "python"
        self.python.write_text(FAKE_PYTHON)
        self.python.chmod(0o755)

    def run(self, target: str = ".venv/.demo", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `make` for a target."""
        return subprocess.run(
            ["make", target, f"PYTHON={self.python}"],
            cwd=self.folder,
            env={**outside_of_make(), **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        """Return what was done since the last call: `venv` or `pip`."""
        log = self.folder / "calls"
        found = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return found


FAKE_PYTHON = """#!/bin/sh
case "$*" in
*"-m venv"*)
    echo venv >>calls
    for word; do folder=$word; done
    rm -rf "$folder"; mkdir -p "$folder/bin"; cp python "$folder/bin/python" ;;
*"-m pip"*)
    echo pip >>calls
    echo "WARNING: Location 'file:///nowhere' is ignored"
    if [ "$FAKE_PIP" = fails ]; then echo "ERROR: no such package"; exit 1; fi
    if [ "$FAKE_PIP" = interrupted ]; then kill -INT $PPID; sleep 1; fi ;;
esac
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a checkout for `make`, in a path with a space."""
    return Make(tmp_path / "a checkout")


def test_make_installs_once_and_keeps_the_warnings_of_pip_to_itself(make: Make) -> None:
    done = make.run()
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "installing what the demo needs (once)\n",
        "",
    )
    assert make.calls() == ["venv", "pip", "pip"]
    assert make.run().returncode == 0
    assert make.calls() == []
    assert make.run(".venv/.dev").returncode == 0
    assert make.calls() == ["pip", "pip"]
    assert make.run(".venv/.demo").returncode == 0
    assert make.calls() == []


def test_make_shows_all_that_pip_says_when_it_fails(make: Make) -> None:
    done = make.run(FAKE_PIP="fails")
    assert done.returncode != 0
    assert "WARNING: Location" in done.stderr
    assert "ERROR: no such package" in done.stderr


@pytest.mark.parametrize("how", ["fails", "interrupted"])
def test_make_begins_again_after_an_installation_that_did_not_end(make: Make, how: str) -> None:
    """For both targets: packages that are half there look like installed packages to pip."""
    assert make.run().returncode == 0
    assert make.run(".venv/.dev", FAKE_PIP=how).returncode != 0
    make.calls()
    assert make.run(".venv/.demo").returncode == 0
    assert make.calls() == ["venv", "pip", "pip"]


def test_make_begins_again_in_a_checkout_that_was_moved(make: Make) -> None:
    """Its .venv holds the path of the old place."""
    assert make.run().returncode == 0
    make.calls()
    make.folder = make.folder.rename(make.folder.with_name("moved"))
    make.python = make.folder / "python"
    assert make.run().returncode == 0
    assert make.calls() == ["venv", "pip", "pip"]
