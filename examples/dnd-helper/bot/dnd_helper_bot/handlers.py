"""The bot's answers to /start, /monster NAME, /spell NAME, and the buttons below its messages."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiogram import F, Router
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.types import (
    CallbackQuery,
    ErrorEvent,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    User,
)

from dnd_helper_bot.cards import monster_card, spell_card
from dnd_helper_bot.library import LibraryAway
from dnd_helper_bot.texts import DEFAULT, LANGUAGES, Texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiogram.fsm.context import FSMContext
    from aiogram.types import Update

    from dnd_helper_bot.library import Library

log = logging.getLogger(__name__)

CALLBACK_BYTES = 64  # limit of Telegram for the data of a button


@dataclass(frozen=True)
class Shelf:
    """A kind of record to look up: its path in the API and its card."""

    path: str
    card: Callable[[dict[str, Any], Texts], str]


SHELVES = {
    "monster": Shelf("/monsters", monster_card),
    "spell": Shelf("/spells", spell_card),
}


def make_router() -> Router:
    """Create the router; its handlers are tried in this order."""
    router = Router()
    router.message.register(start, CommandStart())
    router.message.register(look_up, Command(*SHELVES))
    router.message.register(explain)
    router.callback_query.register(press_language, F.data.startswith("lang:"))
    router.callback_query.register(press_record, F.data.func(_names_a_shelf))
    router.errors.register(apologise)
    return router


async def start(
    message: Message, command: CommandObject, state: FSMContext, library: Library
) -> None:
    """Greet after `/start`; choose a language after `/start ru`."""
    wanted = (command.args or "").strip().lower()
    if wanted in LANGUAGES:
        await _choose(message, wanted, state, library)
        return
    texts = await library.texts(await _language(state, message.from_user))
    if wanted:
        await message.answer(texts.say("bot", "unknown_language", languages=", ".join(LANGUAGES)))
        return
    buttons = [
        InlineKeyboardButton(text=name, callback_data=f"lang:{lang}")
        for lang, name in LANGUAGES.items()
    ]
    keyboard = InlineKeyboardMarkup(inline_keyboard=[buttons])
    await message.answer(texts.say("bot", "start"), reply_markup=keyboard)


async def look_up(
    message: Message, command: CommandObject, state: FSMContext, library: Library
) -> None:
    """Answer `/monster NAME` and `/spell NAME`."""
    lang = await _language(state, message.from_user)
    name = " ".join((command.args or "").split())
    if not name:
        texts = await library.texts(lang)
        await message.answer(texts.say("bot", f"ask_{command.command}"))
        return
    await _show(message, command.command, name, lang, library)


async def explain(message: Message, state: FSMContext, library: Library) -> None:
    """Answer any other message."""
    texts = await library.texts(await _language(state, message.from_user))
    await message.answer(texts.say("bot", "help"))


async def press_language(query: CallbackQuery, state: FSMContext, library: Library) -> None:
    """Answer the button of a language."""
    await query.answer()
    lang = (query.data or "").partition(":")[2]
    if isinstance(query.message, Message) and lang in LANGUAGES:
        await _choose(query.message, lang, state, library)


async def press_record(query: CallbackQuery, state: FSMContext, library: Library) -> None:
    """Answer the button of a record in a list."""
    await query.answer()
    kind, _, slug = (query.data or "").partition(":")
    if isinstance(query.message, Message):
        lang = await _language(state, query.from_user)
        await _show(query.message, kind, slug, lang, library)


async def apologise(event: ErrorEvent) -> bool:
    """Log an error, such as an unreachable Redis or a defect, and tell the user that it happened."""
    log.error("update %d failed", event.update.update_id, exc_info=event.exception)
    message = _message_of(event.update)
    if message is not None:
        await message.answer(Texts().say("bot", "away"))
    return True


async def _show(message: Message, kind: str, name: str, lang: str, library: Library) -> None:
    shelf, texts = SHELVES[kind], await library.texts(lang)
    try:
        found, spoken = await _search(shelf, name, lang, library)
    except LibraryAway as error:
        log.warning("looking up a %s: %s", kind, error)
        await message.answer(texts.say("bot", "away"))
        return
    if not found:
        await message.answer(texts.say("bot", "not_found", name=name))
    elif len(found) == 1:
        await message.answer(shelf.card(found[0], await library.texts(spoken)))
    else:
        await message.answer(
            texts.say("bot", "several", name=name), reply_markup=_list(kind, found)
        )


async def _search(
    shelf: Shelf, name: str, lang: str, library: Library
) -> tuple[list[dict[str, Any]], str]:
    """Find records, and the language of the name: a Russian name works in an English chat too."""
    for spoken in (lang, *(other for other in LANGUAGES if other != lang)):
        if found := await library.search(shelf.path, name, spoken):
            return found, spoken
    return [], lang


def _list(kind: str, found: list[dict[str, Any]]) -> InlineKeyboardMarkup:
    named = [(str(record["name"]), f"{kind}:{record['slug']}") for record in found]
    rows = [
        [InlineKeyboardButton(text=name, callback_data=data)]
        for name, data in named
        if len(data.encode()) <= CALLBACK_BYTES
    ]
    return InlineKeyboardMarkup(inline_keyboard=rows)


async def _choose(message: Message, lang: str, state: FSMContext, library: Library) -> None:
    await state.update_data(lang=lang)
    await message.answer((await library.texts(lang)).say("bot", "language_set"))


async def _language(state: FSMContext, user: User | None) -> str:
    """Return the chosen language, or the telephone's language if the bot speaks it."""
    chosen = (await state.get_data()).get("lang")
    if chosen in LANGUAGES:
        return str(chosen)
    code = ((user.language_code if user else None) or DEFAULT)[:2]
    return code if code in LANGUAGES else DEFAULT


def _names_a_shelf(data: str) -> bool:
    return data.partition(":")[0] in SHELVES


def _message_of(update: Update) -> Message | None:
    if update.message is not None:
        return update.message
    asked = update.callback_query.message if update.callback_query else None
    return asked if isinstance(asked, Message) else None
