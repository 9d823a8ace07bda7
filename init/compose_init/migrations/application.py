"""The application's migrations, as the settings describe them; Alembic is imported when one is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from compose_init.alembic_options import AlembicOptions
from compose_init.api_process import application_environment
from compose_init.database.url import Database
from compose_init.errors import SettingsError
from compose_init.migrations.revision_ledger import Image

if TYPE_CHECKING:
    from compose_init.database.connection import Connection
    from compose_init.migrations.alembic_env import AlembicEnvironment
    from compose_init.migrations.attempt import Observer
    from compose_init.migrations.database_position import DatabasePosition, Inspection
    from compose_init.migrations.revision_graph import Revision, RevisionGraph
    from compose_init.settings import Settings

NO_DATABASE = Database({}, "postgresql://")
"""While an image is built, there is none."""


@dataclass(frozen=True)
class Migrations:
    """The application's migrations.

    Attributes:
        settings: of the run.
        reset_logging: called when `env.py` may have configured logging.
        options: what `alembic` would be called with.
        database: where `env.py` shall connect to.
    """

    settings: Settings
    reset_logging: Callable[[], object]
    options: AlembicOptions
    database: Database

    def load(self) -> None:
        """Import Alembic, which takes a third of a second, and no revision: `env.py` comes first."""
        import_module("compose_init.migrations.upgrade")

    def graph(self) -> RevisionGraph:
        """Return the image's revisions as far as they need no `env.py`, as `inspection.read_graph` does."""
        from compose_init.migrations.inspection import read_graph  # noqa: PLC0415 - imports Alembic

        return read_graph(self._environment)

    def inspect(self) -> tuple[Inspection, ...]:
        """Return what the database is at, as `inspection.inspect` does."""
        from compose_init.migrations.inspection import inspect  # noqa: PLC0415 - imports Alembic

        return inspect(self._environment)

    @property
    def proves_nothing_to_do(self) -> bool:
        """True where the next run can tell what is due without `env.py`; asked after an upgrade."""
        return self._environment.proves_nothing_to_do

    @property
    def reads_recorded_folders(self) -> bool:
        """True where the fingerprint has every folder of revisions; asked after `graph`."""
        return self._environment.reads_recorded_folders

    def pending_sql(self, current: tuple[str, ...]) -> tuple[dict[str, str], str]:
        """Return what the pending revisions would execute, as `offline_sql.pending_sql` does."""
        from compose_init.migrations.offline_sql import pending_sql  # noqa: PLC0415 - imports Alembic

        return pending_sql(self._environment, current)

    def upgrade(
        self, connection: Connection, observer: Observer, applied: list[Revision]
    ) -> DatabasePosition:
        """Bring the database to head, as `upgrade.Upgrade.run` does."""
        from compose_init.migrations.upgrade import Upgrade  # noqa: PLC0415 - imports Alembic

        upgrade = Upgrade(
            environment=self._environment,
            database=self.database,
            image=Image(self.settings.image_version, self.settings.image_revision),
            lock_timeout=self.settings.migration_lock_timeout,
            retry_timeout=self.settings.lock_timeout,
        )
        return upgrade.run(connection, observer, applied)

    @cached_property
    def _environment(self) -> AlembicEnvironment:
        # Alembic takes a third of a second to import; a recorded graph is read without it.
        from compose_init.migrations.alembic_env import AlembicEnvironment  # noqa: PLC0415 - imports Alembic

        environ = {
            # Of a database in SQL_ASCII, libpq gives bytes where text is meant.
            "PGCLIENTENCODING": "UTF8",
            **application_environment(self.settings.file_values),
            "DATABASE_URL": self.database.application_url,
        }
        return AlembicEnvironment(
            self.options, _sqlalchemy_url(self.database), environ, self.reset_logging
        )


def migrations_of(
    settings: Settings, reset_logging: Callable[[], object], *, offline: bool = False
) -> Migrations:
    """Return the application's migrations.

    Args:
        settings: of the run.
        reset_logging: called when `env.py` may have configured logging.
        offline: there may be no database: an image is being built.

    Raises:
        SettingsError: there are no migrations.
    """
    database = NO_DATABASE if offline else settings.need_database()
    if settings.alembic is None:
        raise SettingsError(
            f"settings are wrong:\n  ALEMBIC_CONFIG: is missing, and there is no alembic.ini in {Path.cwd()}"
        )
    return Migrations(settings, reset_logging, settings.alembic, database)


def _sqlalchemy_url(database: Database) -> str:
    """Return the URL with a driver that the application's SQLAlchemy knows, where the address names none."""
    old = not database.driver and version("sqlalchemy").startswith("1.")
    return database.sqlalchemy_url.replace("+psycopg:", "+psycopg2:", 1 if old else 0)
