"""An application's `env.py`, run as Alembic runs it, inside of the folder and the variables that it expects.

alembic.ini ─▶ Config ─▶ ScriptDirectory ─▶ env.py ─▶ revision graph ─▶ a function of ours says which steps to take
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from functools import cache, partial
from logging import WARNING
from pathlib import Path
from typing import Any, TextIO

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from compose_init.alembic_options import AlembicOptions
from compose_init.errors import MigrationError
from compose_init.logs import event
from compose_init.migrations.alembic_config import build_config, version_locations
from compose_init.migrations.env_attributes import EnvAttributes, sync_connection
from compose_init.migrations.env_calls import EnvText, is_called_by, read_env
from compose_init.migrations.env_context import OneAtATime
from compose_init.migrations.fingerprint import revision_folders
from compose_init.migrations.flask_application import flask_context
from compose_init.migrations.loaded_revisions import Revisions, load_revisions
from compose_init.migrations.revision_graph import RevisionGraph


class AlembicEnvironment:
    """The application's Alembic environment.

    Args:
        options: what `alembic` would be called with.
        url: for `sqlalchemy.url`, driver named.
        environ: all the variables that `env.py` shall see.
        reset_logging: called when `env.py` may have configured logging.
    """

    def __init__(
        self,
        options: AlembicOptions,
        url: str,
        environ: Mapping[str, str],
        reset_logging: Callable[[], object],
    ) -> None:
        self.options = options
        self.config = options.config
        self.reset_logging = reset_logging
        self._url = url
        self._environ = environ
        self._working_folder = Path.cwd()
        self._env_path = Path()
        self._locations: set[str] = set()
        self._calls = 0
        self._called_elsewhere = False

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Enter the folder, with the variables, that revisions and `env.py` expect."""
        # Relative paths of an alembic.ini mean its own folder, wherever the container's happens to be.
        folder = self.config.parent if self.config.is_file() else self.config
        environ, path = dict(os.environ), sys.path[:]
        with chdir(folder):
            os.environ.clear()
            os.environ.update(self._environ)
            try:
                yield
            finally:
                os.environ.clear()
                os.environ.update(environ)
                sys.path[:] = path
                self.reset_logging()

    def run(
        self, steps: Callable[..., Any], *, output: TextIO | None = None, **options: Any
    ) -> None:
        """Run `env.py` inside of `opened`.

        As under `alembic upgrade`, the revisions are loaded when it calls `context.run_migrations()`: they may
        need what it has set up, such as `sys.path`, variables and the application's context.

        Args:
            steps: gets the `Revisions`, the database's revisions and Alembic's context, and returns the steps to take.
            output: gets the SQL, offline.
            options: for Alembic's `EnvironmentContext`.

        Raises:
            MigrationError: the revisions are broken, or cannot be loaded.
        """
        self._calls, self._called_elsewhere, self._locations = 0, False, set()
        with ExitStack() as opened:
            attributes = self._attributes(opened)
            try:
                self._run_env(opened, attributes, output, steps, options)
            except Exception:
                if self._calls or not attributes.asked:
                    raise
            else:
                return
        # An env.py that was written to be called by a program: it asked for a connection, was told that
        # there is none, and has no other way.
        with ExitStack() as opened:
            attributes = self._attributes(opened)
            attributes.supply_connection()
            self._run_env(opened, attributes, output, steps, options)

    def run_online(self, steps: Callable[..., Any], **options: Any) -> None:
        """Run `env.py` as `run` does; it may exit with success when it is done."""
        try:
            self.run(steps, **options)
        except SystemExit as error:
            if error.code not in {None, 0}:  # whether it is done is seen afterwards
                raise

    def check_calls(self) -> None:
        """Make sure that `env.py` has taken the steps; a loop may have had nothing to go through.

        Raises:
            MigrationError: it ended without.
        """
        if self._calls:
            return
        if not self.text.loops:
            raise MigrationError(
                f"{self.config}: env.py ran and did not call context.run_migrations(); nothing was migrated"
            )
        event(
            "the loop of env.py called context.run_migrations() for nothing; nothing was migrated",
            WARNING,
            config=self.config,
        )

    @property
    def text(self) -> EnvText:
        """The text of `env.py`, as far as it was looked at."""
        return read_env(self._env_path)

    @property
    def proves_nothing_to_do(self) -> bool:
        """True where the files and one version table tell what is due, without running `env.py`."""
        once = self._calls == 1 and not self._called_elsewhere and self.text.once
        return once and self.reads_recorded_folders

    @property
    def reads_recorded_folders(self) -> bool:
        """True where the fingerprint has every folder that Alembic has read revisions from."""
        return self._locations <= revision_folders(self.options)

    def read_graph(self) -> RevisionGraph:
        """Return the graph of all revisions, as far as they can be loaded without `env.py`; inside of `opened`.

        Raises:
            MigrationError: the revisions are broken, or cannot be loaded.
        """
        return self._load(self._open_script(self._build_config())).graph

    def _build_config(self) -> Config:
        return build_config(self.options, self._url)

    def _open_script(self, config: Config) -> ScriptDirectory:
        """Find the revisions, and load none of them."""
        script = ScriptDirectory.from_config(config)
        folder = self.config.parent if self.config.is_file() else self.config
        self._env_path = Path(folder, script.dir, "env.py")
        return script

    def _attributes(self, opened: ExitStack) -> EnvAttributes:
        return EnvAttributes(lambda: opened.enter_context(sync_connection(self._url)))

    def _run_env(
        self,
        opened: ExitStack,
        attributes: EnvAttributes,
        output: TextIO | None,
        steps: Callable[..., Any],
        options: Mapping[str, Any],
    ) -> None:
        config = self._build_config()
        config.output_buffer = output
        config.attributes = attributes
        script = self._open_script(config)
        refused: list[BaseException] = []

        load = cache(partial(self._load, script))

        def choose_steps(current: tuple[str, ...], context: MigrationContext) -> Any:
            self._calls += 1
            self._called_elsewhere = self._called_elsewhere or not is_called_by(self._env_path)
            try:
                return steps(load(), current, context)
            except Exception as error:
                refused.append(error)
                raise

        options = {"destination_rev": "heads", **options, "fn": choose_steps}
        opened.enter_context(flask_context(self._env_path, self._working_folder))
        context = EnvironmentContext(config, script, **options)
        one_at_a_time = OneAtATime(context)
        opened.enter_context(context)
        script.run_env()
        if one_at_a_time.refusal:
            refused.append(one_at_a_time.refusal)
        if refused:  # env.py caught it, and went on
            raise refused[0]

    def _load(self, script: ScriptDirectory) -> Revisions:
        self._locations |= version_locations(script)
        return load_revisions(script, self.options)
