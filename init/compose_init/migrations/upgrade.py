"""Bring a database to the image's heads, with Alembic and the application's own `env.py`.

    look ─▶ place ─▶ one revision after another, each with its row in the ledger ─▶ prove that it stayed

`env.py` does the connecting: sync or async, with the driver of the application's choice. We hand it a
function that says which steps to take, as `alembic upgrade` itself does.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from logging import WARNING
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from compose_init import ledger
from compose_init.database.url import Database
from compose_init.errors import InitError, MigrationError, SettingsError
from compose_init.logs import event
from compose_init.migrations import blocking_sessions, errors, lock_timeout, revision_ledger
from compose_init.migrations.alembic_env import History
from compose_init.migrations.errors import Aftermath, LockedTableError, UnderWay
from compose_init.migrations.revision_graph import DatabaseState, Lineage, Place, Revision

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from compose_init.database.connection import Connection
    from compose_init.settings import Settings

# Where env.py's connection leads: the same database as ours has the same answers to the first two.
NOWHERE = Database({}, "postgresql://")

SESSION = """
SELECT current_database(), extract(epoch FROM pg_postmaster_start_time()),
       pg_backend_pid(), current_user, session_user
"""

VERSION_TABLE = (
    "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = "
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the database stands in the image's history.

    Attributes:
        lineage: the image's.
        current: the revisions the database is at, known to the image or not.
        version_table: schema and name of the application's version table; None before it is there.
    """

    lineage: Lineage
    current: tuple[str, ...]
    version_table: tuple[str, str] | None


@dataclass
class Observer:
    """Told what happens, as it happens.

    Attributes:
        before: called before each revision; raises where the run must not go on.
        after: called when a revision has run.
    """

    before: Callable[[Revision], None]
    after: Callable[[Revision], None]


@dataclass
class Migrations:
    """The application's migrations, and how to run them.

    Attributes:
        history: the application's.
        database: the same one that `env.py` connects to; a watch on blockers has its own connection.
        image: what the ledger says of the image.
        lock_timeout: seconds that one statement may wait for a lock before its revision is retried.
        retry_timeout: seconds after which retrying ends.
    """

    history: History
    database: Database
    image: revision_ledger.Image
    lock_timeout: float
    retry_timeout: float
    applied: list[Revision] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """`alembic.ini`, or a folder of revisions."""
        return self.history.config

    def lineage(self) -> Lineage:
        """The image's revisions.

        Raises:
            MigrationError: the history is broken.
        """
        with self._translated(UnderWay()), self.history.opened():
            return self.history.lineage()

    def look(self) -> Standing:
        """Where the database stands; changes nothing.

        Raises:
            MigrationError, ConnectionLostError: as `upgrade`.
        """
        found: list[Standing] = []
        lineage = Lineage()

        def steps(current: tuple[str, ...], context: MigrationContext) -> list[Any]:
            found.append(Standing(lineage, tuple(current), _version_table(context)))
            return []

        with self._translated(UnderWay()), self.history.opened():
            lineage = self.history.lineage()
            self._run(steps, dont_mutate=True)
        standing: Standing = self._reached(found)
        return standing

    def sql(self, current: tuple[str, ...]) -> tuple[dict[str, str], str]:
        """What the pending revisions would execute, by id, as far as `env.py` and they can say it offline.

        Returns:
            SQL by revision, and why some or all of it is missing ("" where nothing is).
        """
        output = io.StringIO()
        found: dict[str, str] = {}

        def steps(_: Any, context: MigrationContext) -> Iterator[Any]:
            context.impl.output_buffer = output
            for step in _steps(script, current):
                begun = output.tell()
                yield step
                found[step.revision.revision] = output.getvalue()[begun:].strip()

        try:
            with _unconnected(), self.history.opened() as script:
                self.history.run(steps, as_sql=True, starting_rev=current or None, output=output)
        except Exception as error:  # noqa: BLE001 - a plan is a plan without SQL too
            return found, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        except SystemExit:
            return found, "env.py exits where it is asked for SQL"
        return found, ""

    def upgrade(self, connection: Connection, observer: Observer) -> Place:
        """Bring the database to head, and prove that it is there.

        Args:
            connection: our own, for the ledger.
            observer: told each revision before and after it runs.

        Returns:
            "at head"; or "ahead", where nothing was changed. `applied` has what was applied.

        Raises:
            MigrationError: a revision failed, or the history is broken.
            UnknownRevisionError: the database is elsewhere.
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
            retry=retry_if_exception_type(LockedTableError),
            stop=stop_after_delay(self.retry_timeout),
            wait=wait_random_exponential(multiplier=0.5, max=10),
            before_sleep=_say_retry,
            reraise=True,
        )
        place: Place = tries(self._upgrade_once, connection, observer)
        return place

    def _upgrade_once(self, connection: Connection, observer: Observer) -> Place:
        under_way = UnderWay()
        found: list[tuple[Place, tuple[str, str] | None]] = []
        lineage = Lineage()
        done: list[Revision] = []
        watch = blocking_sessions.Watch(self.database, min(0.25, self.lock_timeout / 4))

        def steps(current: tuple[str, ...], context: MigrationContext) -> Iterator[Any]:
            self.history.restore_logging()
            watch.pid = _check_session(connection, context, self.config)
            here = revision_ledger.where(connection, lineage, current)
            if here.state == DatabaseState.AHEAD:
                found.append((here, None))
                return
            revision_ledger.align(connection, lineage, current)
            started = time.monotonic()
            context.on_version_apply_callbacks += (
                lambda ctx, step, **_: _write(
                    ctx,
                    lineage.revisions[step.up_revision_id],
                    self.image,
                    time.monotonic() - started,
                ),
            )
            _follow_commits(context, under_way)
            for step in _steps(script, current):
                revision = lineage.revisions[step.revision.revision]
                observer.before(revision)
                under_way.begin(revision)
                started = time.monotonic()
                yield step
                under_way.begin(None)
                done.append(replace(revision, seconds=round(time.monotonic() - started, 3)))
                observer.after(done[-1])
            found.append((Place(DatabaseState.AT_HEAD), _version_table(context)))

        try:
            with (
                self._translated(under_way, connection, done, watch),
                self.history.opened() as script,
            ):
                lineage = self.history.lineage()
                if not lineage.revisions:
                    event(
                        "there are no revisions; is it the right folder?",
                        WARNING,
                        config=self.config,
                    )
                with watch.running(), _statements(under_way), lock_timeout.of(self.lock_timeout):
                    self._run(steps)
                here: Place
                here, version_table = self._reached(found)
                if here.state == DatabaseState.AT_HEAD:
                    ledger.follow(connection, version_table)
                    self._prove(connection, lineage)
        finally:
            self.applied += _kept(connection, done)
        return here

    def _run(self, steps: Callable[..., Any], **options: Any) -> None:
        try:
            self.history.run(steps, **options)
        except SystemExit as error:
            # An env.py may exit when it is done; whether it is done is seen afterwards.
            if error.code not in {None, 0}:
                raise

    def _reached(self, found: list[Any]) -> Any:
        if found:
            return found[-1]
        raise MigrationError(
            f"{self.config}: env.py ran and did not call context.run_migrations(); nothing was migrated"
        )

    def _prove(self, connection: Connection, lineage: Lineage) -> None:
        """An env.py that never commits looks just like one that works."""
        last = ledger.read(connection)
        missing = set(lineage.heads) - lineage.applied(last.revisions if last else ())
        if missing:
            raise MigrationError(
                f"{self.config}: env.py ran, and the database does not have {', '.join(sorted(missing))}: it"
                " never committed. A connection that was used before context.configure() is in a transaction that"
                " Alembic leaves to env.py: commit it, or configure first; nothing was migrated"
            )

    @contextmanager
    def _translated(
        self,
        under_way: UnderWay,
        connection: Connection | None = None,
        done: list[Revision] | None = None,
        watch: blocking_sessions.Watch | None = None,
    ) -> Iterator[None]:
        try:
            yield
        except InitError:
            raise
        except (Exception, SystemExit) as error:
            if isinstance(error, psycopg.OperationalError) and under_way.revision is None:
                raise  # our own connection: said by who opened it
            kept = _kept(connection, done or []) if connection else []
            undone = [entry for entry in done or [] if entry not in kept]
            after = Aftermath(kept, undone, under_way.committed)
            raise errors.of(
                error, self.config, under_way, after, watch.last if watch else ""
            ) from error


def of_settings(
    settings: Settings, logging: Callable[[], object], *, offline: bool = False
) -> Migrations:
    """The application's migrations, as the settings describe them.

    Args:
        settings: of the run.
        logging: called when `env.py` may have configured logging anew.
        offline: there may be no database: an image is being built.

    Raises:
        SettingsError: there are none.
    """
    from compose_init.api_process import environment

    database = NOWHERE if offline else settings.need_database()
    if settings.alembic_config is None:
        raise SettingsError(
            f"settings are wrong:\n  ALEMBIC_CONFIG: is missing, and there is no alembic.ini in {Path.cwd()}"
        )
    environ = {**environment(settings.file_values), "DATABASE_URL": database.application_url}
    return Migrations(
        history=History(settings.alembic_config, _url(database), environ, logging),
        database=database,
        image=revision_ledger.Image(settings.image_version, settings.image_revision),
        lock_timeout=settings.migration_lock_timeout,
        retry_timeout=settings.lock_timeout,
    )


def _url(database: Database) -> str:
    """With a driver that the application's SQLAlchemy knows, where the address names none."""
    old = not database.driver and version("sqlalchemy").startswith("1.")
    return database.sqlalchemy_url.replace("+psycopg:", "+psycopg2:", 1 if old else 0)


def _say_retry(attempt: Any) -> None:
    event(
        "a table is locked by another session, trying again",
        reason=str(attempt.outcome.exception()),
    )


DRIVERS = {
    "psycopg": ("connect", "Connection", "AsyncConnection"),
    "psycopg2": ("connect",),
    "asyncpg": ("connect",),
}
"""By what names drivers connect: as functions, or as classes with a method `connect`."""


@contextmanager
def _unconnected() -> Iterator[None]:
    """No revision and no env.py connects meanwhile, through SQLAlchemy or by a driver itself."""
    from importlib import import_module
    from importlib.util import find_spec
    from unittest.mock import patch

    from sqlalchemy import event as listen
    from sqlalchemy.engine import Engine

    def refuse(*_: Any, **__: Any) -> None:
        raise MigrationError("it connects to the database, which a plan does not let it")

    listen.listen(Engine, "do_connect", refuse)
    try:
        with ExitStack() as patched:
            for driver, names in DRIVERS.items():
                for name in names if find_spec(driver) else ():
                    module: Any = import_module(driver)
                    found = getattr(module, name)
                    connects = isinstance(found, type)
                    patched.enter_context(
                        patch.object(found, "connect", refuse)
                        if connects
                        else patch.object(module, name, refuse)
                    )
            yield
    finally:
        listen.remove(Engine, "do_connect", refuse)


def _steps(script: ScriptDirectory, current: tuple[str, ...]) -> list[Any]:
    """What `alembic upgrade heads` would do; Alembic's own cookbook calls it by this name."""
    return script._upgrade_revs("heads", current)  # type: ignore[arg-type]  # noqa: SLF001


def _check_session(connection: Connection, context: MigrationContext, config: Path) -> int:
    """The server process that env.py's connection is; the ledger is opened to its role."""
    from sqlalchemy import text

    if context.dialect.name != "postgresql" or context.connection is None:
        raise SettingsError(
            f"{config}: env.py connects to {context.dialect.name}, not to PostgreSQL"
        )
    theirs = context.connection.execute(text(SESSION)).fetchone()
    ours = connection.execute(SESSION).fetchone()
    assert theirs is not None and ours is not None  # noqa: S101, PT018 - a SELECT of values has a row
    if (theirs[0], float(theirs[1])) != (ours[0], float(ours[1])):
        raise SettingsError(
            f"{config}: env.py connects to another database ({theirs[0]}) than DATABASE_URL says ({ours[0]}), where the"
            " lock and the ledger are; let it take DATABASE_URL or sqlalchemy.url; nothing was migrated"
        )
    revision_ledger.allow(connection, {theirs[3], theirs[4]})
    return int(theirs[2])


def _write(
    context: MigrationContext, entry: Revision, image: revision_ledger.Image, seconds: float
) -> None:
    from sqlalchemy import text

    assert context.connection is not None  # noqa: S101 - offline, there is no ledger
    rows = revision_ledger.row(entry, image, seconds=round(seconds, 3))
    context.connection.execute(text(revision_ledger.APPLY), {"rows": rows})


def _version_table(context: MigrationContext) -> tuple[str, str] | None:
    """Schema and name, as the search path of env.py's own connection finds it."""
    from sqlalchemy import text

    assert context.connection is not None  # noqa: S101 - offline, nobody asks
    name = '"' + context.version_table.replace('"', '""') + '"'
    if context.version_table_schema:
        return context.version_table_schema, context.version_table
    row = context.connection.execute(
        text(f"{VERSION_TABLE} to_regclass(:name)"), {"name": name}
    ).fetchone()
    return (row[0], context.version_table) if row else None


def _follow_commits(context: MigrationContext, under_way: UnderWay) -> None:
    """Entering an `autocommit_block` commits what came before, and each statement inside commits itself."""
    block = context.autocommit_block
    # An env.py may have all of it in autocommit; the driver's connection knows.
    connection: Any = context.connection
    under_way.autocommit = bool(getattr(connection.connection, "autocommit", False))

    @contextmanager
    def followed() -> Iterator[None]:
        under_way.commit()
        before, under_way.autocommit = under_way.autocommit, True
        try:
            with block():
                yield
        finally:
            under_way.autocommit = before

    context.autocommit_block = followed  # type: ignore[method-assign]


@contextmanager
def _statements(under_way: UnderWay) -> Iterator[None]:
    from sqlalchemy import event as listen
    from sqlalchemy.engine import Engine

    def executed(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        under_way.executed(statement)

    listen.listen(Engine, "after_cursor_execute", executed)
    try:
        yield
    finally:
        listen.remove(Engine, "after_cursor_execute", executed)


def _kept(connection: Connection, done: list[Revision]) -> list[Revision]:
    """Of revisions that ran, those that stayed: the ledger has what was committed, and nothing else."""
    try:
        known = revision_ledger.read(connection) if done else {}
    except psycopg.Error:
        return []  # nothing is claimed that cannot be seen
    return [entry for entry in done if entry.revision in known]
