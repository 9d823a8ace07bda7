"""The parts of the demo: an empty PostgreSQL, a copy of the example's seeds, and compose-init itself.

Everything lives in two temporary folders (PostgreSQL has its own) and in child processes, and is gone
when the stack is left, however that happens.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg

from examples.postgres import Server, free_port

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "dnd-helper"

OURS = ("DATABASE_URL", "POSTGRES_", "PG", "INIT_", "SEED_", "API_", "ALEMBIC_", "LOG_")
"""Beginnings of variables that mean something to what runs here; the demo sets its own."""


class Stopped(BaseException):
    """Somebody stopped the demo: Ctrl-C or SIGTERM."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum


class Signals:
    """Handles Ctrl-C and SIGTERM: they end the demo, but never while it starts or cleans up."""

    def __init__(self) -> None:
        self._received: int | None = None
        self._waits = False
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, self._receive)

    def _receive(self, signum: int, _: FrameType | None) -> None:
        self._received = self._received or signum
        if not self._waits:
            self._waits = True  # what cleans up is not interrupted by an impatient second one
            raise Stopped(self._received)

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Defer a signal that arrives within the block until the block has ended."""
        before, self._waits = self._waits, True
        try:
            yield
        except Exception:
            if self._received is None:
                raise  # else it failed because its child had the same Ctrl-C
        finally:
            self._waits = before
        if self._received is not None and not before:
            self._waits = True
            raise Stopped(self._received)


@dataclass(frozen=True)
class Finished:
    """A call of compose-init: its exit code, how long it took from start to exit, what it printed."""

    exit_code: int
    seconds: float
    printed: str


class Stack:
    """An empty database and the settings with which compose-init meets it."""

    def __init__(self, server: Server, folder: Path, signals: Signals) -> None:
        self.server = server
        self.folder = folder
        self.seeds = folder / "seeds"
        self.report = Path(os.environ.get("INIT_REPORT") or folder / "report.json").absolute()
        self._signals = signals
        self._port = free_port()
        shutil.copytree(EXAMPLE / "seeds", self.seeds)

    def version(self) -> str:
        """PostgreSQL's version, such as `18.1`."""
        return str(self.one("SHOW server_version")).split()[0]

    def one(self, query: str) -> Any:
        """Return the first value of a query's first row; None if there is no row."""
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def compose_init(
        self, *words: str, report: Path | None = None, captured: bool = False
    ) -> Finished:
        """Run compose-init as an init container would; its output goes to the terminal unless captured."""
        environment = self._environment()
        if report:
            environment["INIT_REPORT"] = str(report)
        if captured:
            environment["LOG_LEVEL"] = "WARNING"  # what it prints is the answer
        child: subprocess.Popen[str] | None = None
        started = time.monotonic()
        try:
            with self._signals.wait():
                child = subprocess.Popen(
                    [sys.executable, "-m", "compose_init", *words],
                    env=environment,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE if captured else None,
                    text=True,
                )
            printed, _ = child.communicate()
        except Stopped:
            if child is not None:
                child.terminate()  # after a Ctrl-C it is ending already, and takes no notice
                child.wait()
            raise
        return Finished(child.returncode, time.monotonic() - started, printed or "")

    def read_report(self) -> dict[str, Any]:
        """Return the first run's report."""
        found: dict[str, Any] = json.loads(self.report.read_text(encoding="utf-8"))
        return found

    def _environment(self) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        paths = [str(ROOT), str(EXAMPLE / "api")]
        return others | {
            "LOG_JSON": "false",  # as on a terminal: lines for people
            "PYTHONPATH": os.pathsep.join(paths),
            "DATABASE_URL": self.server.url(),
            "ALEMBIC_CONFIG": str(EXAMPLE / "api" / "alembic.ini"),
            "SEED_MANIFEST": str(self.seeds / "seeds.toml"),
            "API_COMMAND": shlex.join([sys.executable, "-m", "dnd_helper_api.main"]),
            "API_BASE_URL": f"http://127.0.0.1:{self._port}",
            "API_HOST": "127.0.0.1",
            "API_PORT": str(self._port),
        }


@contextmanager
def running(signals: Signals) -> Iterator[Stack]:
    """Start a stack; stop and remove it at the end of the block."""
    server = Server()
    folder = Path(tempfile.mkdtemp(prefix="compose-init-demo-"))
    up = False
    try:
        with signals.wait():
            server.__enter__()
            up = True
        yield Stack(server, folder, signals)
    finally:
        with signals.wait():
            if up:
                server.__exit__()
            shutil.rmtree(folder, ignore_errors=True)
