"""A run, as a table of contents.

wait ─▶ up to date? ─ yes ─▶ done
            │ no
          lock ─▶ migrate ─▶ roles ─▶ seed ─▶ unlock ─▶ summary
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from logging import WARNING

from compose_init import ledger, variables_record
from compose_init.database import advisory_lock
from compose_init.database.availability import wait_for_database
from compose_init.database.blocking_sessions import naming_blockers
from compose_init.database.connection import (
    Connection,
    connect,
    connect_timeout,
    prepare_session,
    translate_lost_connection,
)
from compose_init.errors import NotYetError
from compose_init.last_run import NOTHING
from compose_init.logs import event
from compose_init.migrations.application import Migrations, migrations_of
from compose_init.migrations.database_position import (
    DatabasePosition,
    DatabaseState,
    pending_revisions,
)
from compose_init.migrations.revision_graph import Revision
from compose_init.output.planned import Planned
from compose_init.output.progress import Progress
from compose_init.output.report import DONE, Report
from compose_init.phases.due import find_due_phases
from compose_init.phases.migrate import locate_database, locate_inspected, migrate
from compose_init.phases.options import PhaseName, RunOptions
from compose_init.phases.roles import check_role, find_role_faults
from compose_init.phases.seed import SeedPhase
from compose_init.settings import Settings
from compose_seeder.reconcile import ledger_schema
from compose_seeder.reconcile.plan import Plan


@dataclass
class Run:
    """One execution, from settings to report; the report holds what was done until the run ended."""

    settings: Settings
    options: RunOptions
    progress: Progress
    reset_logging: Callable[[], object]
    report: Report = field(default_factory=Report)
    _lock: advisory_lock.Lock = field(init=False, repr=False)
    _version_table: str = field(default="", init=False)

    def execute(self) -> Report:
        """Run the phases that are due.

        Raises:
            InitError, SeedError: what ended the run; phases before stay done.
        """
        with translate_lost_connection():
            with self._phase("wait"):
                connection = self._connect()
            with connection:
                if self._find_due(connection):
                    with self._hold_lock() as self._lock:
                        # Whoever holds the lock has found that no pooler shares sessions.
                        prepare_session(connection, self.settings.lock_timeout, is_own=True)
                        # Again: another run may have done the work while this run waited for the lock.
                        self._run_due(connection, self._find_due(connection))
                else:
                    self.report.outcome = NOTHING
                self._record_variables(connection)
        return self.report

    def plan(self) -> Planned:
        """Return what `execute` would change, and change nothing.

        Raises:
            InitError, SeedError: what would end the run before it changed anything.
        """
        with translate_lost_connection(), self._connect() as connection:
            due = self._find_due(connection)
            pending, current = self._find_pending(connection, due)
            if self.report.ahead:
                return Planned((), (), ahead=self.report.ahead)
            if "seed" in due:
                self._seeds.examine()
            sql, no_sql = self._migrations.pending_sql(current) if pending else ({}, "")
            faults = find_role_faults(connection, self.settings.application_role)
            plans: list[Plan] = []
            if "seed" in due:
                with self._naming_blockers(connection):
                    plans, _ = self._seeds.run(connection, plan=True, schema_behind=bool(pending))
            return Planned(pending, tuple(plans), sql, no_sql, faults=faults)

    def wait_only(self) -> Report:
        """Wait for PostgreSQL, and for an API that this run does not start itself."""
        with self._phase("wait"):
            self._connect().close()
            api = self.settings.api
            if api is not None and not api.command:
                with self._seeds.open_api():
                    pass
        return self.report

    def _run_due(self, connection: Connection, due: frozenset[PhaseName]) -> None:
        self.report.outcome = DONE if due else NOTHING
        position = self._prepare(connection, due)
        if "migrate" in due and position.state != DatabaseState.AHEAD:
            with self._phase("migrate"):
                position = self._migrate(connection)
            due |= self._find_due(connection)  # seeds are due where seeded tables were migrated
            if due == {"migrate"} and not self.report.migrations:
                self.report.outcome = NOTHING  # env.py was asked, and says so
        if due:
            self._version_table = position.version_table
        if position.state == DatabaseState.AHEAD:
            self._report_ahead(position)
            self.report.outcome = DONE if self.report.migrations else NOTHING
            return
        if "roles" in due:
            with self._phase("roles"):
                check_role(connection, self.settings.application_role or "", self._version_table)
        if "seed" in due:
            with self._phase("seed"):
                self._seed(connection)

    def _prepare(self, connection: Connection, due: frozenset[PhaseName]) -> DatabasePosition:
        """Check manifest, sources and ledger before anything is changed; then prepare the ledger.

        Returns:
            The position of the database; "behind" if the phase migrate has to find it.
        """
        try:
            if "seed" in due:
                self._seeds.examine()
            if due:
                ledger_schema.read_format(connection)
        except Exception:
            # Seeds or a ledger newer than the image must not stop a rollback.
            position = self._locate(connection)
            if position.state != DatabaseState.AHEAD:
                raise
            return position
        if due:
            ledger_schema.prepare(connection)
            if due >= {"migrate", "seed"}:
                self._seeds.record_tables(connection)
            ledger.forget_phase(
                connection, "roles"
            )  # a check that fails is repeated by the next run
        if due and "migrate" not in due:
            return self._locate(connection)
        return DatabasePosition(DatabaseState.BEHIND)

    # the phases

    def _connect(self) -> Connection:
        database = self.settings.need_database()
        timeout, started = self.settings.database_timeout, time.monotonic()
        try:
            connection = connect(database, **connect_timeout(database, timeout))
        except NotYetError as reason:
            event("waiting for PostgreSQL", address=database.place, reason=str(reason))
            self._load_migrations()
            connection = wait_for_database(database, timeout, started=started)
        return prepare_session(connection, self.settings.lock_timeout)

    def _load_migrations(self) -> None:
        """Import Alembic while PostgreSQL starts."""
        if self.options.migrate and self.settings.alembic_config is not None:
            self._migrations.load()

    def _hold_lock(self) -> AbstractContextManager[advisory_lock.Lock]:
        return advisory_lock.hold(
            self.settings.need_database(),
            database_timeout=self.settings.database_timeout,
            timeout=self.settings.lock_timeout,
        )

    def _migrate(self, connection: Connection) -> DatabasePosition:
        # Alembic takes a third of a second to import; only this phase needs it.
        from compose_init.migrations.attempt import Observer  # noqa: PLC0415 - see above

        observer = Observer(self._before_revision, self.progress.end_revision)
        return migrate(connection, self._migrations, observer, self.report.migrations)

    def _before_revision(self, revision: Revision) -> None:
        self._lock.check()
        self.progress.begin_revision(revision)

    def _seed(self, connection: Connection) -> None:
        with self._naming_blockers(connection):
            _, inputs = self._seeds.run(
                connection,
                changing=partial(self._before_dataset, connection),
                progress=self._during_dataset,
                finished=self._after_dataset,
            )
            ledger.record_phase(connection, self.options.seed_name, inputs, self._version_table)

    def _naming_blockers(self, connection: Connection) -> AbstractContextManager[None]:
        return naming_blockers(
            self.settings.need_database(), connection, self.settings.lock_timeout
        )

    def _before_dataset(self, connection: Connection, dataset: str) -> None:
        self._lock.check()
        # If the run fails from here on, the dataset is no longer as the last complete run left it.
        ledger.forget_seed(connection, dataset)

    def _during_dataset(self, dataset: str, done: int, total: int) -> None:
        self._lock.check()
        self.progress.show_records(dataset, done, total)

    def _after_dataset(self, plan: Plan) -> None:
        self.report.datasets.append(plan)
        self.progress.end_dataset(plan)

    # the position of the database

    def _find_due(self, connection: Connection) -> frozenset[PhaseName]:
        due = find_due_phases(connection, self.settings, self.options, self._seeds)
        if due.position is not None:
            self._version_table = due.position.version_table
        if due.position is not None and due.position.state == DatabaseState.AHEAD:
            self._report_ahead(due.position)
        return due.names

    def _find_pending(
        self, connection: Connection, due: frozenset[PhaseName]
    ) -> tuple[tuple[Revision, ...], tuple[str, ...]]:
        """Return the pending revisions, and the revisions that the database is at."""
        if not due or self.settings.alembic_config is None:
            return (), ()
        found = self._migrations.inspect()
        for each in found:
            position = locate_inspected(connection, each)
            if position.state == DatabaseState.AHEAD:
                self._report_ahead(position)
                return (), each.current
        if "migrate" not in due:
            return (), ()
        # What a revision does is said once, for the version table with the most to do.
        longest = max((each for each in found), key=lambda each: len(each.pending), default=None)
        return pending_revisions(found), longest.current if longest else ()

    def _locate(self, connection: Connection) -> DatabasePosition:
        if self.settings.alembic_config is None:
            return DatabasePosition(DatabaseState.AT_HEAD)  # there are no revisions
        return locate_database(connection, self.settings, self._migrations)

    def _report_ahead(self, position: DatabasePosition) -> None:
        self.report.ahead = position.unknown
        event(
            "the database is ahead of this image, as after a rollback:"
            + ("" if self.report.migrations else " nothing is migrated and")
            + " nothing is seeded",
            WARNING,
            revisions=[str(entry) for entry in position.unknown],
        )

    def _record_variables(self, connection: Connection) -> None:
        """Let the next run with this command line take the fast path."""
        if not self.options.verify and not self.report.ahead:
            variables_record.record(
                connection, self.settings, self.options.flags, self._version_table
            )

    @cached_property
    def _migrations(self) -> Migrations:
        return migrations_of(self.settings, self.reset_logging)

    @cached_property
    def _seeds(self) -> SeedPhase:
        return SeedPhase(self.settings, self.options)

    @contextmanager
    def _phase(self, name: PhaseName) -> Iterator[None]:
        self.progress.begin_phase(name)
        started = time.monotonic()
        try:
            yield
        finally:
            self.report.phases.append((name, time.monotonic() - started))
