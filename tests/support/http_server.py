"""An HTTP server in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer

LOOK_SECONDS = 0.01
"""How long a server that is told to stop may take until it looks: at the end of each test."""


@contextmanager
def in_a_thread(server: HTTPServer) -> Iterator[str]:
    """Let the server answer until the block ends; yield its address."""
    thread = threading.Thread(target=server.serve_forever, args=(LOOK_SECONDS,))
    with server:
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
