"""The command that starts the bot: `python -m dnd_helper_bot.main`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from dnd_helper_bot import logs
from dnd_helper_bot.settings import SettingsError, load


def main() -> None:
    """Answer until SIGTERM or SIGINT."""
    # A process with PID 1 and without a handler ignores SIGTERM; aiogram sets a handler when it polls.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        settings = load(os.environ)
    except SettingsError as error:
        sys.exit(f"settings: {error}")
    logs.set_up(settings)

    # The import of aiogram takes seconds: report wrong settings before.
    from dnd_helper_bot.polling import TelegramRefusal, serve  # noqa: PLC0415 - see above

    try:
        asyncio.run(serve(settings))
    except TelegramRefusal as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
