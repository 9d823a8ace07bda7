"""The command that starts the API: `python -m dnd_helper_api.main`."""

from __future__ import annotations

import os
import sys

import uvicorn

from dnd_helper_api import logs
from dnd_helper_api.app import create_app
from dnd_helper_api.settings import SettingsError, load

SHUTDOWN_SECONDS = 5  # for running requests after SIGTERM; Docker kills after ten


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    try:
        settings = load(os.environ)
    except SettingsError as error:
        sys.exit(f"settings: {error}")
    logs.set_up(settings)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=settings.log_level == "DEBUG",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


if __name__ == "__main__":
    main()
