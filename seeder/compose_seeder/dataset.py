"""One dataset, from its source to the ledger.

    the file ─▶ what is new or changed in it, or in the target ─▶ stage ─▶ diff ─▶ apply ─▶ ledger

A table that is empty is filled directly; of a file that was applied before, only what differs is
looked at (`sift`).
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import psycopg
from msgspec.json import encode

from compose_seeder.documents.children import with_children
from compose_seeder.documents.json_document import Arrays
from compose_seeder.documents.json_schema import RecordSchema
from compose_seeder.errors import CredentialsError, InterruptedTargetError, ManifestError
from compose_seeder.inputs import Inputs
from compose_seeder.manifest.models import Dataset, Ref
from compose_seeder.options import Options
from compose_seeder.postgres import Connection, statements
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.diff import check_prune, compare, no_key_twice_in_file
from compose_seeder.reconcile.ledger import Applied, Ledger, unpack
from compose_seeder.reconcile.plan import Change, Counts, Plan
from compose_seeder.reconcile.staged_records import Batches, Staged
from compose_seeder.reconcile.staging import PENDING, Lookup, Scalar
from compose_seeder.reconcile.target import Shape, Target
from compose_seeder.reconcile.unchanged_records import SIZE, Sieve, Sifted, digests, sift
from compose_seeder.targets.table.bulk_load import Ids, UnfitError, fill, referred
from compose_seeder.targets.table.columns import columns, lookup, regclass
from compose_seeder.targets.table.constraints import denied
from compose_seeder.targets.table.load import read_as_json
from compose_seeder.targets.table.modified_rows import edited, never_filled, record_filled
from compose_seeder.targets.table.reconciler import TableTarget
from compose_seeder.targets.table.write_errors import is_limit


@dataclass
class Seeding:
    """One dataset, from its source to the ledger.

    Attributes:
        pending: keys that earlier datasets of the same plan create.
        schema: of its records.
        siblings: the names of other datasets in the manifest that have the same target.
        deletes: whether what it prunes is deleted now; else it stays, and the dataset is not wholly applied.
    """

    connection: Connection
    ledger: Ledger
    dataset: Dataset
    options: Options
    pending: set[Scalar]
    schema: RecordSchema | None = None
    siblings: tuple[str, ...] = ()
    deletes: bool = True

    def run(self, inputs: Inputs) -> tuple[Plan, str]:
        """Seed it; the plan as it came out, and the source's fingerprint.

        Raises:
            SeedError: see `compose_seeder.errors`.
        """
        applied = self.ledger.applied(self.dataset.name)
        if applied and not self.options.verify:
            now = inputs.source.fingerprint()
            if applied.fingerprint == self._fingerprint(inputs, now):
                return self._unchanged(applied.records), now
        document, source = inputs.read()
        fingerprint = self._fingerprint(inputs, source)
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

    def _fingerprint(self, inputs: Inputs, source: str) -> str:
        return inputs.fingerprint(source, self.schema.fingerprint if self.schema else "")

    def _compare_and_apply(
        self, document: Arrays, fingerprint: str, applied: Applied | None
    ) -> Plan:
        if self.schema:
            self.schema.check(document)
        document = with_children(self.dataset, document)
        if self.options.schema_behind and self._needs_migrating():
            new = Staged(self.dataset, self._whole(document), document, anything)
            count = sum(map(len, new)) + new.waiting
            counts = Counts(created=count)
            return Plan(self.dataset.name, self.dataset.target, counts, after_migration=True)
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

    def _unchanged(self, records: int) -> Plan:
        return Plan(self.dataset.name, self.dataset.target, Counts(unchanged=records))

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
                plan = self._look(target, document, references, salt, fingerprint, applied)
            if self.options.plan:
                raise psycopg.Rollback(transaction)
        return plan

    def _references(self, document: Arrays) -> tuple[dict[str, Ids] | None, bytes]:
        """What the references of plain records refer to, and of what a record's text is a digest.

        None where the records are not plain: their text alone does not say what becomes of them.
        """
        entry = self.dataset.model_dump(mode="json", exclude={"source", "sha256", "on_drift"})
        start = hashlib.sha256(encode(entry, order="deterministic"))
        try:
            found: dict[str, Ids] = {}
            for name, values in (
                referred(self.dataset, document) if self.dataset.refs else {}
            ).items():
                ref = self.dataset.refs[name]
                found[name] = self._lookup(ref, values) if values else {}
                if not self.dataset.is_referred_to(ref):  # it has not found yet what this run makes
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
        plain = not self.dataset.drop_null and not read_as_json(target.parts)
        if not plain or not never_filled(self.connection, target.parts):
            return None
        try:
            with self.connection.transaction():
                names, ids, keys = fill(
                    self.connection,
                    target.parts,
                    document,
                    references,
                    self._done,
                    self.options.limit,
                )
                number = self.ledger.begin_dataset(self.dataset.name, self.dataset.target, names)
                self.ledger.forget_records(number)
                with ThreadPoolExecutor(1, "digest") as thread:
                    found = thread.submit(self._digests, document, salt)
                    record_filled(self.connection, target.parts, number, names, len(ids))
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
        return Plan(self.dataset.name, self.dataset.target, Counts(created=len(ids)), created)

    def _look(
        self,
        target: TableTarget,
        document: Arrays,
        references: Mapping[str, Ids] | None,
        salt: bytes,
        fingerprint: str,
        applied: Applied | None,
    ) -> Plan:
        """The table compared: all of it, or what is not known to be the same."""
        sifted, batches = None, self._whole(document)
        if applied is not None and salt:
            sifted = self._sift(target, document, salt, applied)
            if sifted.is_empty and self._is_recorded(applied, fingerprint, sifted):
                return self._unchanged(sifted.count)
            batches = partial(sifted.batches, document, self.dataset.records)
        staged = Staged(self.dataset, batches, document, self._known(references))
        plan, names = self._compare(target, staged, applied, sifted)
        later = self.options.plan and bool(self.pending or self.options.schema_behind)
        target.refuse(plan, later=later)
        if self.options.plan:
            self._remember_pending(staged)
            return plan
        count = sifted.count if sifted else staged.count
        number = self._begin(applied, names)
        plan = self._apply(target, plan, number)
        if salt:
            self._record_sources(number, sifted or self._unsifted(document, salt))
        if self._is_whole(plan):
            self.ledger.record_dataset(self.dataset.name, number, fingerprint, count)
        working_tables.reset(self.connection)
        return plan

    def _sift(self, target: TableTarget, document: Arrays, salt: bytes, applied: Applied) -> Sifted:
        sieve = Sieve(self.ledger.sources(applied.number), salt)
        with ThreadPoolExecutor(1, "edited") as thread:
            asked = thread.submit(edited, self.connection, target.parts, applied)
            try:
                return sift(document, self.dataset.records, sieve, asked.result)
            except BaseException:
                self.connection.cancel_safe()
                raise

    def _unsifted(self, document: Arrays, salt: bytes) -> Sifted:
        """All of a file, after all of it was looked at."""
        found = self._digests(document, salt)
        ids = array("q", bytes(len(found)))
        return Sifted(array("q", range(len(ids))), array("q"), found, ids)

    def _is_recorded(self, applied: Applied, fingerprint: str, sifted: Sifted) -> bool:
        return applied.fingerprint == fingerprint and applied.records == sifted.count

    def _record_sources(self, number: int, sifted: Sifted) -> None:
        """Write the file's digests; of records that are not wholly applied none, so that they are looked at again."""
        row = self.connection.execute(statements("diff")["fully_applied"]).fetchone()
        ids, whole = row or (b"", b"")
        for place, id_, is_whole in zip(sifted.places, unpack(ids), whole, strict=True):
            sifted.ids[place] = id_
            if not is_whole:
                sifted.digests[place * SIZE : place * SIZE + SIZE] = bytes(SIZE)
        later = [id_ for (id_,) in self.connection.execute(statements("diff")["postponed_ids"])]
        sifted.digests += bytes(SIZE * len(later))
        sifted.ids.extend(later)
        self.ledger.record_sources(number, sifted.digests, sifted.ids)

    def _digests(self, document: Arrays, salt: bytes) -> bytearray:
        found = bytearray()
        for batch in document.batches(self.dataset.records):
            found += digests(salt, batch.texts)
        return found

    # an endpoint

    def _step_by_step(self, document: Arrays, fingerprint: str, applied: Applied | None) -> Plan:
        """An endpoint: the ledger follows each confirmed answer."""
        from compose_seeder.targets.endpoint.reconciler import EndpointTarget

        target = EndpointTarget(self.connection, self.dataset, self.options.api())
        try:
            staged = Staged(self.dataset, self._whole(document), document, self._lookup)
            plan, names = self._compare(target, staged, applied, None)
            if self.options.plan:
                self._remember_pending(staged)
                return plan
            number = self._begin(applied, names)
            plan = self._apply(target, plan, number)
            if self._is_whole(plan):
                self.ledger.record_dataset(self.dataset.name, number, fingerprint, staged.count)
        finally:
            # Where a signal broke into a statement, the connection takes no other one.
            with suppress(psycopg.Error):
                working_tables.reset(self.connection)
        return plan

    # both

    def _whole(self, document: Arrays) -> Batches:
        return partial(document.batches, self.dataset.records)

    def _compare(
        self, target: Target, staged: Staged, applied: Applied | None, sifted: Sifted | None
    ) -> tuple[Plan, list[str]]:
        """The plan, and the order in which hashes stand."""
        kind: Literal["table", "endpoint"] = "table" if self.dataset.table else "endpoint"
        working_tables.create(self.connection, kind, self.ledger.salt)
        if sifted is not None:
            working_tables.fill_ids_to_compare(self.connection, sifted.open)
        if applied is not None:
            which: Literal["all", "ids to compare"] = "ids to compare" if sifted else "all"
            working_tables.fill_applied(self.connection, applied.number, which)
        names = fields_of(applied, target.load(staged))
        target.show(names, verify=self.options.verify)
        if sifted is not None and applied is not None:
            no_key_twice_in_file(self.connection, self.dataset, staged.at, applied.number)
        siblings = self.siblings if applied and self.dataset.prune else ()
        plan = compare(
            self.connection, self.dataset, staged.at, names, self.options.limit, siblings
        )
        if applied and plan.counts.deleted:
            check_prune(self.dataset, plan, max(applied.records, self.ledger.owned(applied.number)))
        matched = sifted.count - len(sifted.places) if sifted else 0
        counts = plan.counts + Counts(created=staged.waiting, unchanged=matched)
        return replace(plan, counts=counts), names

    def _apply(self, target: Target, plan: Plan, number: int) -> Plan:
        if self._is_whole(plan):
            return target.apply(plan, self.ledger, number, self._progress)
        self.connection.execute(statements("diff")["postpone_deletes"])
        now = plan.with_counts(deleted=0)
        done = target.apply(now, self.ledger, number, self._progress)
        return done.with_counts(deleted=plan.counts.deleted)

    def _is_whole(self, plan: Plan) -> bool:
        """Whether nothing of a plan is left for later."""
        return self.deletes or not plan.counts.deleted

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

    def _known(self, references: Mapping[str, Ids] | None) -> Lookup:
        """Finds what was looked up for the whole file; else for some records at a time."""
        if references is None:
            return self._lookup
        found = {self.dataset.refs[name]: ids for name, ids in references.items()}
        return lambda ref, values: {value: list(found[ref].get(value, [])) for value in values}

    def _remember_pending(self, staged: Staged) -> None:
        """Keys that this plan creates: later datasets of it may refer to them."""
        rows = self.connection.execute(
            "SELECT position FROM pg_temp.plan WHERE action = 'create'"
        ).fetchall()
        records = staged.at(position for (position,) in rows)
        self.pending.update(value for record in records.values() for value in record.key)

    def _done(self, done: int) -> None:
        self.options.progress(self.dataset.name, done, done)

    def _progress(self, done: int, total: int) -> None:
        self.options.progress(self.dataset.name, done, total)


def fields_of(applied: Applied | None, shapes: Iterable[Shape]) -> list[str]:
    """The order in which a dataset's hashes stand: the ledger's, and what is new after it."""
    old = applied.fields if applied else []
    return list(dict.fromkeys([*old, *(name for shape in sorted(shapes) for name in shape)]))


def anything(ref: Ref, values: list[Scalar]) -> Mapping[Scalar, list[object]]:
    """References that nobody can look up yet."""
    del ref
    return {value: [PENDING] for value in values}
