"""Runs of a program that are forks of an interpreter which `tests.support.preloaded` keeps ready."""

from __future__ import annotations

import atexit
import json
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import IO, Self

from tests.support.preloaded import Call

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "dnd-helper"
API, BOT = EXAMPLE / "api", EXAMPLE / "bot"
RELAY = Path(__file__).with_name("relay.py")
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "TZ")
"""Prefixes of the variables that an interpreter reads when it starts: a fork cannot obey them."""
BASE = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": f"{ROOT}:{API}",
    "PYTHONWARNINGS": "default",
}
"""The environment of compose-init in the tests, before a test adds variables."""


def can_fork(environ: dict[str, str]) -> bool:
    """Return whether a fork behaves under these variables as a new interpreter does."""
    return not any(name.startswith(READ_AT_START) for name in environ)


LIBRARIES = {
    "compose_init": (
        *("compose_init.*", "compose_seeder.*", "alembic.autogenerate", "alembic.command"),
        *("alembic.config", "alembic.ddl.postgresql", "alembic.runtime.migration", "httpx"),
        *("rich.console", "sqlalchemy.dialects.postgresql.psycopg", "tenacity"),
    ),
    "dnd_helper_api.main": (
        *("dnd_helper_api.*", "sqlalchemy.dialects.postgresql.psycopg", "uvicorn.lifespan.on"),
        *("uvicorn.loops.auto", "uvicorn.protocols.http.auto", "uvicorn.protocols.websockets.auto"),
    ),
    "dnd_helper_bot.main": ("dnd_helper_bot.*",),
}
"""What each program imports, now or later."""


class Running:
    """A run under way: what tests use of `subprocess.Popen`."""

    def __init__(self, call: Call, output: IO[str] | None = None) -> None:
        """Start the run.

        Args:
            call: what to run.
            output: the file of output and errors, which are kept apart otherwise.
        """
        self._arguments = call.arguments
        self.returncode: int | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the others
        out, into = os.pipe()
        self.stdout = open(out, encoding="utf-8")  # noqa: PTH123, SIM115 - a pipe
        files = [into, self._errors.fileno()] if output is None else [output.fileno()] * 2
        try:
            self._status = _server(call.module).start(call, files)
        finally:
            os.close(into)
        line = self._status.readline()
        assert line, "the preloaded interpreter has ended: see its errors above"
        self.pid = int(line)

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Wait for the end; a test that has failed does not wait."""
        if kind:
            self.kill()
        self.wait()
        for file in (self.stdout, self._status, self._errors):
            file.close()

    def send_signal(self, number: int) -> None:
        """Send a signal, if it has not ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """Return the exit code, or None where it still runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(timeout=0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code.

        Raises:
            subprocess.TimeoutExpired: it did not end in time.
        """
        if self.returncode is None:
            ready, _, _ = select.select([self._status], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired(self._arguments, timeout or 0)
            self.returncode = int(self._status.readline())
        return self.returncode

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        """Wait for the end; return what is left of the output, and the errors.

        Raises:
            subprocess.TimeoutExpired: it did not end in time, and is killed.
        """
        deadline = time.monotonic() + timeout
        timer = threading.Timer(timeout, self.kill)
        timer.start()
        out = self.stdout.read()
        self.wait()
        timer.cancel()
        if time.monotonic() >= deadline:
            raise subprocess.TimeoutExpired(self._arguments, timeout)
        self._errors.seek(0)
        return out, self._errors.read().decode()


class Server:
    """The preloaded interpreter of a program."""

    def __init__(self, module: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="compose-init-forks-"))
        self.path = str(self.folder / "socket")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.path)
            listening.listen(100)
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.support.preloaded"),
                    *(str(listening.fileno()), *LIBRARIES.get(module, ())),
                ],
                pass_fds=[listening.fileno()],
                env={**BASE, "PYTHONPATH": f"{ROOT}:{API}:{BOT}"},
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start(self, call: Call, files: list[int]) -> IO[str]:
        """Start a run with files for output and errors; return the lines with its process id and exit code."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.path)
            socket.send_fds(connection, [b"."], files)
            connection.sendall(json.dumps(asdict(call)).encode())
            connection.shutdown(socket.SHUT_WR)
            return connection.makefile()

    def stop(self) -> None:
        """End it, and the runs that are still under way."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def _server(module: str) -> Server:
    server = Server(module)
    atexit.register(server.stop)
    return server


def command(module: str) -> str:
    """Return the command of a process that runs a module in a fork, with its output, signals and exit code."""
    words = (sys.executable, "-SE", str(RELAY), _server(module).path, module)
    return shlex.join(words)
