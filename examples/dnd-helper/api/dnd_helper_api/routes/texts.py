"""Texts of the bot and names of the game's vocabularies; written by seeding the tables alone."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from dnd_helper_api.dependencies import Database
from dnd_helper_api.models import EnumTranslation, UiTranslation
from dnd_helper_api.schemas import Lang
from dnd_helper_api.store import as_record

router = APIRouter(tags=["texts"])


@router.get("/ui-translations")
def ui_translations(database: Database, lang: Lang | None = None) -> list[dict[str, Any]]:
    """The bot's texts, in one language or in all of them."""
    wanted = select(UiTranslation).order_by(UiTranslation.id)
    if lang is not None:
        wanted = wanted.where(UiTranslation.lang == lang)
    return [as_record(row) for row in database.scalars(wanted)]


@router.get("/enum-translations")
def enum_translations(database: Database, lang: Lang | None = None) -> list[dict[str, Any]]:
    """Sizes, schools and the like, in one language or in all of them."""
    wanted = select(EnumTranslation).order_by(EnumTranslation.id)
    if lang is not None:
        wanted = wanted.where(EnumTranslation.lang == lang)
    return [as_record(row) for row in database.scalars(wanted)]
