"""Alembic's context for an `env.py`, of which there is one in a process: it runs one migration after another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext

from compose_init.errors import MigrationError

AT_THE_SAME_TIME = (
    "env.py runs migrations at the same time, as with asyncio.gather() or threads. Alembic has one context in a"
    " process, so that the revisions of one tenant would run on the connection of another: migrate one after another"
)


@dataclass
class OneAtATime:
    """Refuses to run migrations while others run, before anything is done on the wrong connection.

    Attributes:
        context: that `env.py` knows as `alembic.context`, and that has not been entered yet.
        refusal: the reason for which migrations did not run; `env.py` may have caught it.
    """

    context: EnvironmentContext
    refusal: MigrationError | None = None
    _configured: list[MigrationContext] = field(default_factory=list)
    _taken: list[MigrationContext] = field(default_factory=list)
    _is_running: bool = False

    def __post_init__(self) -> None:
        self._configure, self._run = self.context.configure, self.context.run_migrations
        # `alembic.context` calls what the instance has; a class of our own would have no part in it.
        for method in (self.configure, self.run_migrations):
            setattr(self.context, method.__name__, method)

    def configure(self, *arguments: Any, **options: Any) -> None:
        """Configure a migration, as Alembic does."""
        self._configure(*arguments, **options)
        self._configured.append(self.context.get_context())

    def run_migrations(self, **options: Any) -> None:
        """Run the migration that was configured last.

        Raises:
            MigrationError: another migration is running, or has run with what was configured for this one.
        """
        context = self.context.get_context()
        is_mistaken = context in self._taken and set(self._configured) != set(self._taken)
        if self._is_running or is_mistaken:
            config = self.context.config.config_file_name
            self.refusal = MigrationError(f"{config}: {AT_THE_SAME_TIME}")
            raise self.refusal
        self._taken.append(context)
        self._is_running = True
        try:
            self._run(**options)
        finally:
            self._is_running = False
