"""The state of the database after a failure: looked up when all is rolled back, and nothing else is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from compose_init.database.connection import Connection
from compose_init.migrations.committed_revisions import read_committed
from compose_init.migrations.env_calls import EnvCall
from compose_init.migrations.revision_graph import RevisionGraph
from compose_init.migrations.revision_progress import RevisionProgress, RevisionRun
from compose_seeder.postgres import statements

SHOWN = 10


@dataclass(frozen=True)
class Aftermath:
    """The state after a failure.

    Attributes:
        kept: revisions of this run that are in their version table, by table.
        undone: revisions that came to their end, and are not.
        remains: what is committed all the same of revisions that are not: objects and statements.
        unknown: why nothing could be looked up; "" where it was.
    """

    kept: Mapping[str, Sequence[str]] = field(default_factory=dict)
    undone: Sequence[str] = ()
    remains: Sequence[str] = ()
    unknown: str = ""

    def __str__(self) -> str:
        if self.unknown:
            return f"what is committed could not be looked up: {self.unknown}; run again"
        said = [f"{', '.join(names)} committed in {table}" for table, names in self.kept.items()]
        if self.undone:
            said.append(f"{', '.join(self.undone)} rolled back as well")
        if self.remains:
            more = len(self.remains) - SHOWN
            shown = [*self.remains[:SHOWN], *([f"{more} more"] if more > 0 else [])]
            said.append(
                f"committed all the same, without its revision: {'; '.join(shown)}: undo that by hand, or let the"
                " revision accept it (IF NOT EXISTS)"
            )
        elif not self.kept:
            said.append("nothing was migrated")
        return f"{'; '.join(said)}; fix it and run again"


def look_up(
    connection: Connection,
    graph: RevisionGraph,
    calls: Sequence[EnvCall],
    progress: RevisionProgress,
) -> Aftermath:
    """Return what the database has now of the revisions that ran.

    Args:
        connection: our own.
        graph: the image's revisions.
        calls: of `context.run_migrations()`.
        progress: the revisions that ran.
    """
    try:
        found = [read_committed(connection, graph, call) for call in calls]
        lost = [run for run in progress.runs if run.revision.revision not in found[run.call]]
        kept: dict[str, list[str]] = {}
        for run in progress.runs:
            if run not in lost:
                kept.setdefault(calls[run.call].name, []).append(run.revision.revision)
        return Aftermath(
            kept=kept,
            undone=[run.revision.revision for run in lost if run.finished],
            remains=_remains(connection, lost),
        )
    except psycopg.Error as error:
        return Aftermath(unknown=str(error).partition("\n")[0])


def _remains(connection: Connection, lost: Sequence[RevisionRun]) -> list[str]:
    """Return the objects that were committed since the first of these revisions began, and their statements."""
    if not lost:
        return []
    query = statements("migrations", "compose_init")["committed_since"]
    rows = connection.execute(query, {"snapshot": lost[0].snapshot})
    return [*(name for (name,) in rows), *(text for run in lost for text in run.committed)]
