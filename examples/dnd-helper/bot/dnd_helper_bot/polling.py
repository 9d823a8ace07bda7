"""Polling of Telegram with aiogram, connected to the API and Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from aiogram import Bot, Dispatcher
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import TelegramNetworkError, TelegramUnauthorizedError
from aiogram.fsm.storage.memory import MemoryStorage

from dnd_helper_bot.handlers import make_router
from dnd_helper_bot.library import Library

if TYPE_CHECKING:
    from aiogram.fsm.storage.base import BaseStorage

    from dnd_helper_bot.settings import Settings

TIMEOUT_SECONDS = 5.0  # for the API and Redis: a user is waiting
LANGUAGE_TTL_SECONDS = 180 * 24 * 3600  # since the language was chosen


class TelegramRefusal(Exception):  # noqa: N818 - what happened, not what went wrong in here
    """Telegram cannot be polled; the message gives the reason."""


async def serve(settings: Settings) -> None:
    """Poll Telegram and answer, until SIGTERM or SIGINT. Raises TelegramRefusal."""
    server = TelegramAPIServer.from_base(settings.telegram) if settings.telegram else PRODUCTION
    async with httpx.AsyncClient(base_url=settings.api, timeout=TIMEOUT_SECONDS) as client:
        bot = Bot(
            settings.token,
            session=AiohttpSession(api=server),
            default=DefaultBotProperties(parse_mode="HTML"),
        )
        dispatcher = Dispatcher(storage=storage(settings), library=Library(client))
        dispatcher.include_router(make_router())
        try:
            await dispatcher.start_polling(bot)  # closes the bot's session and the storage
        except TelegramUnauthorizedError:
            raise TelegramRefusal(
                "Telegram refuses BOT_TOKEN: @BotFather has the right one"
            ) from None
        except TelegramNetworkError as error:  # later ones are retried by aiogram itself
            raise TelegramRefusal(f"Telegram cannot be reached: {error.message}") from error


def storage(settings: Settings) -> BaseStorage:
    """Create the storage of the chosen languages: in Redis, or in memory if no Redis is set."""
    if settings.redis is None:
        return MemoryStorage()
    from aiogram.fsm.storage.redis import RedisStorage  # noqa: PLC0415 - Redis is optional

    return RedisStorage.from_url(
        settings.redis,
        connection_kwargs={
            "socket_timeout": TIMEOUT_SECONDS,
            "socket_connect_timeout": TIMEOUT_SECONDS,
        },
        data_ttl=LANGUAGE_TTL_SECONDS,
    )
