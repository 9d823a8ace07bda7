"""The ledger of revisions: what was applied to this database, after what, by which image, and when.

A revision is written by the connection that applies it, in the transaction that applies it: so the
ledger holds what is applied, no more and no less, whatever ends the run. An image that was rolled back
reads it to tell *ahead* from *elsewhere* (`revision_graph`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from compose_init.database.connection import Connection
from compose_init.errors import UnknownRevisionError
from compose_init.migrations.revision_graph import (
    DatabaseState,
    Lineage,
    Place,
    Recorded,
    Revision,
    place,
)

# One text value, which every driver passes as it is; PostgreSQL does the typing. The spelling is for
# SQLAlchemy's text(), where a colon begins a parameter.
WRITE = """
INSERT INTO compose_init.revision AS ours
SELECT r.revision, r.parents, r.depends_on, r.message, r.image_version, r.git_revision,
       r.breaks_older_images, r.adopted, CASE WHEN r.adopted THEN NULL ELSE clock_timestamp() END, r.seconds
FROM jsonb_to_recordset(CAST(CAST({rows} AS text) AS jsonb)) AS r (
  revision text, parents text[], depends_on text[], message text, image_version text, git_revision text,
  breaks_older_images boolean, adopted boolean, seconds double precision)
ON CONFLICT (revision) DO UPDATE SET
  parents = excluded.parents, depends_on = excluded.depends_on, message = excluded.message,
  image_version = excluded.image_version, git_revision = excluded.git_revision,
  breaks_older_images = excluded.breaks_older_images, adopted = excluded.adopted,
  applied_at = excluded.applied_at, seconds = excluded.seconds
"""

APPLY = WRITE.format(rows=":rows")
"""For SQLAlchemy, in the transaction of the revision; `rows` is made by `row`."""

ADOPT = WRITE.format(rows="%(rows)s")

FORGET = "DELETE FROM compose_init.revision WHERE revision = ANY (%s)"

READ = """
SELECT revision, message, parents || depends_on AS before, image_version, git_revision, applied_at::text,
       seconds, adopted, breaks_older_images
FROM compose_init.revision ORDER BY applied_at NULLS FIRST, revision
"""

MISSING = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
)


@dataclass(frozen=True, slots=True)
class Image:
    """What the image says of itself; both may be ""."""

    version: str = ""
    revision: str = ""


def row(entry: Revision, image: Image, *, seconds: float | None, adopted: bool = False) -> str:
    """The value for `APPLY`."""
    return json.dumps([_row(entry, image, seconds=seconds, adopted=adopted)])


def align(connection: Connection, lineage: Lineage, current: Iterable[str]) -> None:
    """Make the ledger hold what is applied, before a run: adopt what it lacks, forget what was undone.

    Args:
        connection: our own.
        lineage: the image's; of other revisions nothing is changed.
        current: the ids in the database's version table.
    """
    applied = lineage.applied(current)
    known = read(connection)
    undone = [name for name in known if name in lineage.revisions and name not in applied]
    if undone:
        connection.execute(FORGET, [undone])
    new = [entry for name, entry in lineage.revisions.items() if name in applied - known.keys()]
    rows = [_row(entry, Image(), seconds=None, adopted=True) for entry in new]
    if rows:
        connection.execute(ADOPT, {"rows": json.dumps(rows)})


def allow(connection: Connection, roles: Iterable[str]) -> None:
    """Let the roles that `env.py` connects as write the ledger, where they are not ours."""
    from psycopg import sql

    for role in {role for role in roles if role != connection.info.user}:
        connection.execute(
            sql.SQL(
                "GRANT USAGE ON SCHEMA compose_init TO {role};"
                " GRANT SELECT, INSERT, UPDATE ON compose_init.revision TO {role}"
            ).format(role=sql.Identifier(role))
        )


def read(connection: Connection) -> dict[str, Recorded]:
    """Every revision in the ledger by id, the oldest first; none where there is no ledger."""
    found = {}
    for entry in rows(connection):
        image = " ".join(
            filter(
                None,
                [entry["image_version"], entry["git_revision"] and f"({entry['git_revision']})"],
            )
        )
        found[entry["revision"]] = Recorded(
            entry["revision"],
            entry["message"],
            tuple(entry["before"]),
            image,
            entry["applied_at"],
            entry["adopted"],
            entry["breaks_older_images"],
        )
    return found


def rows(connection: Connection) -> list[dict[str, Any]]:
    """The same for `status`, with all that is known."""
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        try:
            return cursor.execute(READ).fetchall()
        except MISSING:
            return []


def where(connection: Connection, lineage: Lineage, current: tuple[str, ...]) -> Place:
    """Where the database stands; the ledger is read only where the lineage alone cannot tell.

    Raises:
        UnknownRevisionError: elsewhere.
    """
    known = lineage.revisions.keys() >= set(current)
    here = place(lineage, current, {} if known else read(connection))
    if here.state == DatabaseState.DIVERGED:
        raise UnknownRevisionError(here.problem)
    return here


def _row(
    entry: Revision, image: Image, *, seconds: float | None, adopted: bool
) -> Mapping[str, Any]:
    return {
        "revision": entry.revision,
        "parents": entry.parents,
        "depends_on": entry.depends_on,
        "message": entry.message,
        "image_version": image.version,
        "git_revision": image.revision,
        "breaks_older_images": entry.breaks_older_images,
        "adopted": adopted,
        "seconds": seconds,
    }
