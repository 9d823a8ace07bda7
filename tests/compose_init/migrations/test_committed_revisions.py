"""What version tables have is all that is said of the revisions that ran."""

from __future__ import annotations

import psycopg

from compose_init.migrations.committed_revisions import find_kept, find_missing
from compose_init.migrations.env_calls import EnvCall
from compose_init.migrations.revision_graph import Revision, RevisionGraph
from compose_init.migrations.version_table import VersionTable

A = Revision("a", "first", "a.py")
B = Revision("b", "second", "b.py", ("a",))
GRAPH = RevisionGraph({"a": A, "b": B})


def call(connection: psycopg.Connection, name: str, at: str, *done: Revision) -> EnvCall:
    """Return a call of `context.run_migrations()` whose version table is at a revision."""
    connection.execute(f"CREATE TABLE {name} AS SELECT '{at}' AS version_num".encode())
    return EnvCall(VersionTable("public", name, f"public.{name}", None), done=list(done))


def test_of_one_version_table(connection: psycopg.Connection) -> None:
    calls = [call(connection, "v", "a", A, B)]
    assert find_kept(connection, GRAPH, calls) == [A]
    assert find_missing(connection, GRAPH, calls) == ["b"]


def test_of_several_version_tables(connection: psycopg.Connection) -> None:
    """Each revision says to which it was applied; a table that is ahead lacks nothing."""
    calls = [call(connection, "v", "a", A, B), call(connection, "w", "b", B)]
    kept = find_kept(connection, GRAPH, calls)
    assert [(each.revision, each.version_table) for each in kept] == [
        ("a", "public.v"),
        ("b", "public.w"),
    ]
    calls[0].ahead = True
    assert find_missing(connection, GRAPH, calls) == []


def test_nothing_is_claimed_that_cannot_be_seen(connection: psycopg.Connection) -> None:
    """Where the connection is lost, the error that ended the run is not hidden by another one."""
    calls = [call(connection, "v", "b", A, B)]
    connection.close()
    assert find_kept(connection, GRAPH, calls) == []
