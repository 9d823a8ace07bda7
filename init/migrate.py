"""Alembic, in-process, with the application's own `env.py`.

    env.py ─▶ current revision ─▶ steps ─▶ one revision after another

`env.py` does the connecting: sync or async, with the driver of the application's choice. We hand it a
function that says which steps to take, as `alembic upgrade` itself does.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from init import lock_timeout
from init.errors import (
    ConnectionLostError,
    InitError,
    LockError,
    MigrationError,
    SettingsError,
    UnknownRevisionError,
)
from init.fingerprint import files
from init.logs import event

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy.exc import DBAPIError

    from init.settings import Settings

ENVIRONMENT = Path(__file__).parent / "environment"
LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of the image's history; `seconds` is None while it is pending."""

    revision: str
    message: str
    file: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Where the database stands in the image's history.

    Attributes:
        current: the revisions the database is at; empty where it has none.
        heads: the revisions the image ends at.
        revisions: the pending ones, in order.
        version_table: schema (or "", for the search path) and name of the application's version table.
    """

    current: tuple[str, ...]
    heads: tuple[str, ...]
    revisions: tuple[Revision, ...]
    version_table: tuple[str, str] | None = None


@dataclass(frozen=True)
class Migrations:
    """The application's migrations, and how to run them.

    Attributes:
        config: `alembic.ini`, or a folder of revisions.
        url: for `sqlalchemy.url`, driver named.
        environ: all the variables that `env.py` shall see.
        lock_timeout: seconds that one statement may wait for a lock before its revision is retried.
        retry_timeout: seconds after which retrying ends.
        logging: called when `env.py` may have configured logging anew.
    """

    config: Path
    url: str = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    lock_timeout: float
    retry_timeout: float
    logging: Callable[[], object]

    def resolve(self, revision: str) -> set[str]:
        """The revisions that `head`, an id or the beginning of one means.

        Raises:
            MigrationError: the history has none such.
        """
        try:
            with self._translated(), self._prepared() as (_, script):
                found = script.get_revisions(revision)
                return {entry.revision for entry in found if entry is not None}
        except UnknownRevisionError:
            raise MigrationError(
                f"{self.config}: this image has no revision {revision}; is it the right image?"
            ) from None

    def current_and_heads(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the database says it is at, known here or not, and the image's heads."""
        found: list[tuple[str, ...]] = [()]

        def look(current: tuple[str, ...], _: MigrationContext) -> list[Any]:
            found.append(tuple(current))
            return []

        with self._translated(), self._prepared() as (config, script):
            self._run_env(config, script, look, dont_mutate=True)
            return found[-1], tuple(script.get_heads())

    def pending(self) -> History:
        """Where the database stands, and what is still to be applied; changes nothing.

        Raises:
            MigrationError, UnknownRevisionError, ConnectionLostError: as `upgrade`.
        """
        found: list[History] = []

        def look(current: tuple[str, ...], context: MigrationContext) -> list[Any]:
            found.append(self._history(script, current, context))
            return []

        with self._translated(), self._prepared() as (config, script):
            self._run_env(config, script, look, dont_mutate=True)
        return found[-1] if found else History((), tuple(script.get_heads()), ())

    def upgrade(
        self,
        applied: list[Revision],
        before: Callable[[Revision], None],
        after: Callable[[Revision], None],
    ) -> History:
        """Bring the database to head.

        Args:
            applied: gets each revision with its duration; emptied where their transaction is rolled back.
            before: told each revision before it runs.
            after: told each revision when it has run.

        Returns:
            The database at the image's heads.

        Raises:
            MigrationError: a revision failed, or the history is broken.
            UnknownRevisionError: the database is at a revision that is not in the history.
            LockError: a table stayed locked by another session.
            ConnectionLostError: the database went away.
        """
        from tenacity import (
            Retrying,
            retry_if_exception_type,
            stop_after_delay,
            wait_random_exponential,
        )

        tries = Retrying(
            retry=retry_if_exception_type(LockError),
            stop=stop_after_delay(self.retry_timeout),
            wait=wait_random_exponential(multiplier=0.5, max=10),
            before_sleep=lambda _: event("a table is locked by another session, trying again"),
            reraise=True,
        )
        history = tries(self._upgrade_once, applied, before, after)
        return History(history.heads, history.heads, (), history.version_table)

    def _upgrade_once(
        self,
        applied: list[Revision],
        before: Callable[[Revision], None],
        after: Callable[[Revision], None],
    ) -> History:
        running: list[Revision] = []
        found: list[History] = []
        one_transaction = True

        def steps(current: tuple[str, ...], context: MigrationContext) -> Iterator[Any]:
            nonlocal one_transaction
            self.logging()
            one_transaction = not getattr(context, "_transaction_per_migration", False)
            history = self._history(script, current, context)
            for revision, step in zip(history.revisions, _steps(script, current), strict=True):
                before(revision)
                running[:] = [revision]
                started = time.monotonic()
                yield step
                done = replace(revision, seconds=round(time.monotonic() - started, 3))
                applied.append(done)
                after(done)
            running.clear()
            found.append(history)

        try:
            with self._translated(running), self._prepared() as (config, script):
                with lock_timeout.of(self.lock_timeout):
                    self._run_env(config, script, steps)
                return self._ran(found)
        except BaseException:
            if one_transaction:
                applied.clear()
            raise

    def _ran(self, found: list[History]) -> History:
        if found:
            return found[-1]
        raise MigrationError(
            f"{self.config}: env.py ran and did not call context.run_migrations(); nothing was migrated"
        )

    def _history(
        self, script: ScriptDirectory, current: tuple[str, ...], context: MigrationContext
    ) -> History:
        steps = _steps(script, current)
        revisions = tuple(
            Revision(step.revision.revision, step.revision.doc or "", Path(step.revision.path).name)
            for step in steps
        )
        table = (context.version_table_schema or "", context.version_table)
        return History(tuple(current), tuple(script.get_heads()), revisions, table)

    def _run_env(
        self, config: Config, script: ScriptDirectory, steps: Callable[..., Any], **options: Any
    ) -> None:
        from alembic.runtime.environment import EnvironmentContext

        with EnvironmentContext(
            config, script, fn=steps, as_sql=False, destination_rev="head", **options
        ):
            script.run_env()

    @contextmanager
    def _prepared(self) -> Iterator[tuple[Config, ScriptDirectory]]:
        """The configuration, in the folder and with the variables that `env.py` expects."""
        from alembic.script import ScriptDirectory

        # Relative paths of an alembic.ini mean its own folder, wherever the container's happens to be.
        folder = self.config.parent if self.config.is_file() else self.config
        before = dict(os.environ)
        path = sys.path[:]
        with chdir(folder):
            os.environ.clear()
            os.environ.update(self.environ)
            try:
                config = self._config()
                script = ScriptDirectory.from_config(config)
                _one_head(script)
                yield config, script
            finally:
                os.environ.clear()
                os.environ.update(before)
                sys.path[:] = path
                self.logging()

    def _config(self) -> Config:
        from alembic.config import Config

        if self.config.is_file():
            config = Config(str(self.config))
        else:
            config = Config()
            config.set_main_option("script_location", str(self._script_folder()).replace("%", "%%"))
            config.set_main_option(
                "version_locations", str(self._revisions_folder()).replace("%", "%%")
            )
            config.set_main_option("path_separator", "newline")
            config.set_main_option("version_path_separator", "newline")
        config.set_main_option("sqlalchemy.url", self.url.replace("%", "%%"))
        return config

    def _script_folder(self) -> Path:
        return self.config if (self.config / "env.py").exists() else ENVIRONMENT

    def _revisions_folder(self) -> Path:
        return self.config / "versions" if (self.config / "versions").is_dir() else self.config

    @contextmanager
    def _translated(self, running: list[Revision] | None = None) -> Iterator[None]:
        """Alembic's, SQLAlchemy's and the application's own exceptions, as ours."""
        from alembic.script.revision import ResolutionError, RevisionError
        from alembic.util import CommandError
        from sqlalchemy.exc import DBAPIError

        revision = running[0] if running else None
        try:
            yield
        except InitError:
            raise
        except DBAPIError as error:
            raise self._database_failed(error, running[0] if running else None) from error
        except (CommandError, RevisionError) as error:
            cause = error.__cause__
            if isinstance(error, ResolutionError) or isinstance(cause, ResolutionError):
                raise UnknownRevisionError(
                    f"the database is at a revision that this image does not know: {error}; deploy the image that"
                    " has it, or a later one; nothing was changed"
                ) from None
            raise MigrationError(f"{self.config}: {' '.join(str(error).split())}") from None
        except (Exception, SystemExit) as error:
            revision = running[0] if running else None
            where = self._where(error)
            said = f"{type(error).__name__}: {error}"
            if revision is None:
                raise MigrationError(
                    f"{self.config}: env.py failed{where}: {said}; nothing was migrated"
                ) from error
            raise MigrationError(
                f"{_named(revision)} failed{where}: {said}; {ROLLED_BACK}"
            ) from error

    def _database_failed(self, error: DBAPIError, revision: Revision | None) -> InitError:
        origin: Any = error.orig
        state = getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)
        said = " ".join(str(origin).split())
        what = _named(revision) if revision else f"{self.config}: env.py"
        if state == LOCK_NOT_AVAILABLE:
            return LockError(
                f"{what} could not get a lock in {self.lock_timeout:g} s, again and again: {said}; another session"
                " holds the table (see pg_stat_activity): let it finish and run again"
            )
        if error.connection_invalidated or (revision is None and state is None):
            return ConnectionLostError(f"{what}: the database went away: {said}; run again")
        statement = " ".join((error.statement or "").split())[:500]
        sql = f" in: {statement}" if statement else ""
        return MigrationError(f"{what} failed{self._where(error)}: {said}{sql}; {ROLLED_BACK}")

    def _where(self, error: BaseException) -> str:
        """File and line of the history, where the error passed through one."""
        ours = {str(path) for path in files(self.config)}
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if str(Path(frame.filename).resolve()) in ours:
                return f" at {Path(frame.filename).name}:{frame.lineno}"
        return ""


def of_settings(settings: Settings, logging: Callable[[], object]) -> Migrations:
    """The application's migrations, as the settings describe them.

    Raises:
        SettingsError: there are none.
    """
    from init.application import environment

    database = settings.need_database()
    if settings.alembic_config is None:
        raise SettingsError(
            f"settings are wrong:\n  ALEMBIC_CONFIG: is missing, and there is no alembic.ini in {Path.cwd()}"
        )
    return Migrations(
        config=settings.alembic_config,
        url=database.sqlalchemy_url,
        environ={**environment(settings.plain), "DATABASE_URL": database.application_url},
        lock_timeout=settings.migration_lock_timeout,
        retry_timeout=settings.lock_timeout,
        logging=logging,
    )


ROLLED_BACK = (
    "its transaction was rolled back and earlier revisions are kept; mend it and run again"
)


def _steps(script: ScriptDirectory, current: tuple[str, ...]) -> list[Any]:
    """What `alembic upgrade head` would do; Alembic's own cookbook calls it by this name."""
    return script._upgrade_revs("head", current)  # type: ignore[arg-type]  # noqa: SLF001


def _named(revision: Revision) -> str:
    return f"revision {revision.revision} ({revision.message})"


def _one_head(script: ScriptDirectory) -> None:
    heads = script.get_heads()
    if len(heads) > 1:
        raise MigrationError(
            f"the history has {len(heads)} heads: {', '.join(sorted(heads))}; which one is meant cannot be told:"
            " join them with `alembic merge heads` and build the image again"
        )
