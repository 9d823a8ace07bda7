"""The ledger of revisions: what was applied to this database, after what, by which image, and when.

A revision is written by the connection that applies it, in the transaction that applies it: so the
ledger holds what is applied, no more and no less, whatever ends the run. An image that was rolled back
reads it to tell *ahead* from *diverged* (`database_position`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from compose_init.database.connection import Connection
from compose_init.errors import UnknownRevisionError
from compose_init.migrations.database_position import DatabasePosition, DatabaseState, locate
from compose_init.migrations.revision_graph import AppliedRevision, Revision, RevisionGraph
from compose_seeder.postgres import statements, storable

UNREADABLE = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
)


@dataclass(frozen=True, slots=True)
class Image:
    """The image's own version and git revision; both may be ""."""

    version: str = ""
    revision: str = ""


def apply_statement() -> str:
    """Return the statement that records revisions, for SQLAlchemy's `text()`; `rows` is made by `applied_row`."""
    return statements("migrations", "compose_init")["record_revisions"].format(rows=":rows")


def applied_row(connection: Connection, version_table: str, entry: Revision, image: Image) -> str:
    """Return the value for `apply_statement`.

    Args:
        connection: our own; its database's encoding may not have all characters of a message.
        version_table: of the history.
        entry: the revision that was applied, and how long it took.
        image: that applied it.
    """
    return json.dumps([_row(connection, version_table, entry, image, adopted=False)])


def align(
    connection: Connection, version_table: str, graph: RevisionGraph, current: Iterable[str]
) -> None:
    """Make the ledger hold what is applied, before a run: adopt what it lacks, forget what was undone.

    Args:
        connection: our own.
        version_table: of the history; of other histories nothing is changed.
        graph: the image's; of other revisions nothing is changed.
        current: the ids in the version table.
    """
    texts = statements("migrations", "compose_init")
    applied = graph.applied(current)
    known = read(connection, version_table)
    undone = [name for name in known if name in graph.revisions and name not in applied]
    if undone:
        values = {"version_table": version_table, "revisions": undone}
        connection.execute(texts["forget_revisions"], values)
    new = [entry for name, entry in graph.revisions.items() if name in applied - known.keys()]
    rows = [_row(connection, version_table, entry, Image(), adopted=True) for entry in new]
    if rows:
        query = sql.SQL(texts["record_revisions"]).format(rows=sql.Literal(json.dumps(rows)))
        connection.execute(query)


def allow(connection: Connection, roles: Iterable[str]) -> None:
    """Let the roles that `env.py` connects as write the ledger, where they are not ours."""
    query = sql.SQL(statements("migrations", "compose_init")["allow_role"])
    for role in {role for role in roles if role != connection.info.user}:
        connection.execute(query.format(role=sql.Identifier(role)))


def read(connection: Connection, version_table: str) -> dict[str, AppliedRevision]:
    """Return a history's revisions in the ledger by id, the oldest first; none where there is no ledger."""
    return {
        row["revision"]: AppliedRevision(
            row["revision"],
            row["message"],
            tuple(row["before"]),
            _describe_image(row["image_version"], row["git_revision"]),
            row["applied_at"],
            row["adopted"],
            row["breaks_older_images"],
        )
        for row in read_rows(connection, version_table)
    }


def read_rows(connection: Connection, version_table: str) -> list[dict[str, Any]]:
    """Return the ledger's rows of a history for `status`, with all that is known; none where there is no ledger."""
    with connection.cursor(row_factory=dict_row) as cursor:
        try:
            query = statements("migrations", "compose_init")["revisions"]
            return cursor.execute(query, {"version_table": version_table}).fetchall()
        except UNREADABLE:
            return []


def locate_or_refuse(
    connection: Connection, graph: RevisionGraph, current: tuple[str, ...], version_table: str
) -> DatabasePosition:
    """Return the database's position; the ledger is read only where the graph alone cannot tell.

    Args:
        connection: our own.
        graph: the image's.
        current: the ids in the version table.
        version_table: of the history.

    Raises:
        UnknownRevisionError: the database has diverged.
    """
    known = graph.revisions.keys() >= set(current)
    position = locate(graph, current, {} if known else read(connection, version_table))
    if position.state == DatabaseState.DIVERGED:
        raise UnknownRevisionError(position.problem)
    return replace(position, version_table=version_table)


def _describe_image(version: str, git_revision: str) -> str:
    return " ".join(filter(None, [version, git_revision and f"({git_revision})"]))


def _row(
    connection: Connection, version_table: str, entry: Revision, image: Image, *, adopted: bool
) -> Mapping[str, Any]:
    return {
        "version_table": version_table,
        "revision": entry.revision,
        "parents": entry.parents,
        "depends_on": entry.depends_on,
        "message": storable(connection, entry.message),
        "image_version": image.version,
        "git_revision": image.revision,
        "breaks_older_images": entry.breaks_older_images,
        "adopted": adopted,
        "seconds": entry.seconds,
    }
