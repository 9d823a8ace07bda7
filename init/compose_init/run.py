"""A run, as a table of contents.

up to date? ─ yes ─▶ done
    │ no
wait ─▶ lock ─▶ migrate ─▶ roles ─▶ seed ─▶ unlock ─▶ summary
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from logging import WARNING
from typing import TYPE_CHECKING, Any

from compose_init import ledger, variables_record
from compose_init.database import advisory_lock
from compose_init.database.connection import (
    Connection,
    connect,
    connect_timeout,
    translate_lost_connection,
)
from compose_init.errors import InitError, NotYetError, SettingsError
from compose_init.last_run import State
from compose_init.logs import event
from compose_init.migrations import revision_ledger
from compose_init.migrations.database_position import DatabasePosition, DatabaseState
from compose_init.migrations.fingerprint import of_migrations
from compose_init.migrations.revision_graph import Revision
from compose_init.migrations.revision_graph_file import read_graph_file
from compose_init.output.planned import Planned
from compose_init.output.progress import Progress
from compose_init.output.report import DONE, NOTHING, Report
from compose_init.settings import Settings
from compose_init.wait import wait_for_database

if TYPE_CHECKING:
    import httpx
    from compose_seeder import Options
    from compose_seeder.reconcile.plan import Plan
    from compose_seeder.sources import Sources

    from compose_init.database.application_role import Fault
    from compose_init.migrations.application import Migrations


@dataclass(frozen=True)
class Call:
    """What the command line asks for."""

    migrate: bool = True
    seed: bool = True
    verify: bool = False
    datasets: tuple[str, ...] = ()
    limit: int | None = 1000
    """Of a plan: how many records of a dataset it has; None for all."""


@dataclass
class Run:
    """One execution, from settings to report; `report` says how far it came."""

    settings: Settings
    call: Call
    progress: Progress
    reset_logging: Callable[[], object]
    report: Report = field(default_factory=Report)
    _lock: advisory_lock.Lock = field(init=False, repr=False)

    def execute(self) -> Report:
        """Do everything that is to be done.

        Raises:
            InitError, SeedError: what ended the run; phases before stay done.
        """
        with translate_lost_connection():
            with self._phase("wait"):
                connection = self._connect()
            with connection:
                if self._due(connection):
                    with self._locked() as self._lock:
                        self._do(connection, self._due(connection))  # another run may have done it
                else:
                    self.report.outcome = NOTHING
                self._record_variables(connection)
        return self.report

    def _do(self, connection: Connection, due: set[str]) -> None:
        self.report.outcome = DONE if due else NOTHING
        here = self._prepare(connection, due)
        if "migrate" in due and here.state != DatabaseState.AHEAD:
            with self._phase("migrate"):
                here = self._migrate(connection)
        if here.state == DatabaseState.AHEAD:
            self._is_ahead(here)
            self.report.outcome = NOTHING
            return
        if "roles" in due:
            with self._phase("roles"):
                self._check_role(connection)
        if "seed" in due:
            with self._phase("seed"):
                self._seed(connection)

    def _prepare(self, connection: Connection, due: set[str]) -> DatabasePosition:
        """What can be wrong is said before anything is changed; "behind" where migrating will tell."""
        from compose_seeder.reconcile import ledger_schema

        try:
            if "seed" in due:
                self._examine_seeds()
            if due:
                ledger_schema.read_format(connection)
        except Exception:
            # Seeds or a ledger that are newer than the image are no reason to stop a rollback.
            here = self._look(connection)
            if here.state != DatabaseState.AHEAD:
                raise
            return here
        if due:
            ledger_schema.prepare(connection)
            ledger.forget_phase(connection, "roles")  # a check that fails is made again
        return (
            self._look(connection)
            if due and "migrate" not in due
            else DatabasePosition(DatabaseState.BEHIND)
        )

    def _record_variables(self, connection: Connection) -> None:
        """Let the next run take the fast path, where this one was a whole one."""
        call = self.call
        if not (call.verify or call.datasets or self.report.ahead):
            only = ("--seed-only",) if not call.migrate else ("--migrate-only",)
            variables_record.record(
                connection, self.settings, () if call.migrate and call.seed else only
            )

    def plan(self) -> Planned:
        """What `execute` would change; changes nothing.

        Raises:
            InitError, SeedError: what would end the run before it changed anything.
        """
        with translate_lost_connection(), self._connect() as connection:
            due = self._due(connection)
            pending: tuple[Revision, ...] = ()
            sql: Mapping[str, str] = {}
            no_sql = ""
            if due and self.settings.alembic_config is not None:
                inspection = self._migrations.inspect()
                here = revision_ledger.locate_or_refuse(
                    connection, inspection.graph, inspection.current
                )
                if here.state == DatabaseState.AHEAD:
                    self._is_ahead(here)
                    due = set()
                elif "migrate" in due:
                    pending = inspection.graph.pending(inspection.current)
            if "seed" in due:
                self._examine_seeds()
            if pending:
                sql, no_sql = self._migrations.pending_sql(inspection.current)
            faults: tuple[Fault, ...] = ()
            if self.settings.application_role and not self.report.ahead:
                faults = self._role_faults(connection)
            plans: list[Plan] = []
            if "seed" in due:
                plans, _ = self._seed_with(connection, plan=True, schema_behind=bool(pending))
            return Planned(pending, tuple(plans), sql, no_sql, self.report.ahead, faults)

    def wait_only(self) -> Report:
        """Wait for PostgreSQL, and for the API where one runs elsewhere."""
        with self._phase("wait"):
            self._connect().close()
            api = self.settings.api
            if api is not None and not api.command:
                with self._api():
                    pass
        return self.report

    # the phases

    def _connect(self) -> Connection:
        database = self.settings.need_database()
        timeout, began = self.settings.database_timeout, time.monotonic()
        try:
            # There already, nearly always: no waiting loop is imported.
            return connect(database, **connect_timeout(database, timeout))
        except NotYetError as reason:
            event("waiting for PostgreSQL", address=database.place, reason=str(reason))
            self._get_ready()
            return wait_for_database(database, timeout, started=began)

    def _locked(self) -> Any:
        return advisory_lock.held(
            self.settings.need_database(),
            database_timeout=self.settings.database_timeout,
            timeout=self.settings.lock_timeout,
        )

    def _get_ready(self) -> None:
        """While PostgreSQL comes up there is time to import Alembic and the revisions."""
        if self.call.migrate and self.settings.alembic_config is not None:
            with suppress(
                InitError
            ):  # said when it is needed: the database may be at another image's head
                self._migrations.graph()

    def _migrate(self, connection: Connection) -> DatabasePosition:
        migrations = self._migrations
        before = of_migrations(migrations.config)
        from compose_init.migrations.upgrade import Observer

        observer = Observer(self._before_revision, self.progress.end_revision)
        here = migrations.upgrade(connection, observer, self.report.migrations)
        if here.state == DatabaseState.AT_HEAD:
            last = ledger.read(connection)
            done = {
                "environment": before.environment,
                "files": before.revisions,
                "revisions": sorted(last.revisions if last else ()),
            }
            ledger.record_phase(connection, "migrate", done)
            _warn_of_invalid_indexes(connection)
        return here

    def _before_revision(self, revision: Revision) -> None:
        self._lock.check()
        self.progress.begin_revision(revision)

    def _look(self, connection: Connection) -> DatabasePosition:
        """Seeds of an older image are not for a database that has gone on."""
        if self.settings.alembic_config is None:
            return DatabasePosition(DatabaseState.AT_HEAD)  # of no history at all
        last = ledger.read(connection)
        here = self._place(connection, last) if last else None
        if here is None:
            inspection = self._migrations.inspect()
            here = revision_ledger.locate_or_refuse(
                connection, inspection.graph, inspection.current
            )
        return here

    def _is_ahead(self, here: DatabasePosition) -> None:
        self.report.ahead = here.unknown
        event(
            "the database is ahead of this image, as after a rollback: nothing is migrated and nothing is seeded",
            WARNING,
            revisions=[str(entry) for entry in here.unknown],
        )

    def _check_role(self, connection: Connection) -> None:
        """Before the seeds: the temporary API connects as this role, and its error would say less."""
        from compose_init.database import application_role

        role = self.settings.application_role or ""
        application_role.check(connection, role)
        ledger.record_phase(connection, "roles", {"role": role})

    def _role_faults(self, connection: Connection) -> tuple[Fault, ...]:
        """What a run would not mend by itself, as things stand."""
        from compose_init.database import application_role

        found = application_role.faults(connection, self.settings.application_role or "")
        return tuple(fault for fault in found if not fault.ours)

    def _seed(self, connection: Connection) -> None:
        _, inputs = self._seed_with(
            connection,
            # A run that fails half-way has changed what the last complete one left.
            changing=partial(self._before_dataset, connection),
            progress=self._during_dataset,
            finished=self._finished,
        )
        ledger.record_phase(connection, self._seed_phase, inputs)

    def _before_dataset(self, connection: Connection, dataset: str) -> None:
        self._lock.check()
        ledger.forget_seed(connection, dataset)

    def _during_dataset(self, dataset: str, done: int, total: int) -> None:
        self._lock.check()
        self.progress.show_records(dataset, done, total)

    def _examine_seeds(self) -> None:
        """What is wrong with the manifest is said before the schema is touched."""
        from compose_seeder import examine

        api = self.settings.api is not None
        examine(self._manifest, self._sources, only=self.call.datasets, api=api)

    def _seed_with(self, connection: Connection, **how: Any) -> Any:
        from compose_seeder import Options, seed

        with ExitStack() as api:
            options: Options = Options(
                only=self.call.datasets,
                verify=self.call.verify,
                limit=self.call.limit,
                api=_once(lambda: api.enter_context(self._api())),
                **how,
            )
            return seed(connection, self._manifest, self._sources, options)

    def _finished(self, plan: Any) -> None:
        self.report.datasets.append(plan)
        self.progress.end_dataset(plan)

    # what there is

    @property
    def _seed_phase(self) -> str:
        """Two containers may each seed some datasets: each is complete by itself."""
        return ":".join(["seed", *sorted(set(self.call.datasets))])

    @property
    def _manifest(self) -> str:
        return self.settings.manifest or ""

    @cached_property
    def _migrations(self) -> Migrations:
        from compose_init.migrations.application import migrations_of

        return migrations_of(self.settings, self.reset_logging)

    @cached_property
    def _sources(self) -> Sources:
        from compose_seeder.sources import Sources

        return Sources(self.settings.object_store, self.settings.environ)

    @contextmanager
    def _api(self) -> Iterator[httpx.Client]:
        from compose_init import api_process

        if self.settings.api is None:  # said before, by what examines the seeds
            raise SettingsError("settings are wrong:\n  API_BASE_URL: is missing")
        with api_process.running(
            self.settings.api, self.settings.file_values, self.settings.api_timeout
        ) as client:
            yield client

    # up to date?

    def _due(self, connection: Connection) -> set[str]:
        """The phases that the last complete run did not leave as this one would; one query.

        Raises:
            UnknownRevisionError: the database has diverged.
        """
        wanted = set()
        if self.call.migrate and self.settings.alembic_config is not None:
            wanted.add("migrate")
        if self.call.seed and self.settings.manifest is not None:
            wanted.add("seed")
        if self.settings.application_role is not None:
            wanted.add("roles")
        last = ledger.read(connection) if wanted else None
        if last is None:
            return wanted
        here = self._place(connection, last)
        if here is not None and here.state == DatabaseState.AHEAD:
            self._is_ahead(here)
            return set()
        if here is not None and here.state == DatabaseState.AT_HEAD:
            wanted.discard("migrate")
        if "seed" in wanted and self._seeded(last.inputs.get(self._seed_phase, {})):
            wanted.discard("seed")
        if wanted == {"roles"}:  # else it is looked at again, whatever it was before
            checked = last.inputs.get("roles", {}).get("role")
            return wanted if checked != self.settings.application_role else set()
        return wanted

    def _place(self, connection: Connection, last: State) -> DatabasePosition | None:
        """Where the database stands, without Alembic; None where it takes Alembic to know."""
        config = self.settings.alembic_config
        if config is None:
            return DatabasePosition(DatabaseState.AT_HEAD)
        done, found = last.inputs.get("migrate", {}), of_migrations(config)
        if done.get("environment") != found.environment:
            return None  # another env.py may keep its revision in another table
        at_head = sorted(done.get("revisions", [])) == sorted(last.revisions)
        if at_head and done.get("files") == found.revisions:
            return DatabasePosition(DatabaseState.AT_HEAD)
        graph = read_graph_file(config, found.whole)
        return (
            None
            if graph is None
            else revision_ledger.locate_or_refuse(connection, graph, last.revisions)
        )

    def _seeded(self, done: Mapping[str, str]) -> bool:
        if self.call.verify or self._manifest not in done:
            return False
        from compose_seeder.errors import SourceError

        sources = self._sources
        try:
            return all(
                sources.recorded(place).fingerprint() == known for place, known in done.items()
            )
        except SourceError:
            return False  # the run itself will say it, by dataset

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self.progress.begin_phase(name)
        started = time.monotonic()
        try:
            yield
        finally:
            self.report.phases.append((name, time.monotonic() - started))


def _warn_of_invalid_indexes(connection: Connection) -> None:
    from compose_init.migrations.concurrent_indexes import invalid_indexes

    for name in invalid_indexes(connection):
        event(
            "an index is INVALID, left by a concurrent build that failed; no query uses it",
            WARNING,
            index=name,
            fix=f"DROP INDEX CONCURRENTLY {name}, and create it again",
        )


def _once(open_client: Callable[[], httpx.Client]) -> Callable[[], httpx.Client]:
    """Opened when it is first asked for, and the same one from then on."""
    opened: list[httpx.Client] = []

    def client() -> httpx.Client:
        if not opened:
            opened.append(open_client())
        return opened[0]

    return client
