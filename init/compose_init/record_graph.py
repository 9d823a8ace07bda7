"""What the command `record` does while an image is built: it writes the revision graph to a file."""

from __future__ import annotations

from collections.abc import Callable
from logging import WARNING

from compose_init.errors import MigrationError
from compose_init.logs import event
from compose_init.migrations.application import migrations_of
from compose_init.migrations.fingerprint import fingerprint_migrations
from compose_init.migrations.revision_graph import RevisionGraph
from compose_init.migrations.revision_graph_file import write_graph_file
from compose_init.settings import Settings


def record_revision_graph(
    settings: Settings, reset_logging: Callable[[], object]
) -> tuple[str, RevisionGraph] | None:
    """Record the revision graph beside the configuration, so that a run need not import Alembic.

    Returns:
        The file's path, and the graph; None if the revisions cannot be imported here, because they need
        variables that only the server has. A run then imports Alembic.

    Raises:
        MigrationError: the revisions are broken, or the file cannot be written.
        SettingsError: there are no migrations.
    """
    migrations = migrations_of(settings, reset_logging, offline=True)
    try:
        graph = migrations.graph()
    except MigrationError as error:
        cause = error.__cause__
        if cause is None or type(cause).__module__.startswith("alembic."):
            raise
        event(
            "the revision graph cannot be recorded here, so a run will import Alembic to know it",
            WARNING,
            reason=f"{type(cause).__name__}: {cause}",
        )
        return None
    if not migrations.reads_recorded_folders:
        event(
            "the revision graph cannot be recorded, so a run will import Alembic to know it",
            WARNING,
            reason="Alembic reads revisions from a folder that the configuration alone does not tell",
        )
        return None
    fingerprint = fingerprint_migrations(migrations.options).combined
    try:
        return str(write_graph_file(migrations.options.config, graph, fingerprint)), graph
    except OSError as error:
        raise MigrationError(
            f"the revision graph cannot be recorded beside {migrations.options}: {error.strerror}"
        ) from None
