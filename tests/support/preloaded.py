"""An interpreter that has imported a program already, and forks for each run.

```
tests ── a connection: the files of output and errors, the call ─▶ this process ─ fork ─▶ run
tests ◀────────── the process id and the exit code ──────────────── this process
```

A start of Python with all imports takes half a second, and with FastAPI more than one; a fork takes some
milliseconds. Each run is a process of its own with the environment, folder and output that the tests give it, and
ends as any interpreter does.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import threading
from dataclasses import dataclass

PROGRAMS = ("main", "__main__", "env")
"""Names of modules that are run, and never imported."""


@dataclass(frozen=True)
class Call:
    """A run to start."""

    arguments: list[str]
    environ: dict[str, str]
    folder: str
    module: str = "compose_init"
    first: str | None = None
    """A module that is imported in the run before the program starts."""


def main() -> None:
    """Import the modules that the arguments name, and serve runs until stdin ends.

    The first argument is the file descriptor of a listening socket; `package.*` is a package with all that it contains.
    """
    server = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        _import(name)
    gc.freeze()  # a collection in a run would copy all the pages that it shares with this process
    call = _next_run(server)
    if call is not None:
        _become(call)


def _import(name: str) -> None:
    package, everything, _ = name.partition(".*")
    path = importlib.import_module(package).__path__ if everything else []
    if not everything:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(path, f"{package}."):
        if module.name.rpartition(".")[2] not in PROGRAMS:
            importlib.import_module(module.name)


def _next_run(server: socket.socket) -> Call | None:
    """Return the call in the process of each run; in this one None, at the end."""
    connections: dict[int, socket.socket] = {}
    signal.signal(signal.SIGCHLD, lambda *_: _report_ended(connections))
    with selectors.DefaultSelector() as selector:
        for each in (server, sys.stdin):
            selector.register(each, selectors.EVENT_READ)
        while not any(key.fileobj is sys.stdin for key, _ in selector.select()):
            connection, _ = server.accept()
            _, files, _, _ = socket.recv_fds(connection, 1, 2)
            signal.pthread_sigmask(
                signal.SIG_BLOCK, {signal.SIGCHLD}
            )  # until it is in `connections`
            run = os.fork()
            if run == 0:
                for inherited in (server, *connections.values()):
                    inherited.close()
                return _begin(connection, *files)
            connections[run] = connection
            connection.send(f"{run}\n".encode())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            for file in files:
                os.close(file)
    return None


def _report_ended(connections: dict[int, socket.socket]) -> None:
    """Send the exit codes of the runs that have ended; one signal may stand for several of them."""
    while connections:
        run, code = os.waitpid(-1, os.WNOHANG)
        if not run:
            return
        with connections.pop(run) as connection:
            connection.send(f"{os.waitstatus_to_exitcode(code)}\n".encode())


def _begin(connection: socket.socket, output: int, errors: int) -> Call:
    """Take over the files of a run, as a new process has its streams and signals; return its call."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    for stream, file in enumerate((os.open(os.devnull, os.O_RDONLY), output, errors)):
        os.dup2(file, stream)
        os.close(file)
    with connection, connection.makefile("rb") as said:
        return Call(**json.load(said))


def _become(call: Call) -> None:
    os.environ.clear()
    os.environ.update(call.environ)
    os.chdir(call.folder)
    sys.path[0] = call.folder
    sys.argv = [call.module, *call.arguments]
    if call.first is not None:
        importlib.import_module(call.first)
    try:
        runpy.run_module(call.module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        _end(ended.code)


def _end(code: object) -> None:
    """End as an interpreter does, except that no memory is freed: that would copy all that is shared."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined] # joins the threads that are no daemons
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    main()
