"""Starts the bot: `python -m dnd_helper_bot.main`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import httpx
from aiogram import Bot, Dispatcher
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import TelegramNetworkError, TelegramUnauthorizedError
from aiogram.fsm.storage.memory import MemoryStorage
from aiogram.utils.token import TokenValidationError

from dnd_helper_bot import logs
from dnd_helper_bot.handlers import make_router
from dnd_helper_bot.library import Library
from dnd_helper_bot.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from aiogram.fsm.storage.base import BaseStorage

PATIENCE = 5.0  # seconds that the API may take: somebody is waiting
REMEMBERED = 180 * 24 * 3600  # seconds that a chosen language is kept after its last use


def main() -> None:
    """Answer until SIGTERM or SIGINT."""
    # As PID 1 a process without a handler ignores SIGTERM; aiogram sets its own when it polls.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        settings = load(os.environ)
        logs.set_up(settings)
        asyncio.run(serve(settings))
    except SettingsError as error:
        sys.exit(f"settings: {error}")
    except TokenValidationError:
        sys.exit("settings: BOT_TOKEN is not a token (digits, a colon, letters)")
    except TelegramUnauthorizedError:
        sys.exit("Telegram refuses BOT_TOKEN: ask @BotFather for the right one")
    except TelegramNetworkError as error:
        sys.exit(f"Telegram cannot be reached: {error.message}")


async def serve(settings: Settings) -> None:
    """Poll Telegram and answer."""
    server = TelegramAPIServer.from_base(settings.telegram) if settings.telegram else PRODUCTION
    async with httpx.AsyncClient(base_url=settings.api, timeout=PATIENCE) as client:
        bot = Bot(
            settings.token,
            session=AiohttpSession(api=server),
            default=DefaultBotProperties(parse_mode="HTML"),
        )
        dispatcher = Dispatcher(storage=storage(settings), library=Library(client))
        dispatcher.include_router(make_router())
        await dispatcher.start_polling(bot)  # closes the session and the storage behind it


def storage(settings: Settings) -> BaseStorage:
    """Where chosen languages are remembered: Redis, or memory without one."""
    if settings.redis is None:
        return MemoryStorage()
    from aiogram.fsm.storage.redis import RedisStorage

    return RedisStorage.from_url(
        settings.redis,
        connection_kwargs={"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE},
        data_ttl=REMEMBERED,
    )


if __name__ == "__main__":
    main()
