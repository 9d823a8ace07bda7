"""An interpreter that has imported the program already, and forks for each run.

```
tests ── one byte, and the files of a run: call, output, errors, status ─▶ server ─ fork ─▶ supervisor ─ fork ─▶ run
tests ◀───────────────────────── status: process id, exit code ──────────────────────────── supervisor
```

A start of Python with all imports takes half a second, a fork some milliseconds. Each run is a process of its
own with the environment, folder and output that the tests give it, and ends as any interpreter does.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import threading
from dataclasses import asdict, dataclass

PACKAGES = ("compose_init", "compose_seeder")
LIBRARIES = (
    "alembic.autogenerate",
    "alembic.command",
    "alembic.config",
    "alembic.ddl.postgresql",
    "alembic.runtime.migration",
    "httpx",
    "rich.console",
    "sqlalchemy.dialects.postgresql.psycopg",
    "tenacity",
)
FILES_OF_A_RUN = 4


@dataclass(frozen=True)
class Call:
    """A run to start."""

    arguments: list[str]
    environ: dict[str, str]
    folder: str
    first: str | None = None
    """A module that is imported in the run before the program starts."""


def write_call(call: Call, file: int) -> None:
    """Write a call to an open file, and rewind the file."""
    os.write(file, json.dumps(asdict(call)).encode())
    os.lseek(file, 0, os.SEEK_SET)


def main() -> None:
    """Serve runs until the socket whose file descriptor is the only argument is closed by the tests."""
    server = socket.socket(fileno=int(sys.argv[1]))
    _import_everything()
    gc.freeze()  # a collection in a run would copy all the pages that it shares with this process
    call = _next_run(server)
    server.close()
    if call is not None:
        _become(call)


def _import_everything() -> None:
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(path, f"{package}."):
            if not module.name.endswith(("__main__", ".default_env.env")):  # these two are programs
                importlib.import_module(module.name)
    for library in LIBRARIES:
        importlib.import_module(library)


def _next_run(server: socket.socket) -> Call | None:
    """Return the call in the process of each run; in this one None, at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a supervisor
    while True:
        message, files, _, _ = socket.recv_fds(server, 1, FILES_OF_A_RUN)
        if not message:
            return None
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _supervise(server, *files)
        for file in files:
            os.close(file)


def _supervise(server: socket.socket, call: int, output: int, errors: int, status: int) -> Call:
    """Fork the run and return its call there; report its exit code, and end, in the supervisor."""
    server.close()
    run = os.fork()
    if run:
        os.write(status, f"{run}\n".encode())
        _, code = os.waitpid(run, 0)
        os.write(status, f"{os.waitstatus_to_exitcode(code)}\n".encode())
        os._exit(0)
    os.close(status)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    with open(call, "rb") as file:
        found = Call(**json.load(file))
    os.close(output)
    os.close(errors)
    return found


def _become(call: Call) -> None:
    os.environ.clear()
    os.environ.update(call.environ)
    os.chdir(call.folder)
    sys.path[0] = call.folder
    sys.argv = ["compose-init", *call.arguments]
    if call.first is not None:
        importlib.import_module(call.first)
    try:
        runpy.run_module("compose_init", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        _end(ended.code)


def _end(code: object) -> None:
    """End as an interpreter does, except that no memory is freed: that would copy all that is shared."""
    threading._shutdown()  # type: ignore[attr-defined] # joins the threads that are no daemons
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    main()
