"""What there is to migrate: the image's revisions, and those the database is at. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from alembic.runtime.migration import MigrationContext

from compose_init.errors import InitError
from compose_init.migrations.alembic_env import AlembicEnvironment
from compose_init.migrations.errors import Failure, translate
from compose_init.migrations.revision_graph import RevisionGraph


@dataclass(frozen=True, slots=True)
class Inspection:
    """A database beside the image's revisions.

    Attributes:
        graph: the image's.
        current: the revisions the database is at, known to the image or not.
    """

    graph: RevisionGraph
    current: tuple[str, ...]


def read_graph(environment: AlembicEnvironment) -> RevisionGraph:
    """Return the image's revisions.

    Raises:
        MigrationError: the revisions are broken.
    """
    with _translated(environment), environment.opened():
        return environment.graph()


def inspect(environment: AlembicEnvironment) -> Inspection:
    """Run env.py without a step, and return what the database is at.

    Raises:
        MigrationError: the revisions are broken, or env.py fails.
        ConnectionLostError: the database went away.
    """
    found: list[tuple[str, ...]] = []

    def steps(current: tuple[str, ...], _: MigrationContext) -> list[Any]:
        found.append(tuple(current))
        return []

    with _translated(environment), environment.opened():
        graph = environment.graph()
        environment.run_online(steps, dont_mutate=True)
        environment.check_calls()
    if not found:  # a loop that had nothing to go through
        return Inspection(RevisionGraph(), ())
    # Of several version tables, the one with the most to do.
    return Inspection(graph, max(found, key=lambda current: len(graph.pending(current))))


@contextmanager
def _translated(environment: AlembicEnvironment) -> Iterator[None]:
    try:
        yield
    except (InitError, psycopg.OperationalError):
        raise  # of our own connection: who opened it translates it
    except (Exception, SystemExit) as error:
        raise translate(error, Failure(environment.config)) from error
