"""`/monsters`: one object per request; no bulk call, no upsert, no unique slugs."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query

from dnd_helper_api import store
from dnd_helper_api.dependencies import WRITES, Database
from dnd_helper_api.models import Monster
from dnd_helper_api.schemas import Lang, MonsterIn

router = APIRouter(prefix="/monsters", tags=["monsters"])

Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
Row = dict[str, Any]


@router.get("")
def search(
    database: Database,
    q: Annotated[str, Query(min_length=1, max_length=100)],
    lang: Lang = "en",
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> list[Row]:
    """Find monsters by name or slug, with their text in one language."""
    return store.search(database, Monster, q, lang, limit)


@router.get("/list/raw")
def list_raw(database: Database) -> list[Row]:
    """List every row of the table, without translations."""
    return store.listed(database, Monster)


@router.post("", status_code=201, dependencies=WRITES)
def create(database: Database, body: MonsterIn) -> Row:
    """Add a monster, even if a monster with the same slug exists."""
    return store.create(database, Monster(), body)


@router.get("/{row_id}")
def read(database: Database, row_id: Id) -> Row:
    """Return one monster, without translations."""
    row = database.get(Monster, row_id)
    if row is None:
        raise _missing(row_id)
    return store.as_record(row)


@router.put("/{row_id}", dependencies=WRITES)
def replace(database: Database, row_id: Id, body: MonsterIn) -> Row:
    """Set every field, to its default if it was not sent; languages not sent are kept."""
    row = store.replace(database, Monster, row_id, body)
    if row is None:
        raise _missing(row_id)
    return row


@router.delete("/{row_id}", status_code=204, dependencies=WRITES)
def delete(database: Database, row_id: Id) -> None:
    """Remove a monster and its translations."""
    if not store.delete(database, Monster, row_id):
        raise _missing(row_id)


@router.get("/{row_id}/translations")
def translations(database: Database, row_id: Id) -> list[Row]:
    """List a monster's texts, one row for each language."""
    rows = store.translations(database, Monster, row_id)
    if rows is None:
        raise _missing(row_id)
    return rows


def _missing(row_id: int) -> HTTPException:
    return HTTPException(404, f"there is no monster {row_id}")
