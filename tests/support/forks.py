"""Runs of compose-init that are forks of an interpreter which `tests.support.preloaded` keeps ready."""

from __future__ import annotations

import atexit
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

from tests.support.preloaded import Call, write_call

ROOT = Path(__file__).parents[2]
API = ROOT / "examples" / "dnd-helper" / "api"
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


def run(call: Call, timeout: float) -> tuple[int, str, str]:
    """Run a call to its end; return its exit code, output and errors.

    Raises:
        subprocess.TimeoutExpired: it did not end in time, and is killed.
    """
    with (
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        write_call(call, said.fileno())
        read, write = os.pipe()
        with open(read, "rb", buffering=0) as status:  # noqa: PTH123 - a pipe
            try:
                _server().start([said.fileno(), output.fileno(), errors.fileno(), write])
            finally:
                os.close(write)
            code = _wait(status.fileno(), call, timeout)
        for file in (output, errors):
            file.seek(0)
        return code, output.read().decode(), errors.read().decode()


def _wait(status: int, call: Call, timeout: float) -> int:
    """Read the process id and the exit code that the supervisor writes."""
    lines = b""
    with selectors.DefaultSelector() as selector:
        selector.register(status, selectors.EVENT_READ)
        while lines.count(b"\n") < 2:
            if not selector.select(timeout):
                os.kill(int(lines.split()[0]), signal.SIGKILL)
                raise subprocess.TimeoutExpired(call.arguments, timeout)
            more = os.read(status, 100)
            assert more, "the preloaded interpreter has ended: see its errors above"
            lines += more
    return int(lines.split()[1])


class Server:
    """The preloaded interpreter."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.lock = threading.Lock()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.preloaded", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=BASE,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def start(self, files: list[int]) -> None:
        """Start a run with these files: call, output, errors, status."""
        with self.lock:
            socket.send_fds(self.socket, [b"."], files)

    def stop(self) -> None:
        """End it; runs that are under way go on."""
        self.socket.close()
        self.process.wait()


@cache
def _server() -> Server:
    server = Server()
    atexit.register(server.stop)
    return server
