"""`/spells`: one object per request; no bulk call, no upsert, no unique slugs."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query

from dnd_helper_api import store
from dnd_helper_api.dependencies import WRITES, Database
from dnd_helper_api.models import Spell
from dnd_helper_api.schemas import Lang, SpellIn

router = APIRouter(prefix="/spells", tags=["spells"])

Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
Row = dict[str, Any]


@router.get("")
def search(
    database: Database,
    q: Annotated[str, Query(min_length=1, max_length=100)],
    lang: Lang = "en",
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> list[Row]:
    """Find spells by name or slug, with their text in one language."""
    return store.search(database, Spell, q, lang, limit)


@router.get("/list/raw")
def list_raw(database: Database) -> list[Row]:
    """List every row of the table, without translations."""
    return store.listed(database, Spell)


@router.post("", status_code=201, dependencies=WRITES)
def create(database: Database, body: SpellIn) -> Row:
    """Add a spell, even if a spell with the same slug exists."""
    return store.create(database, Spell(), body)


@router.get("/{row_id}")
def read(database: Database, row_id: Id) -> Row:
    """Return one spell, without translations."""
    row = database.get(Spell, row_id)
    if row is None:
        raise _missing(row_id)
    return store.as_record(row)


@router.put("/{row_id}", dependencies=WRITES)
def replace(database: Database, row_id: Id, body: SpellIn) -> Row:
    """Set every field, to its default if it was not sent; languages not sent are kept."""
    row = store.replace(database, Spell, row_id, body)
    if row is None:
        raise _missing(row_id)
    return row


@router.delete("/{row_id}", status_code=204, dependencies=WRITES)
def delete(database: Database, row_id: Id) -> None:
    """Remove a spell and its translations."""
    if not store.delete(database, Spell, row_id):
        raise _missing(row_id)


@router.get("/{row_id}/translations")
def translations(database: Database, row_id: Id) -> list[Row]:
    """List a spell's texts, one row for each language."""
    rows = store.translations(database, Spell, row_id)
    if rows is None:
        raise _missing(row_id)
    return rows


def _missing(row_id: int) -> HTTPException:
    return HTTPException(404, f"there is no spell {row_id}")
