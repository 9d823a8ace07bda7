"""One attempt to upgrade: `env.py` runs, and each revision that it applies is told, timed and recorded.

locate ─▶ one revision after another, each with its row in the ledger ─▶ verify that they stayed
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
from sqlalchemy import text

from compose_init.database.blocking_sessions import BlockerWatch
from compose_init.database.connection import Connection
from compose_init.errors import InitError, MigrationError
from compose_init.logs import event
from compose_init.migrations import revision_ledger
from compose_init.migrations.aftermath import Aftermath, look_up
from compose_init.migrations.alembic_env import AlembicEnvironment
from compose_init.migrations.committed_revisions import find_kept, find_missing
from compose_init.migrations.database_position import DatabasePosition, DatabaseState
from compose_init.migrations.env_calls import EnvCall
from compose_init.migrations.env_connection import check_env_connection
from compose_init.migrations.errors import Failure, translate
from compose_init.migrations.loaded_revisions import Revisions
from compose_init.migrations.lock_timeout import short_lock_timeout
from compose_init.migrations.revision_graph import Revision, RevisionGraph
from compose_init.migrations.revision_progress import RevisionProgress, RevisionRun
from compose_init.migrations.seeded_tables import SeededTables
from compose_init.migrations.version_table import find_version_table, remember_version_table
from compose_seeder.postgres import statements


@dataclass
class Observer:
    """The run, which is told what happens as it happens.

    Attributes:
        before: called before each revision; raises where the run must not go on.
        after: called when a revision has run.
    """

    before: Callable[[Revision], None]
    after: Callable[[Revision], None]


@dataclass
class Attempt:
    """One attempt to upgrade; after a lock timeout another follows.

    Attributes:
        environment: the application's.
        image: recorded with each revision.
        lock_timeout: seconds that one statement may wait for a lock.
        connection: our own, for the ledger.
        observer: told each revision before and after it runs.
        watch: looks for the session that blocks the one of `env.py`.
        graph: the image's revisions, once they are loaded.
        calls: the calls of `context.run_migrations()`, in order.
        started: when the running revision started, by the monotonic clock.
    """

    environment: AlembicEnvironment
    image: revision_ledger.Image
    lock_timeout: float
    connection: Connection
    observer: Observer
    watch: BlockerWatch
    progress: RevisionProgress = field(default_factory=RevisionProgress)
    graph: RevisionGraph = field(default_factory=RevisionGraph)
    calls: list[EnvCall] = field(default_factory=list)
    ahead: DatabasePosition | None = None
    started: float = 0.0

    def __post_init__(self) -> None:
        self.seeded = SeededTables(self.connection, self.lock_timeout)

    def run(self, applied: list[Revision]) -> DatabasePosition:
        """Upgrade, as `Upgrade.run` describes it.

        Raises:
            LockedTableError: another session was first, and nothing stayed: another attempt may succeed.
            InitError: any other failure.
        """
        try:
            with self._translated(), self.environment.opened():
                with (
                    self.watch.running(),
                    self.progress.following_statements(),
                    short_lock_timeout(self.lock_timeout),
                ):
                    self.environment.run_online(self._steps)
                self.seeded.carry_over()
                self._check_end()
                self._remember_tables()
                self._verify()
        except InitError:
            self.seeded.carry_over()  # earlier revisions, or parts of the failed one, may have been committed
            raise
        finally:
            applied += find_kept(self.connection, self.graph, self.calls)
        self._report_calls()
        return self.ahead or DatabasePosition(
            DatabaseState.AT_HEAD, version_table=self.calls[0].name if len(self.calls) == 1 else ""
        )

    def _steps(
        self, revisions: Revisions, current: tuple[str, ...], context: MigrationContext
    ) -> Iterator[Any]:
        self.graph = revisions.graph
        self.environment.reset_logging()  # env.py has come as far as to configure it
        self.watch.pid = check_env_connection(self.connection, context, self.environment.config)
        call = EnvCall(find_version_table(context))
        self.calls.append(call)
        remember_version_table(self.connection, call.table)
        position = revision_ledger.locate_or_refuse(self.connection, self.graph, current, call.name)
        if position.state == DatabaseState.AHEAD:
            call.ahead, self.ahead = True, position
            return
        revision_ledger.align(self.connection, call.name, self.graph, current)
        context.on_version_apply_callbacks += (partial(self._record, call),)
        steps = revisions.upgrade_steps(current)
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
        rows = revision_ledger.applied_row(self.connection, call.first_name, revision, self.image)
        ctx.connection.execute(text(revision_ledger.apply_statement()), {"rows": rows})

    def _remember_tables(self) -> None:
        """Remember where the version tables are now: a revision may have moved one."""
        for call in self.calls:
            if not call.ahead:
                remember_version_table(self.connection, call.table)

    def _verify(self) -> None:
        """Find out whether the revisions stayed."""
        missing = find_missing(self.connection, self.graph, self.calls)
        if missing:
            raise MigrationError(
                f"{self.environment.config}: env.py ran, and the database does not have"
                f" {', '.join(missing)}: env.py never committed. A connection that was used before"
                " context.configure() is in a transaction that Alembic leaves to env.py: commit it, or configure"
                " first"
            )

    def _check_end(self) -> None:
        """Find out whether `env.py` came to an end of its own, and had something to do."""
        hidden = self.progress.running
        if hidden is not None:
            revision = hidden.revision
            raise MigrationError(
                f"revision {revision.revision} ({revision.message}) failed, and {self.environment.config}: env.py"
                " caught the error; let it raise the error, so that it can be named"
            )
        self.environment.check_calls()
        if self.calls and not self.graph.revisions:
            config = self.environment.config
            event("there are no revisions; is it the right folder?", WARNING, config=config)

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
            options, blocker = self.environment.options, self.watch.last_blocker
            raise translate(error, Failure(options, revision, self._look_up(), blocker)) from error

    def _look_up(self) -> Aftermath:
        return look_up(self.connection, self.graph, self.calls, self.progress)

    def _report_calls(self) -> None:
        """Log what each call did, where there was more than one."""
        for call in self.calls if len(self.calls) > 1 else ():
            revisions = [revision.revision for revision in call.done]
            event("migrated by version table", table=call.name, revisions=revisions)
