"""The order in which seeding works, as a table of contents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import psycopg
from msgspec.json import encode

from seeder.diff import Plan, check_prune, compare, prepare
from seeder.errors import (
    CredentialsError,
    InterruptedTargetError,
    ManifestError,
    RecordError,
    SeedError,
    SourceError,
    nearest,
)
from seeder.ledger import Applied, Connection, Ledger
from seeder.manifest import Dataset, Manifest, Ref, parse
from seeder.records import Document, open_document
from seeder.sources import Content, Sources, check_pin, resolve
from seeder.stage import PENDING, Desired, Scalar, stage
from seeder.targets import Target
from seeder.targets.table import TableTarget, columns, lookup

if TYPE_CHECKING:
    import httpx


def _no_api() -> httpx.Client:
    raise ManifestError(
        "a dataset has an endpoint, and there is no API: set API_BASE_URL to one that runs, or API_COMMAND to"
        " start one"
    )


def _no_progress(dataset: str, done: int, total: int) -> None:
    del dataset, done, total


@dataclass(frozen=True)
class Options:
    """How to seed.

    Attributes:
        only: names of datasets; all where it is empty.
        plan: compute the plans and change nothing.
        verify: compare with live data even where the ledger says that nothing has changed.
        schema_behind: with `plan`: migrations are pending, so that tables may be missing still.
        api: opens a client with the API's base URL; called once, and only where it is needed.
        changing: told a dataset before its target or ledger changes.
        progress: told dataset, records done, records in all.
        finished: told each plan as it came out.
    """

    only: tuple[str, ...] = ()
    plan: bool = False
    verify: bool = False
    schema_behind: bool = False
    api: Callable[[], httpx.Client] = _no_api
    changing: Callable[[str], None] = field(default=lambda _: None)
    progress: Callable[[str, int, int], None] = _no_progress
    finished: Callable[[Plan], None] = field(default=lambda _: None)


def load(location: str, sources: Sources) -> tuple[Manifest, Content]:
    """The manifest at a path or URL.

    Raises:
        SourceError: it cannot be read.
        ManifestError: it is wrong.
    """
    content = sources.read(location)
    try:
        text = content.data.decode()
    except UnicodeDecodeError as error:
        raise ManifestError(f"{location} is not UTF-8: {error}") from None
    return parse(text, location), content


def inputs(location: str, manifest: Manifest) -> dict[str, str]:
    """The location of each dataset's source, by dataset.

    Raises:
        ManifestError: a source leaves the manifest's folder; all of them.
    """
    found, faults = {}, []
    for dataset in manifest.datasets:
        try:
            found[dataset.name] = resolve(location, dataset.source)
        except ManifestError as error:
            faults.append(f"dataset {dataset.name}: {error}")
    if faults:
        raise ManifestError("\n".join(faults))
    return found


def examine(
    location: str, sources: Sources, *, only: tuple[str, ...] = (), api: bool = True
) -> None:
    """Find what is wrong before anything is begun: in the manifest, or with what it names.

    Args:
        location: the manifest's path or URL.
        sources: how to read.
        only: names of datasets that shall be seeded; all where it is empty.
        api: whether there is one, for datasets with an endpoint.

    Raises:
        ManifestError: the manifest is wrong, or has no such dataset, or there is no API.
        SourceError: sources cannot be read; all of them.
    """
    manifest, _ = load(location, sources)
    where = inputs(location, manifest)
    _check_names(manifest, only)
    chosen = [d for d in manifest.datasets if not only or d.name in only]
    if not api and any(dataset.endpoint for dataset in chosen):
        _no_api()
    unreadable = []
    for dataset in chosen:
        try:
            sources.fingerprint(where[dataset.name])
        except SourceError as error:
            unreadable.append(f"dataset {dataset.name}: {error}")
    if unreadable:
        raise SourceError("\n".join(unreadable))


def check(location: str, sources: Sources) -> dict[str, int]:
    """What can be found wrong without a database: records by dataset where nothing is.

    Raises:
        SeedError: the faults of every dataset.
    """
    manifest, _ = load(location, sources)
    where = inputs(location, manifest)
    counts: dict[str, int] = {}
    errors: list[SeedError] = []
    for dataset in manifest.datasets:
        try:
            content = _read(dataset, where[dataset.name], sources)
            document = _document(dataset, content)
            counts[dataset.name] = len(stage(dataset, document, _anything))
        except SeedError as error:
            errors.append(error)
    if errors:
        raise _combined(errors)
    return counts


def seed(
    connection: Connection,
    location: str,
    sources: Sources,
    options: Options = Options(),
) -> tuple[list[Plan], dict[str, str]]:
    """Bring every dataset's target to what its source says, or plan it.

    Args:
        connection: to the application's database, in autocommit, and used by nobody else meanwhile.
        location: the manifest's path or URL.
        sources: how to read the manifest and the sources.
        options: what to seed, and how.

    Returns:
        The plans as they came out, and the fingerprint of every input by its location.

    Raises:
        SeedError: see `seeder.errors`. Datasets before the one at fault stay applied.
    """
    manifest, content = load(location, sources)
    where = inputs(location, manifest)
    fingerprints = {location: content.fingerprint}
    _check_names(manifest, options.only)
    ledger = _prepare(connection, create=not options.plan)
    pending: set[Scalar] = set()
    plans = []
    for dataset in manifest.datasets:
        if options.only and dataset.name not in options.only:
            continue
        seeding = _Seeding(connection, ledger, dataset, options, pending)
        plan, fingerprint = seeding.run(where[dataset.name], sources)
        fingerprints[where[dataset.name]] = fingerprint
        options.finished(plan)
        plans.append(plan)
    return plans, fingerprints


def _prepare(connection: Connection, *, create: bool) -> Ledger:
    # One time zone, so that a timestamp has one text, and with it one hash, in every run.
    connection.execute("SET TimeZone = 'UTC'; SET jit = off")
    return Ledger.open(connection, create=create)


@dataclass
class _Seeding:
    """One dataset, from its source to the ledger."""

    connection: Connection
    ledger: Ledger
    dataset: Dataset
    options: Options
    pending: set[Scalar]

    def run(self, location: str, sources: Sources) -> tuple[Plan, str]:
        applied = self.ledger.applied(self.dataset.name)
        if applied and not self.options.verify:
            now = sources.fingerprint(location)
            if applied.fingerprint == _fingerprint(self.dataset, now):
                return Plan(self.dataset.name, self.dataset.target, unchanged=applied.records), now
        content = _read(self.dataset, location, sources)
        document = _document(self.dataset, content)
        fingerprint = _fingerprint(self.dataset, content.fingerprint)
        if not self.options.plan:
            self.options.changing(self.dataset.name)
        try:
            plan = self._compare_and_apply(document, fingerprint, applied)
        except psycopg.errors.InsufficientPrivilege as error:
            raise CredentialsError(
                f"dataset {self.dataset.name}: {error.diag.message_primary}; GRANT the role what is missing"
            ) from None
        except psycopg.OperationalError as error:
            what = "the database went away" if self.connection.closed else "nothing was written"
            raise InterruptedTargetError(
                f"dataset {self.dataset.name}: {what} ({' '.join(str(error).split())}); run again"
            ) from None
        return plan, content.fingerprint

    def _compare_and_apply(
        self, document: Document, fingerprint: str, applied: Applied | None
    ) -> Plan:
        if self.options.schema_behind and self._needs_migrating():
            desired = stage(self.dataset, document, _anything)
            return Plan(
                self.dataset.name, self.dataset.target, create=len(desired), after_migration=True
            )
        if self.dataset.table:
            return self._in_one_transaction(document, fingerprint, applied)
        return self._step_by_step(document, fingerprint, applied)

    def _needs_migrating(self) -> bool:
        """An endpoint needs the API, and the API the schema."""
        return self.dataset.table is None or not columns(self.connection, self.dataset.table)

    def _in_one_transaction(
        self, document: Document, fingerprint: str, applied: Applied | None
    ) -> Plan:
        """A table: its rows and the ledger change together, or not at all."""
        with self.connection.transaction() as transaction:
            # A row that somebody edits between our reading and our writing fails the transaction.
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            target = TableTarget(self.connection, self.dataset, self.ledger.salt)
            plan, desired, fields = self._compare(target, document, applied)
            if self.options.plan:
                self._remember_pending(desired)
                raise psycopg.Rollback(transaction)
            plan = self._apply(target, plan, desired, fields, fingerprint, applied)
            self.connection.execute("DISCARD TEMP")
        return plan

    def _step_by_step(self, document: Document, fingerprint: str, applied: Applied | None) -> Plan:
        """An endpoint: the ledger follows each confirmed answer."""
        from seeder.targets.endpoint import EndpointTarget

        target = EndpointTarget(self.connection, self.dataset, self.options.api())
        try:
            plan, desired, fields = self._compare(target, document, applied)
            if self.options.plan:
                self._remember_pending(desired)
                return plan
            plan = self._apply(target, plan, desired, fields, fingerprint, applied)
        finally:
            # Where a signal broke into a statement, the connection takes no other one.
            with suppress(psycopg.Error):
                self.connection.execute("DISCARD TEMP")
        return plan

    def _compare(
        self, target: Target, document: Document, applied: Applied | None
    ) -> tuple[Plan, list[Desired], list[str]]:
        desired = stage(self.dataset, document, self._lookup)
        moved = applied is not None and applied.target != self.dataset.target
        old = None if moved else applied
        fields = _fields(old, desired)
        prepare(self.connection, self.ledger)
        self.ledger.show_applied(old.number if old else None)
        # Keys that wait for an id can be compared with nothing: such records can only be new.
        known = [record for record in desired if not record.pending]
        new = len(desired) - len(known)
        desired = (
            [replace(record, position=n) for n, record in enumerate(known)] if new else desired
        )
        target.show(desired, fields, verify=self.options.verify)
        plan = compare(self.connection, self.dataset, desired, fields)
        check_prune(self.dataset, plan, old.records if old else 0)
        return replace(plan, create=plan.create + new), desired, fields

    def _apply(
        self,
        target: Target,
        plan: Plan,
        desired: list[Desired],
        fields: list[str],
        fingerprint: str,
        applied: Applied | None,
    ) -> Plan:
        # From here on the target is not what the ledger's fingerprint says, should we fail.
        number = self.ledger.begin_dataset(self.dataset.name, self.dataset.target, fields)
        if applied is not None and applied.target != self.dataset.target:
            self.ledger.forget_records(number)
        plan = target.apply(plan, self.ledger, number, self._progress)
        self.ledger.record_dataset(self.dataset.name, number, fingerprint, len(desired))
        return plan

    def _lookup(self, ref: Ref, values: list[Scalar]) -> Mapping[Scalar, list[object]]:
        if self.options.schema_behind and not columns(self.connection, ref.table):
            return _anything(ref, values)
        found = lookup(self.connection, ref, values)
        for value in values:
            if value not in found and value in self.pending:
                found[value] = [PENDING]
        return found

    def _remember_pending(self, desired: list[Desired]) -> None:
        """Keys that this plan creates: later datasets of it may refer to them."""
        rows = self.connection.execute(
            "SELECT position FROM pg_temp.plan WHERE action = 'create'"
        ).fetchall()
        self.pending.update(value for (position,) in rows for value in desired[position].key)

    def _progress(self, done: int, total: int) -> None:
        self.options.progress(self.dataset.name, done, total)


def _fields(applied: Applied | None, desired: list[Desired]) -> list[str]:
    """The order in which a dataset's hashes stand: the ledger's, and what is new after it."""
    old = applied.fields if applied else []
    shapes = {tuple(record.document) for record in desired}
    return list(dict.fromkeys([*old, *(name for shape in sorted(shapes) for name in shape)]))


def _read(dataset: Dataset, location: str, sources: Sources) -> Content:
    content = sources.read(location)
    check_pin(location, content, dataset.sha256)
    return content


def _document(dataset: Dataset, content: Content) -> Document:
    return open_document(dataset.source, content.data)


def _check_names(manifest: Manifest, only: tuple[str, ...]) -> None:
    known = [dataset.name for dataset in manifest.datasets]
    unknown = [
        f"there is no dataset {name}{nearest(name, known)}" for name in only if name not in known
    ]
    if unknown:
        raise ManifestError("; ".join([*unknown, f"the manifest has {', '.join(known)}"]))


def _combined(errors: list[SeedError]) -> SeedError:
    """One error for several datasets: their records together, or all that is said."""
    others = [error for error in errors if not isinstance(error, RecordError)]
    if others:
        return type(others[0])("\n".join(str(error) for error in errors))
    faults = [fault for error in errors if isinstance(error, RecordError) for fault in error.faults]
    return RecordError("seed files are wrong", faults)


def _fingerprint(dataset: Dataset, source: str) -> str:
    """Of everything that decides what a dataset should hold: its manifest entry and its source."""
    entry = encode(dataset.model_dump(mode="json"), order="deterministic")
    return hashlib.sha256(entry + source.encode()).hexdigest()


def _anything(ref: Ref, values: list[Scalar]) -> Mapping[Scalar, list[object]]:
    del ref
    return {value: [PENDING] for value in values}
