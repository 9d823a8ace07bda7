"""Environments of other projects: installed from PyPI by hash, once, and kept in `.cache`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.file_lock import file_lock
from tests.support.programs import ROOT, SOURCES, Finished
from tests.support.requirements import lacking

CACHE = ROOT / ".cache" / "histories"
REQUIREMENTS = ROOT / "tests" / "histories" / "requirements"


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and a home for what runs in it."""

    folder: Path
    home: Path

    @property
    def packages(self) -> Path:
        """Where its packages are."""
        return next(self.folder.glob("lib/python*/site-packages"))

    def init(self, environ: Mapping[str, str], *arguments: str) -> Finished:
        """Run compose-init here, from its source."""
        more = {"PYTHONPATH": SOURCES, "LOG_JSON": "true"}
        return self.run({**environ, **more}, "python", "-m", "compose_init", *arguments)

    def run(self, environ: Mapping[str, str], program: str, *arguments: str) -> Finished:
        """Run one of its programs to its end, with nothing but PATH of the tests' environment."""
        done = subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **environ},
            cwd=self.home,
            timeout=200,
        )
        return Finished(done.returncode, done.stdout, done.stderr)


def folder_of(name: str) -> Path:
    """Return the environment that `requirements/NAME.txt` describes; skip if it cannot be installed."""
    requirements = REQUIREMENTS / f"{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    folder = CACHE / f"{name}-{digest[:16]}"
    with file_lock(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            _install(requirements, folder)
    return folder


def _install(requirements: Path, folder: Path) -> None:
    try:
        _uv("venv", "--clear", "--python", sys.executable, str(folder))
        _uv(
            *("pip", "install", "--python", str(folder / "bin" / "python")),
            *("--require-hashes", "-r", str(requirements)),
        )
    except subprocess.CalledProcessError as error:
        reason = f"{requirements.name} cannot be installed: {error.stderr.strip()[-500:]}"
        lacking(reason)
    (folder / "complete").touch()


def _uv(*arguments: str) -> None:
    command = [sys.executable, "-m", "uv", "--quiet", *arguments]
    subprocess.run(command, check=True, capture_output=True, text=True)
