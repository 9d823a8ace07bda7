"""Texts of the bot and labels of enum values; only seeding writes their tables."""

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
    """List the bot's texts, in one language or in all of them."""
    wanted = select(UiTranslation).order_by(UiTranslation.id)
    if lang is not None:
        wanted = wanted.where(UiTranslation.lang == lang)
    return [as_record(row) for row in database.scalars(wanted)]


@router.get("/enum-translations")
def enum_translations(database: Database, lang: Lang | None = None) -> list[dict[str, Any]]:
    """List the labels of sizes, schools and other enum values, in one language or in all of them."""
    wanted = select(EnumTranslation).order_by(EnumTranslation.id)
    if lang is not None:
        wanted = wanted.where(EnumTranslation.lang == lang)
    return [as_record(row) for row in database.scalars(wanted)]
