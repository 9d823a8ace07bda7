"""What there is to migrate: the image's revisions, and those the database is at. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from alembic.runtime.migration import MigrationContext

from compose_init.errors import InitError
from compose_init.migrations.alembic_env import AlembicEnvironment
from compose_init.migrations.database_position import Inspection
from compose_init.migrations.errors import Failure, translate
from compose_init.migrations.loaded_revisions import Revisions
from compose_init.migrations.revision_graph import RevisionGraph
from compose_init.migrations.version_table import find_version_table


def read_graph(environment: AlembicEnvironment) -> RevisionGraph:
    """Return the image's revisions.

    Raises:
        MigrationError: the revisions are broken.
    """
    with _translated(environment), environment.opened():
        return environment.read_graph()


def inspect(environment: AlembicEnvironment) -> tuple[Inspection, ...]:
    """Run env.py without a step, and return what the database is at, for each version table; none for a loop of none.

    Raises:
        MigrationError: the revisions are broken, or env.py fails.
        ConnectionLostError: the database went away.
    """
    found: list[Inspection] = []

    def steps(
        revisions: Revisions, current: tuple[str, ...], context: MigrationContext
    ) -> list[Any]:
        name = find_version_table(context).name
        found.append(Inspection(revisions.graph, tuple(current), name))
        return []

    with _translated(environment), environment.opened():
        environment.run_online(steps, dont_mutate=True)
        environment.check_calls()
    return tuple(found)


@contextmanager
def _translated(environment: AlembicEnvironment) -> Iterator[None]:
    try:
        yield
    except (InitError, psycopg.OperationalError):
        raise  # of our own connection: who opened it translates it
    except (Exception, SystemExit) as error:
        raise translate(error, Failure(environment.options)) from error
