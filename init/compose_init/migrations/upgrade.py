"""Bring a database to the image's heads, with Alembic and the application's own `env.py`.

    locate ─▶ one revision after another, each with its row in the ledger ─▶ verify that they stayed

`env.py` does the connecting: sync or async, with the driver of the application's choice. We hand it a
function that says which steps to take, as `alembic upgrade` itself does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from logging import WARNING
from typing import Any

import psycopg
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from compose_init.database.blocking_sessions import BlockerWatch
from compose_init.database.connection import Connection
from compose_init.database.url import Database
from compose_init.errors import InitError, MigrationError
from compose_init.logs import event
from compose_init.migrations import revision_ledger
from compose_init.migrations.aftermath import Aftermath, look_up
from compose_init.migrations.alembic_env import AlembicEnvironment, Revisions
from compose_init.migrations.database_position import DatabasePosition, DatabaseState
from compose_init.migrations.env_calls import EnvCall
from compose_init.migrations.env_connection import check_env_connection
from compose_init.migrations.errors import Failure, LockedTableError, translate
from compose_init.migrations.lock_timeout import short_lock_timeout
from compose_init.migrations.revision_graph import Revision, RevisionGraph
from compose_init.migrations.revision_progress import RevisionProgress, RevisionRun
from compose_init.migrations.seeded_tables import SeededTables
from compose_init.migrations.version_table import (
    find_version_table,
    read_version_table,
    remember_version_table,
)
from compose_seeder.postgres import statements

WATCH_SECONDS = 0.25
"""How often blocking sessions are looked for, at most."""

RETRY_MULTIPLIER_SECONDS = 0.5
RETRY_MAX_SECONDS = 10


@dataclass
class Observer:
    """The run, which is told what happens as it happens.

    Attributes:
        before: called before each revision; raises where the run must not go on.
        after: called when a revision has run.
    """

    before: Callable[[Revision], None]
    after: Callable[[Revision], None]


@dataclass(frozen=True)
class Upgrade:
    """The settings of an upgrade.

    Attributes:
        environment: the application's.
        database: the same that `env.py` connects to; the watch for blocking sessions connects to it as well.
        image: recorded with each revision.
        lock_timeout: seconds that one statement may wait for a lock before its revision is retried.
        retry_timeout: seconds after which retrying ends.
    """

    environment: AlembicEnvironment
    database: Database
    image: revision_ledger.Image
    lock_timeout: float
    retry_timeout: float

    def run(
        self, connection: Connection, observer: Observer, applied: list[Revision]
    ) -> DatabasePosition:
        """Bring the database to head, and verify that it is there.

        Args:
            connection: our own, for the ledger.
            observer: told each revision before and after it runs.
            applied: gets what was applied and stayed, after a failure as well.

        Returns:
            At head; or ahead, where nothing was changed.

        Raises:
            MigrationError: a revision failed, or the revisions are broken.
            UnknownRevisionError: the database has diverged.
            LockError: a table stayed locked by another session.
            ConnectionLostError: the database went away.
        """
        attempts = Retrying(
            retry=retry_if_exception_type(LockedTableError),
            stop=stop_after_delay(self.retry_timeout),
            wait=wait_random_exponential(
                multiplier=RETRY_MULTIPLIER_SECONDS, max=RETRY_MAX_SECONDS
            ),
            before_sleep=_log_retry,
            reraise=True,
        )
        return attempts(lambda: _Attempt(self, connection, observer).run(applied))


def upgrade_steps(script: ScriptDirectory, current: tuple[str, ...]) -> list[Any]:
    """Return the steps of `alembic upgrade heads`; Alembic's own cookbook calls this function by its name."""
    return script._upgrade_revs("heads", current)  # type: ignore[arg-type]  # noqa: SLF001


@dataclass
class _Attempt:
    """One attempt to upgrade; after a lock timeout another follows.

    Attributes:
        calls: the calls of `context.run_migrations()`, in order.
        started: when the running revision started, by the monotonic clock.
    """

    upgrade: Upgrade
    connection: Connection
    observer: Observer
    progress: RevisionProgress = field(default_factory=RevisionProgress)
    graph: RevisionGraph = field(default_factory=RevisionGraph)
    calls: list[EnvCall] = field(default_factory=list)
    ahead: DatabasePosition | None = None
    started: float = 0.0

    def __post_init__(self) -> None:
        interval = min(WATCH_SECONDS, self.upgrade.lock_timeout / 4)
        self.watch = BlockerWatch(self.upgrade.database, interval)
        self.seeded = SeededTables(self.connection, self.upgrade.lock_timeout)

    def run(self, applied: list[Revision]) -> DatabasePosition:
        environment = self.upgrade.environment
        try:
            with self._translated(), environment.opened():
                with (
                    self.watch.running(),
                    self.progress.following_statements(),
                    short_lock_timeout(self.upgrade.lock_timeout),
                ):
                    environment.run_online(self._steps)
                self.seeded.carry_over()
                self._check_end()
                self._remember_tables()
                self._verify()
        except InitError:
            self.seeded.carry_over()  # earlier revisions, or parts of the failed one, may have been committed
            raise
        finally:
            several = len(self.calls) > 1
            applied += [
                replace(revision, version_table=call.name) if several else revision
                for call in self.calls
                for revision in self._kept(call)
            ]
        self._report_calls()
        return self.ahead or DatabasePosition(
            DatabaseState.AT_HEAD, version_table=self.calls[0].name if len(self.calls) == 1 else ""
        )

    def _steps(
        self, revisions: Revisions, current: tuple[str, ...], context: MigrationContext
    ) -> Iterator[Any]:
        environment, self.graph = self.upgrade.environment, revisions.graph
        environment.reset_logging()  # env.py has come as far as to configure it
        self.watch.pid = check_env_connection(self.connection, context, environment.config)
        call = EnvCall(find_version_table(context))
        self.calls.append(call)
        remember_version_table(self.connection, call.table)
        position = revision_ledger.locate_or_refuse(self.connection, self.graph, current, call.name)
        if position.state == DatabaseState.AHEAD:
            call.ahead, self.ahead = True, position
            return
        revision_ledger.align(self.connection, call.name, self.graph, current)
        context.on_version_apply_callbacks += (partial(self._record, call),)
        steps = upgrade_steps(revisions.script, current)
        if steps:
            self.seeded.look()
        for step in steps:
            yield from self._take(step, call)
        call.table = find_version_table(context)  # a revision may have moved it

    def _take(self, step: Any, call: EnvCall) -> Iterator[Any]:
        revision = self.graph.revisions[step.revision.revision]
        self.observer.before(revision)
        self.progress.start(RevisionRun(revision, len(self.calls) - 1, self._snapshot()))
        self.started = time.monotonic()
        yield step
        self.progress.finish()
        seconds = round(time.monotonic() - self.started, 3)
        call.done.append(replace(revision, seconds=seconds))
        self.observer.after(call.done[-1])

    def _snapshot(self) -> str:
        row = self.connection.execute(
            statements("migrations", "compose_init")["snapshot"]
        ).fetchone()
        return str(row[0]) if row else ""

    def _record(self, call: EnvCall, *, ctx: MigrationContext, step: Any, **_: Any) -> None:
        """Write a revision into the ledger, in its own transaction; Alembic names the arguments."""
        assert ctx.connection is not None  # noqa: S101 - offline, there is no ledger
        seconds = round(time.monotonic() - self.started, 3)
        revision = replace(self.graph.revisions[step.up_revision_id], seconds=seconds)
        rows = revision_ledger.applied_row(
            self.connection, call.first_name, revision, self.upgrade.image
        )
        ctx.connection.execute(text(revision_ledger.apply_statement()), {"rows": rows})

    def _remember_tables(self) -> None:
        """Remember where the version tables are now: a revision may have moved one."""
        for call in self.calls:
            if not call.ahead:
                remember_version_table(self.connection, call.table)

    def _verify(self) -> None:
        """Find out whether the revisions stayed: an env.py that never commits looks just like one that works."""
        missing: set[str] = set()
        for call in self.calls:
            if not call.ahead:
                found = read_version_table(self.connection, call.table)
                missing |= set(self.graph.heads) - self.graph.applied(found)
        if missing:
            raise MigrationError(
                f"{self.upgrade.environment.config}: env.py ran, and the database does not have"
                f" {', '.join(sorted(missing))}: env.py never committed. A connection that was used before"
                " context.configure() is in a transaction that Alembic leaves to env.py: commit it, or configure"
                " first"
            )

    def _check_end(self) -> None:
        """Find out whether `env.py` came to an end of its own, and had something to do."""
        environment, hidden = self.upgrade.environment, self.progress.running
        if hidden is not None:
            revision = hidden.revision
            raise MigrationError(
                f"revision {revision.revision} ({revision.message}) failed, and {environment.config}: env.py caught the"
                " error; let it raise the error, so that it can be named"
            )
        environment.check_calls()
        if self.calls and not self.graph.revisions:
            event(
                "there are no revisions; is it the right folder?",
                WARNING,
                config=self.upgrade.environment.config,
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except InitError as error:
            if self.progress.runs:  # earlier calls, or revisions, may have come to their end
                message = str(error).removesuffix("; nothing was changed")
                error.args = (f"{message}; {self._look_up()}",)
            raise
        except (Exception, SystemExit) as error:
            running = self.progress.running
            revision = running.revision if running else None
            if isinstance(error, psycopg.OperationalError) and revision is None:
                raise  # of our own connection: who opened it translates it
            options, blocker = self.upgrade.environment.options, self.watch.last_blocker
            raise translate(error, Failure(options, revision, self._look_up(), blocker)) from error

    def _look_up(self) -> Aftermath:
        return look_up(self.connection, self.graph, self.calls, self.progress)

    def _report_calls(self) -> None:
        """Log what each call did, where there was more than one."""
        for call in self.calls if len(self.calls) > 1 else ():
            revisions = [revision.revision for revision in call.done]
            event("migrated by version table", table=call.name, revisions=revisions)

    def _kept(self, call: EnvCall) -> list[Revision]:
        """Return the revisions that ran and stayed: the version table has what was committed, and nothing else."""
        try:
            found = read_version_table(self.connection, call.table) if call.done else ()
        except psycopg.Error:
            return []  # nothing is claimed that cannot be seen
        applied = self.graph.applied(found)
        return [revision for revision in call.done if revision.revision in applied]


def _log_retry(attempt: RetryCallState) -> None:
    outcome = attempt.outcome
    event(
        "a table is locked by another session, trying again",
        reason=str(outcome.exception() if outcome else ""),
    )
