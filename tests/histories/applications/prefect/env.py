"""The package's own env.py, in a worker thread of an event loop as `prefect server database upgrade` has it."""

import runpy

import anyio
import anyio.to_thread

ENVIRONMENT = "prefect.server.database._migrations.env"


async def main() -> None:
    """Wait for the thread, and raise what it raises."""
    await anyio.to_thread.run_sync(runpy.run_module, ENVIRONMENT)


anyio.run(main)
