"""The revisions that version tables have: what is committed, and nothing that was only seen to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psycopg

from compose_init.database.connection import Connection
from compose_init.migrations.env_calls import EnvCall
from compose_init.migrations.revision_graph import Revision, RevisionGraph
from compose_init.migrations.version_table import read_version_table


def read_committed(connection: Connection, graph: RevisionGraph, call: EnvCall) -> set[str]:
    """Return the ids of all revisions that the version table of a call says are applied.

    Raises:
        psycopg.Error: it cannot be read.
    """
    return graph.applied(read_version_table(connection, call.table))


def find_kept(
    connection: Connection, graph: RevisionGraph, calls: Sequence[EnvCall]
) -> list[Revision]:
    """Return the revisions that ran and stayed; where there are several version tables, each with its own.

    Args:
        connection: our own; where it is lost, nothing is claimed.
        graph: the image's.
        calls: of `context.run_migrations()`, in order.
    """
    kept: list[Revision] = []
    for call in calls:
        try:
            found = read_committed(connection, graph, call) if call.done else set()
        except psycopg.Error:
            continue
        stayed = [revision for revision in call.done if revision.revision in found]
        kept += [replace(each, version_table=call.name) for each in stayed] if calls[1:] else stayed
    return kept


def find_missing(
    connection: Connection, graph: RevisionGraph, calls: Sequence[EnvCall]
) -> list[str]:
    """Return the heads that a version table lacks: an env.py that never commits looks just like one that works.

    Raises:
        psycopg.Error: a version table cannot be read.
    """
    missing: set[str] = set()
    for call in calls:
        if not call.ahead:
            missing |= set(graph.heads) - read_committed(connection, graph, call)
    return sorted(missing)
