"""The position of a database in an image's revision graph: a decision on values.

    empty ─▶ behind ─▶ at head ─▶ ahead           diverged: not on this line at all

An image that was rolled back meets revisions that it does not have. The ledger of revisions says what
they descend from, so that *ahead* can be told from *diverged*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from compose_init.migrations.revision_graph import AppliedRevision, Revision, RevisionGraph


class DatabaseState(StrEnum):
    """The states that `status` reports."""

    EMPTY = "empty"
    BEHIND = "behind"
    AT_HEAD = "at head"
    AHEAD = "ahead"
    DIVERGED = "diverged"


@dataclass(frozen=True, slots=True)
class DatabasePosition:
    """The position of a database, seen from an image.

    Attributes:
        state: the relation of the database to the image's heads.
        unknown: the revisions that the database has and the image does not, oldest first.
        problem: why the database has diverged; "" where it has not.
        version_table: of the history, if it is exactly one; else "".
    """

    state: DatabaseState
    unknown: tuple[AppliedRevision, ...] = ()
    problem: str = ""
    version_table: str = ""


@dataclass(frozen=True, slots=True)
class Inspection:
    """One history of a database beside the image's revisions.

    Attributes:
        graph: the image's.
        current: the revisions the database is at, known to the image or not.
        version_table: of the history, which may be not there yet.
    """

    graph: RevisionGraph
    current: tuple[str, ...]
    version_table: str

    @property
    def pending(self) -> tuple[Revision, ...]:
        """The revisions that are not applied, in order."""
        return self.graph.pending(self.current)


def pending_revisions(found: Sequence[Inspection]) -> tuple[Revision, ...]:
    """Return what is pending, in order; of several histories, each revision with its version table."""
    if len(found) == 1:
        return found[0].pending
    return tuple(
        replace(revision, version_table=each.version_table)
        for each in found
        for revision in each.pending
    )


def locate(
    graph: RevisionGraph, current: Iterable[str], ledger: Mapping[str, AppliedRevision]
) -> DatabasePosition:
    """Return the position of a database that is at the revisions `current`.

    Args:
        graph: the image's.
        current: the ids in the database's version table.
        ledger: revisions that were applied to it, by id; read only where `current` has an id that the
            image does not know.
    """
    here = set(current)
    foreign = sorted(here - graph.revisions.keys())
    if not foreign:
        if graph.applied(here).issuperset(graph.heads):
            return DatabasePosition(DatabaseState.AT_HEAD)
        return DatabasePosition(DatabaseState.BEHIND if here else DatabaseState.EMPTY)
    unknown, missing = _trace_back(graph, foreign, ledger)
    problem = _explain_divergence(graph, here, unknown, missing)
    state = DatabaseState.DIVERGED if problem else DatabaseState.AHEAD
    return DatabasePosition(state, unknown, problem)


def _explain_divergence(
    graph: RevisionGraph, here: set[str], unknown: tuple[AppliedRevision, ...], missing: list[str]
) -> str:
    if missing:
        return _not_connected(sorted(here - graph.revisions.keys()), missing)
    applied = graph.applied([*here, *(name for entry in unknown for name in entry.prerequisites)])
    pending = [head for head in graph.heads if head not in applied]
    if pending:
        return _forked(unknown, pending)
    breaking = [entry for entry in unknown if entry.breaks_older_images]
    return _incompatible(breaking) if breaking else ""


def _trace_back(
    graph: RevisionGraph, foreign: Iterable[str], ledger: Mapping[str, AppliedRevision]
) -> tuple[tuple[AppliedRevision, ...], list[str]]:
    """Follow the ledger from ids that the image does not have back to ids that it has.

    Returns:
        The revisions on the way, oldest first, and the ids that neither the image nor the ledger knows.
    """
    ordered: dict[str, AppliedRevision] = {}
    missing: list[str] = []
    unvisited = [(name, False) for name in foreign]
    seen: set[str] = set()
    while unvisited:
        name, expanded = unvisited.pop()
        if expanded:
            ordered[name] = ledger[name]
        elif name in graph.revisions or name in seen:
            continue
        elif name not in ledger:
            seen.add(name)
            missing.append(name)
        else:
            seen.add(name)
            unvisited.append((name, True))
            unvisited += [(parent, False) for parent in ledger[name].prerequisites]
    return tuple(ordered.values()), sorted(missing)


def _not_connected(foreign: list[str], missing: list[str]) -> str:
    return (
        f"the database is at revision {', '.join(foreign)}, which this image does not have, and the ledger does not"
        f" know {', '.join(missing)}; is it the right database, and the right image? If it is, deploy the image that"
        " has the revision, or a later image; nothing was changed"
    )


def _forked(unknown: tuple[AppliedRevision, ...], pending: list[str]) -> str:
    described = "; ".join(str(entry) for entry in unknown)
    return (
        f"the database has diverged: it has {described}, which this image does not have, and the image's own"
        f" {', '.join(sorted(pending))} is not applied; join both branches with `alembic merge`, or deploy the image"
        " that migrated the database; nothing was changed"
    )


def _incompatible(breaking: list[AppliedRevision]) -> str:
    described = "; ".join(str(entry) for entry in breaking)
    return (
        f"the database has a revision that breaks older images, this image included: {described}; deploy the image"
        " that has the revision, or a later image; nothing was changed"
    )
