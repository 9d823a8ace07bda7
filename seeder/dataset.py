"""One dataset, from its source to the ledger.

    the file ─▶ what is new or changed in it, or in the target ─▶ stage ─▶ diff ─▶ apply ─▶ ledger

A table that is empty is filled directly; of a file that was applied before, only what differs is
looked at (`sift`).
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace

import psycopg
from msgspec import DecodeError, Raw
from msgspec.json import decode, encode

from seeder import strict
from seeder.conform import RecordSchema
from seeder.diff import Change, Plan, check_prune, compare, no_key_twice_in_file, prepare
from seeder.errors import (
    CredentialsError,
    InterruptedTargetError,
    ManifestError,
)
from seeder.ledger import Applied, Connection, Ledger
from seeder.manifest import Dataset, Ref
from seeder.options import Options
from seeder.reading import fingerprint_of, read
from seeder.records import Arrays, Batch, RawRecord
from seeder.sift import SIZE, Sieve, digests
from seeder.sources import Sources
from seeder.sql import statements
from seeder.stage import PENDING, Desired, Scalar, stage
from seeder.targets import Target
from seeder.targets.columns import columns, lookup, regclass
from seeder.targets.fill import Ids, UnfitError, fill, referred
from seeder.targets.rules import denied
from seeder.targets.table import TableTarget, is_limit


@dataclass
class Sifted:
    """What is left of a file, after what was found again in the ledger.

    Attributes:
        raw: the records that have to be looked at.
        places: where each of them stands among all records.
        open: the ids of applied records that have to be looked at.
        digests: of all records' texts.
        ids: of all records; 0 where not known yet.
    """

    raw: list[RawRecord] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    digests: bytearray = field(default_factory=bytearray)
    ids: array[int] = field(default_factory=lambda: array("q"))

    @property
    def count(self) -> int:
        """How many records the file has."""
        return len(self.ids)


@dataclass
class Seeding:
    """One dataset, from its source to the ledger."""

    connection: Connection
    ledger: Ledger
    dataset: Dataset
    options: Options
    pending: set[Scalar]
    schema: RecordSchema | None = None

    def run(self, location: str, sources: Sources) -> tuple[Plan, str]:
        """Seed it; the plan as it came out, and the source's fingerprint.

        Raises:
            SeedError: see `seeder.errors`.
        """
        applied = self.ledger.applied(self.dataset.name)
        if applied and not self.options.verify:
            now = sources.fingerprint(location)
            if applied.fingerprint == self._fingerprint(now, sources):
                return Plan(self.dataset.name, self.dataset.target, unchanged=applied.records), now
        document, source = read(self.dataset, location, sources)
        fingerprint = self._fingerprint(source, sources)
        if not self.options.plan:
            self.options.changing(self.dataset.name)
        try:
            plan = self._compare_and_apply(document, fingerprint, applied)
        except psycopg.errors.InsufficientPrivilege as error:
            table = regclass(self.dataset.table) if self.dataset.table else None
            said = denied(self.connection, table, error)
            raise CredentialsError(f"dataset {self.dataset.name}: {said}") from None
        except psycopg.OperationalError as error:
            what = "the database went away" if self.connection.closed else "nothing was written"
            raise InterruptedTargetError(
                f"dataset {self.dataset.name}: {what} ({' '.join(str(error).split())}); run again"
            ) from None
        return plan, source

    def _fingerprint(self, source: str, sources: Sources) -> str:
        schema = self.schema.fingerprint if self.schema else ""
        return fingerprint_of(self.dataset, source + schema, sources)

    def _compare_and_apply(
        self, document: Arrays, fingerprint: str, applied: Applied | None
    ) -> Plan:
        if self.schema:
            self.schema.check(document)
        if self.options.schema_behind and self._needs_migrating():
            raw = document.array(self.dataset.records)
            new = len(stage(self.dataset, raw, document, anything))
            return Plan(self.dataset.name, self.dataset.target, create=new, after_migration=True)
        applied = self._owned(applied)
        if self.dataset.table:
            return self._in_one_transaction(document, fingerprint, applied)
        return self._step_by_step(document, fingerprint, applied)

    def _owned(self, applied: Applied | None) -> Applied | None:
        """What was applied; none where that was in another target: it owns nothing in this one."""
        return applied if applied and applied.target == self.dataset.target else None

    def _needs_migrating(self) -> bool:
        """An endpoint needs the API, and the API the schema."""
        return self.dataset.table is None or not columns(self.connection, self.dataset.table)

    # a table

    def _in_one_transaction(
        self, document: Arrays, fingerprint: str, applied: Applied | None
    ) -> Plan:
        """A table: its rows and the ledger change together, or not at all."""
        with self.connection.transaction() as transaction:
            # A row that somebody edits between our reading and our writing fails the transaction.
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            if not self.options.plan:
                self.ledger.wait_for_others()
                applied = self._owned(self.ledger.applied(self.dataset.name))
            target = TableTarget(self.connection, self.dataset, self.ledger.salt)
            references, salt = self._references(document)
            plan = None
            if applied is None and not self.options.plan and references is not None:
                plan = self._fill(target, document, references, salt, fingerprint)
            if plan is None:
                plan = self._look(target, document, salt, fingerprint, applied)
            if self.options.plan:
                raise psycopg.Rollback(transaction)
        return plan

    def _references(self, document: Arrays) -> tuple[dict[str, Ids] | None, bytes]:
        """What the references of plain records refer to, and of what a record's text is a digest.

        None where the records are not plain: their text alone does not say what becomes of them.
        """
        entry = self.dataset.model_dump(mode="json", exclude={"source", "sha256", "on_drift"})
        start = hashlib.sha256(encode(entry, order="deterministic"))
        if self.dataset.nest or self.dataset.drop_null:
            return None, b""
        try:
            found: dict[str, Ids] = {}
            for name, values in (
                referred(self.dataset, document) if self.dataset.refs else {}
            ).items():
                found[name] = self._lookup(self.dataset.refs[name], values) if values else {}
                start.update(repr(sorted(found[name].items(), key=repr)).encode())
        except UnfitError:
            return None, b""
        return found, start.digest()

    def _fill(
        self,
        target: TableTarget,
        document: Arrays,
        references: dict[str, Ids],
        salt: bytes,
        fingerprint: str,
    ) -> Plan | None:
        """The table filled directly; None, and nothing done, where that cannot be."""
        if not target.never_filled():
            return None
        try:
            with self.connection.transaction():
                names, ids, keys = fill(
                    self.connection, target, self.dataset, document, references, self._done
                )
                number = self.ledger.begin_dataset(self.dataset.name, self.dataset.target, names)
                self.ledger.forget_records(number)
                with ThreadPoolExecutor(1, "digest") as thread:
                    found = thread.submit(self._digests, document, salt)
                    target.record_filled(number, names, len(ids))
                self.ledger.record_sources(number, found.result(), ids)
                self.ledger.record_dataset(self.dataset.name, number, fingerprint, len(ids))
        except (UnfitError, psycopg.DataError, psycopg.IntegrityError, psycopg.NotSupportedError):
            return None
        except psycopg.DatabaseError as error:
            went_away = isinstance(error, psycopg.OperationalError) and not is_limit(error)
            if went_away or isinstance(error, psycopg.errors.InsufficientPrivilege):
                raise
            return None
        created = tuple(
            Change(n, "create", dict(zip(self.dataset.key, key, strict=True)), {})
            for n, key in enumerate(keys)
        )
        return Plan(self.dataset.name, self.dataset.target, create=len(ids), records=created)

    def _look(
        self,
        target: TableTarget,
        document: Arrays,
        salt: bytes,
        fingerprint: str,
        applied: Applied | None,
    ) -> Plan:
        """The table compared: all of it, or what is not known to be the same."""
        if applied is None or not salt:
            raw = document.array(self.dataset.records)
            sifted = None
        else:
            sifted = self._sift(target, document, salt, applied)
            raw = sifted.raw
            if not raw and not sifted.open and self._is_recorded(applied, fingerprint, sifted):
                return Plan(self.dataset.name, self.dataset.target, unchanged=sifted.count)
        plan, desired, names = self._compare(target, raw, document, applied, sifted)
        later = self.options.plan and bool(self.pending or self.options.schema_behind)
        target.refuse(plan, later=later)
        if self.options.plan:
            self._remember_pending(desired)
            return plan
        count = sifted.count if sifted else len(desired)
        number = self._begin(applied, names)
        plan = target.apply(plan, self.ledger, number, self._progress)
        if salt:
            self._record_sources(number, document, salt, sifted)
        self.ledger.record_dataset(self.dataset.name, number, fingerprint, count)
        self.connection.execute("DISCARD TEMP")
        return plan

    def _sift(self, target: TableTarget, document: Arrays, salt: bytes, applied: Applied) -> Sifted:
        before = list(self.ledger.sources(applied.number))
        with ThreadPoolExecutor(1, "edited") as thread:
            asked = thread.submit(target.edited, applied)
            found: dict[int, RawRecord] = {}
            try:
                sieve = Sieve(before, salt)
                for batch in document.batches(self.dataset.records):
                    for n in sieve.sift(batch):
                        found[batch.first + n] = self._raw(document, batch, n)
            except BaseException:
                self.connection.cancel_safe()
                raise
            edited = asked.result()
        places = sieve.finish(edited)
        sifted = Sifted(places=places, open=sieve.open, digests=sieve.digests, ids=sieve.ids)
        if len(places) > len(found):  # some that are edited in the table alone
            for batch in document.batches(self.dataset.records):
                for n in sieve.edited(batch):
                    found[batch.first + n] = self._raw(document, batch, n)
        sifted.raw = [found[place] for place in places]
        return sifted

    def _raw(self, document: Arrays, batch: Batch, n: int) -> RawRecord:
        where, text = batch.where(n), batch.texts[n]
        try:
            record = RawRecord(where, decode(text, type=dict[str, Raw]))
        except (DecodeError, RecursionError):
            document.array(self.dataset.records)  # names what is wrong, all of it
            raise
        if strict.faults(where, bytes(text), len(record.fields)):
            document.array(self.dataset.records)
        return record

    def _is_recorded(self, applied: Applied, fingerprint: str, sifted: Sifted) -> bool:
        return applied.fingerprint == fingerprint and applied.records == sifted.count

    def _record_sources(
        self, number: int, document: Arrays, salt: bytes, sifted: Sifted | None
    ) -> None:
        rows = self.connection.execute(statements("diff")["whole"]).fetchall()
        if sifted is None:
            sifted = Sifted()
            sifted.digests = self._digests(document, salt)
            sifted.ids = array("q", bytes(len(sifted.digests)))
            sifted.places = list(range(len(sifted.ids)))
        for position, id_, whole in rows:
            place = sifted.places[position]
            sifted.ids[place] = id_
            if not whole:
                sifted.digests[place * SIZE : place * SIZE + SIZE] = bytes(SIZE)
        self.ledger.record_sources(number, sifted.digests, sifted.ids)

    def _digests(self, document: Arrays, salt: bytes) -> bytearray:
        found = bytearray()
        for batch in document.batches(self.dataset.records):
            found += b"".join(digests(salt, batch.texts))
        return found

    # an endpoint

    def _step_by_step(self, document: Arrays, fingerprint: str, applied: Applied | None) -> Plan:
        """An endpoint: the ledger follows each confirmed answer."""
        from seeder.targets.endpoint import EndpointTarget

        target = EndpointTarget(self.connection, self.dataset, self.options.api())
        try:
            raw = document.array(self.dataset.records)
            plan, desired, names = self._compare(target, raw, document, applied, None)
            if self.options.plan:
                self._remember_pending(desired)
                return plan
            number = self._begin(applied, names)
            plan = target.apply(plan, self.ledger, number, self._progress)
            self.ledger.record_dataset(self.dataset.name, number, fingerprint, len(desired))
        finally:
            # Where a signal broke into a statement, the connection takes no other one.
            with suppress(psycopg.Error):
                self.connection.execute("DISCARD TEMP")
        return plan

    # both

    def _compare(
        self,
        target: Target,
        raw: list[RawRecord],
        document: Arrays,
        applied: Applied | None,
        sifted: Sifted | None,
    ) -> tuple[Plan, list[Desired], list[str]]:
        desired = stage(self.dataset, raw, document, self._lookup)
        names = fields_of(applied, desired)
        prepare(self.connection, self.ledger)
        if sifted is not None:
            self.ledger.open_records(sifted.open)
        self.ledger.show_applied(applied.number if applied else None, some=sifted is not None)
        # Keys that wait for an id can be compared with nothing: such records can only be new.
        known = [record for record in desired if not record.pending]
        new = len(desired) - len(known)
        desired = (
            [replace(record, position=n) for n, record in enumerate(known)] if new else desired
        )
        target.show(desired, names, verify=self.options.verify)
        if sifted is not None and applied is not None:
            no_key_twice_in_file(self.connection, self.dataset, desired, applied.number)
        plan = compare(self.connection, self.dataset, desired, names, self.options.limit)
        check_prune(self.dataset, plan, applied.records if applied else 0)
        matched = sifted.count - len(raw) if sifted else 0
        return (
            replace(plan, create=plan.create + new, unchanged=plan.unchanged + matched),
            desired,
            names,
        )

    def _begin(self, applied: Applied | None, names: list[str]) -> int:
        # From here on the target is not what the ledger's fingerprint says, should we fail.
        number = self.ledger.begin_dataset(self.dataset.name, self.dataset.target, names)
        if applied is None:
            self.ledger.forget_records(number)
        return number

    def _lookup(self, ref: Ref, values: list[Scalar]) -> Mapping[Scalar, list[object]]:
        if self.options.schema_behind and not columns(self.connection, ref.table):
            return anything(ref, values)
        try:
            found = lookup(self.connection, ref, values)
        except ManifestError as error:
            raise ManifestError(f"dataset {self.dataset.name}: {error}") from None
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

    def _done(self, done: int) -> None:
        self.options.progress(self.dataset.name, done, done)

    def _progress(self, done: int, total: int) -> None:
        self.options.progress(self.dataset.name, done, total)


def fields_of(applied: Applied | None, desired: list[Desired]) -> list[str]:
    """The order in which a dataset's hashes stand: the ledger's, and what is new after it."""
    old = applied.fields if applied else []
    shapes = {tuple(record.document) for record in desired}
    return list(dict.fromkeys([*old, *(name for shape in sorted(shapes) for name in shape)]))


def anything(ref: Ref, values: list[Scalar]) -> Mapping[Scalar, list[object]]:
    """References that nobody can look up yet."""
    del ref
    return {value: [PENDING] for value in values}
