"""A server whose answer comes a byte at a time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def dripping(pieces: bytes, pause: float) -> Iterator[str]:
    """Yield the address of a server that sends one byte after the other, and then again the last."""
    over = threading.Event()

    def serve(line: socket.socket) -> None:
        with line, suppress(OSError):
            line.recv(65536)
            for number in range(100_000):
                line.sendall(pieces[min(number, len(pieces) - 1)].to_bytes())
                if over.wait(pause):
                    return

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
