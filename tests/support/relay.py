"""A command that runs a program in a fork of a preloaded interpreter, and passes signals and the exit code on.

`python -SE relay.py SOCKET MODULE`, for programs that another program starts, such as the temporary API. The few
imports take some milliseconds.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress


def main() -> None:
    """Run the module, with this process's environment, folder and output."""
    path, module = sys.argv[1:]
    signals = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # until there is a run that gets them
    call = {"arguments": [], "environ": dict(os.environ), "folder": os.getcwd(), "module": module}  # noqa: PTH109
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [b"."], [1, 2])
        connection.sendall(json.dumps(call).encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile() as said:
            run = int(said.readline())
            for number in signals:
                signal.signal(number, lambda signum, _: _send(run, signum))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
            code = int(said.readline())
    sys.exit(code if code >= 0 else 128 - code)


def _send(run: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has ended meanwhile
        os.kill(run, number)


if __name__ == "__main__":
    main()
