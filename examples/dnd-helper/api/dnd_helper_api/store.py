"""Monsters and spells in the database: the only module that reads and writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import or_, select

from dnd_helper_api.models import Base, Monster, Spell

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from dnd_helper_api.schemas import MonsterIn, SpellIn

Row = TypeVar("Row", Monster, Spell)


def as_record(row: Base) -> dict[str, Any]:
    """Return a row with all of its columns and nothing else."""
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def listed(session: Session, model: type[Row]) -> list[dict[str, Any]]:
    """List every row, without translations, in the order of creation."""
    return [as_record(row) for row in session.scalars(select(model).order_by(model.id))]


def translations(session: Session, model: type[Row], row_id: int) -> list[dict[str, Any]] | None:
    """Return a row's translations by language; None if there is no such row."""
    row = session.get(model, row_id)
    if row is None:
        return None
    by_lang = row.translations
    return [as_record(by_lang[lang]) for lang in sorted(by_lang)]


def create(session: Session, row: Row, body: MonsterIn | SpellIn) -> dict[str, Any]:
    """Add a row, even if a row with the same slug exists."""
    session.add(row)
    return _save(session, row, body)


def replace(
    session: Session, model: type[Row], row_id: int, body: MonsterIn | SpellIn
) -> dict[str, Any] | None:
    """Set every column, to its default if the body has no value; languages left out are kept."""
    row = session.get(model, row_id)
    return None if row is None else _save(session, row, body)


def delete(session: Session, model: type[Row], row_id: int) -> bool:
    """Remove a row and its translations; return False if there was no such row."""
    row = session.get(model, row_id)
    if row is None:
        return False
    session.delete(row)
    session.commit()
    return True


def search(
    session: Session, model: type[Row], name: str, lang: str, limit: int
) -> list[dict[str, Any]]:
    """Find rows whose translated name or slug contains `name` or resembles it, best first."""
    text = model.translation
    found = session.execute(
        select(model, text)
        .join(model.translations)
        .where(
            text.lang == lang,
            or_(
                text.name.icontains(name, autoescape=True),
                text.name.bool_op("%")(name),  # pg_trgm: similar enough
                model.slug.icontains(name, autoescape=True),
            ),
        )
        .order_by(text.name.op("<->")(name), text.name, model.id)
        .limit(limit)
    ).tuples()
    return [as_record(row) | _text(translation) for row, translation in found]


def _text(translation: Base) -> dict[str, Any]:
    return {name: value for name, value in as_record(translation).items() if name != "id"}


def _save(session: Session, row: Row, body: MonsterIn | SpellIn) -> dict[str, Any]:
    record = body.model_dump()
    sent = record.pop("translations")
    for name, value in record.items():
        setattr(row, name, value)
    for lang, text in _kept(sent).items():
        translation = row.translations.get(lang) or row.translation(lang=lang)
        for name, value in text.items():
            setattr(translation, name, value)
        row.translations[lang] = translation
    session.commit()  # here, because the dependency ends after the answer was sent
    return as_record(row)


def _kept(sent: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    # A known quirk, kept for clients that rely on it: a translation without a description is
    # dropped, and the answer is still 201 (200). Clients have to read back what they wrote.
    return {lang: text for lang, text in sent.items() if text["description"]}
