"""An endpoint of the application's API as a target.

    GET list, or GET by key ─▶ live records ─▶ (details of those that changed) ─▶ pg_temp.live
    pg_temp.plan ─▶ DELETE; POST, PUT or PATCH, some at once ─▶ read back ─▶ the ledger, in small batches
                                └─▶ may be there, and is not shown ─▶ look again, once

The list need not show all of a record: what it leaves out is read with the `confirm` requests, for
the records that the seed changed, or for all with `verify`. A field that no answer shows is compared
with the ledger alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import httpx
import psycopg

from compose_seeder.errors import Fault, RefusedError
from compose_seeder.exact_json import decode, encode
from compose_seeder.http_client.client import Requests
from compose_seeder.http_client.concurrency_limit import Pace
from compose_seeder.http_client.worker_pool import BATCH, Job, Outcome, run
from compose_seeder.manifest.models import Dataset, FieldRules
from compose_seeder.postgres import Connection, statements
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.diff import compare
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.reconcile.plan import Change, Plan
from compose_seeder.reconcile.staged_records import Staged
from compose_seeder.reconcile.staging import Desired, label
from compose_seeder.reconcile.target import Progress, Shape
from compose_seeder.targets.endpoint.json_values import project, shape
from compose_seeder.targets.endpoint.reader import Key, Live, Reader
from compose_seeder.targets.endpoint.writer import Writer, Written, fields_of

Json = Any

SETTLING = 1.0
"""Seconds that requests of a killed run have to come to their end."""


@dataclass
class _Tally:
    """What has become of a plan so far."""

    total: int
    progress: Progress
    done: int = 0
    refused: list[Fault] = field(default_factory=list)
    not_kept: list[str] = field(default_factory=list)

    def add(self, count: int) -> None:
        self.done += count
        self.progress(self.done, self.total)


class EndpointTarget:
    """One dataset's endpoint.

    Args:
        connection: in autocommit; the plan and the ledger are there.
        dataset: with an endpoint.
        client: a client with the API's base URL and authentication; shared by threads.
    """

    def __init__(self, connection: Connection, dataset: Dataset, client: httpx.Client) -> None:
        self._connection = connection
        self._dataset = dataset
        self._pace = Pace(dataset.http.concurrency)
        self._requests = Requests(client, self._pace, dataset.secrets)
        self._reader = Reader(self._requests, dataset, self._pace)
        self._desired: list[Desired] = []
        self._fields: list[str] = []
        self._ids: dict[int, Key] = {}
        self._live: dict[Key, dict[str, Json]] = {}

    def load(self, staged: Staged) -> list[Shape]:
        """Take the desired records; the sets of fields that they have.

        Raises:
            RecordError: what is wrong with them.
        """
        self._desired = [record for some in staged for record in some]
        return list(dict.fromkeys(tuple(record.document) for record in self._desired))

    def show(self, fields: list[str], *, verify: bool) -> None:
        """Read the API's records, and show both sides of the comparison.

        Raises:
            RefusedError: they cannot be had or understood.
            CredentialsError, InterruptedTargetError: as the API answers.
        """
        self._settle()
        self._show(self._desired, fields, verify=verify)

    def apply(self, plan: Plan, ledger: Ledger, number: int, progress: Progress) -> Plan:
        """Send what the plan says, confirm it, and let the ledger follow the answers.

        Raises:
            RefusedError: the API refused records; the others were written.
            CredentialsError, InterruptedTargetError: as the API answers; what was confirmed stays.
        """
        ledger.record_plan(number, unwritten_only=True)
        tally = _Tally(plan.counts.written, progress)
        self._delete_all(ledger, number, tally)
        again = self._write_all(ledger, number, tally)
        if again:
            plan = self._look_again(plan, again, ledger, number, tally)
        if tally.refused:
            count = len(tally.refused)
            others = "; the others are written" if tally.total > count else ""
            raise RefusedError(
                f"{self._dataset.target} refused {count} of {tally.total} records{others}",
                tally.refused,
            )
        return plan.with_unconfirmed(sorted(tally.not_kept))

    def delete(self, key: Key) -> str:
        """Delete the live record of a key; why the API does not, or "".

        Raises:
            CredentialsError, InterruptedTargetError: as the API answers.
        """
        return self._writer("").delete(self._live[key])

    # both sides

    def _show(self, desired: list[Desired], fields: list[str], *, verify: bool) -> None:
        self._desired, self._fields = desired, fields
        self._show_desired(desired)
        self._connection.execute(statements("endpoint")["fill_desired"], {"fields": fields})
        listed = self._reader.all(desired)
        self._live = dict(listed)
        by_key = {record.key: record for record in desired}
        gone = self._gone([key for key in self._live if key not in by_key])
        every = verify or self._may_undo_unseen()
        detailed = {record.position for record in desired} if every else self._changed()
        counts = _counts(listed)
        rows = []
        for key, record in self._completed(by_key, detailed, gone):
            self._live[key] = record
            document = project(record, self._named(by_key.get(key), gone.get(key), record))
            rows += [(encode(key).decode(), encode(document).decode())] * counts[key]
        try:
            with (
                self._connection.cursor() as cursor,
                cursor.copy(statements("endpoint")["copy_fetched_records"]) as copy,
            ):
                for row in rows:
                    copy.write_row(row)
        except psycopg.DataError as error:
            raise self._not_comparable(rows) from error
        self._connection.execute(statements("endpoint")["fill_live"], {"fields": fields})

    def _settle(self) -> None:
        """Let a killed run's last requests come to their end: one that comes after ours would undo it."""
        row = self._connection.execute(statements("endpoint")["has_intents"]).fetchone()
        if row and row[0]:
            time.sleep(SETTLING)

    def _show_desired(self, desired: list[Desired]) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy(statements("endpoint")["copy_source_records"]) as copy,
        ):
            for record in desired:
                shapes = {name: shape(part) for name, part in fields_of(record).items()}
                text = encode({name: part for name, part in shapes.items() if part}).decode()
                key, document = encode(record.key).decode(), encode(record.document).decode()
                copy.write_row((record.position, key, document, text))

    def _changed(self) -> set[int]:
        """Positions whose seed is not what was last applied."""
        rows = self._connection.execute(statements("endpoint")["changed_positions"]).fetchall()
        return {row[0] for row in rows}

    def _gone(self, others: list[Key]) -> dict[Key, dict[str, Json]]:
        """Of live records that the file does not name: those that are ours, with their structure."""
        statement = statements("endpoint")
        shapes = dict(self._connection.execute(statement["removed_records"]).fetchall())
        if not shapes or not others:
            return {}
        keys = {"keys": [encode(key).decode() for key in others]}
        ids = [row[0] for row in self._connection.execute(statement["hash_keys"], keys)]
        self._ids = dict(zip(ids, others, strict=True))
        return {key: shapes[id_] or {} for id_, key in self._ids.items() if id_ in shapes}

    def _named(
        self, wanted: Desired | None, structure: dict[str, Json] | None, record: Mapping[str, Json]
    ) -> dict[str, Json]:
        """The fields to look at, with their structure: the file's, or the ledger's of a record gone from it."""
        if wanted:
            return fields_of(wanted)
        if structure is None:
            return {}
        return {name: structure.get(name) for name in self._fields if name in record}

    def _completed(
        self,
        by_key: Mapping[Key, Desired],
        detailed: set[int],
        gone: Mapping[Key, dict[str, Json]],
    ) -> Iterator[Live]:
        """The live records, with what the list does not show of them where that matters."""
        hidden: list[Job[Live]] = []
        for key, record in self._live.items():
            wanted = by_key.get(key)
            if self._is_hidden(record, wanted, detailed, ours=key in gone):
                named = fields_of(wanted) if wanted else record
                hidden.append(partial(self._reader.complete, (key, record), named, wanted))
            else:
                yield key, record
        for batch in self._reader.run(iter(hidden)):
            yield from batch

    def _is_hidden(
        self, record: Mapping[str, Json], wanted: Desired | None, detailed: set[int], *, ours: bool
    ) -> bool:
        if wanted is None:
            prunes = ours and self._dataset.prune
            return prunes and any(name not in record for name in self._fields)
        # A PUT sends the live values of fields that only other records name as well.
        needed = self._fields if self._puts else wanted.document
        return wanted.position in detailed and any(name not in record for name in needed)

    @property
    def _puts(self) -> bool:
        """Whether an update sends the whole record."""
        return not (self._dataset.http.update or "").startswith("PATCH ")

    def _may_undo_unseen(self) -> bool:
        """Whether the whole record, sent to undo an edit, may hold a field whose edit stays.

        The list may not show that one: then it has to be read, whether its seed has changed or not.
        """
        rules = [self._dataset.fields.get(name, FieldRules()) for name in self._fields]
        undone = [
            (rule.on_drift or self._dataset.on_drift) == "overwrite" and not rule.once
            for rule in rules
        ]
        alike = all(len(record.document) == len(self._fields) for record in self._desired)
        return self._puts and any(undone) and not (alike and all(undone))

    # writing

    def _writer(self, since: str) -> Writer:
        return Writer(
            self._requests,
            self._reader,
            self._dataset,
            self._desired,
            self._live,
            self._fields,
            since,
        )

    def _delete_all(self, ledger: Ledger, number: int, tally: _Tally) -> None:
        rows = self._connection.execute(statements("endpoint")["deletes"]).fetchall()
        jobs = (partial(self._delete, id_, key) for id_, key in rows)
        for batch in run(jobs, self._dataset.http.concurrency, self._pace):
            ledger.forget_records(number, [id_ for id_, fault in batch if fault is None])
            tally.refused += [fault for _, fault in batch if fault]
            tally.add(len(batch))

    def _delete(self, id_: int, key: Sequence[Any]) -> Outcome[tuple[int, Fault | None]]:
        problem = self.delete(self._ids[id_])
        named = label(self._dataset.key, key)
        return Outcome(
            [(id_, Fault(self._dataset.target, named, "", problem) if problem else None)]
        )

    def _write_all(
        self, ledger: Ledger, number: int, tally: _Tally, *, last: bool = False
    ) -> list[Written]:
        """Send every change; those that one has to look at again, unless it is the `last` time."""
        again: list[Written] = []
        refused: list[Written] = []
        jobs = self._jobs(ledger, number, bulk=not last)
        for batch in run(jobs, self._dataset.http.concurrency, self._pace):
            written = [one for one in batch if one.fate in {"written", "renamed"}]
            observed = [(one.position, encode(one.observed).decode()) for one in written]
            if observed:
                ledger.record_observed(number, self._fields, observed)
            tally.not_kept += [self._not_kept(one) for one in written if one.missing]
            repeat = [one for one in batch if one.fate in {"doubtful", "unseen"} and not last]
            again += repeat
            refused += [one for one in batch if one.fate != "written" and one not in repeat]
            tally.add(len(batch) - len(repeat))
        refused.sort(key=lambda one: one.position)
        tally.refused += [self._fault(one) for one in refused]
        not_ours = [one.position for one in refused + again if one.fate in {"refused", "doubtful"}]
        if not_ours:
            ledger.forget_intended(number, not_ours)
        return again

    def _jobs(self, ledger: Ledger, number: int, *, bulk: bool) -> Iterator[Job[Written]]:
        """The changes as jobs, each once the ledger says that it is about to be sent."""
        rows = self._connection.execute(statements("endpoint")["writes"]).fetchall()
        changes = (
            Change(position, action, dict(zip(self._dataset.key, key, strict=True)), fields)
            for position, key, action, fields in rows
        )
        writer = self._writer(self._since(number))
        together = self._dataset.http.bulk if bulk else None
        while some := list(islice(changes, max(BATCH, together.size if together else 0))):
            ledger.intend(number, self._fields, [change.position or 0 for change in some])
            if together:
                creates = iter([change for change in some if change.action == "create"])
                while part := list(islice(creates, together.size)):
                    yield partial(writer.write_all, together, part)
                some = [change for change in some if change.action != "create"]
            for change in some:
                yield partial(writer.write, change)

    def _since(self, number: int) -> str:
        """When the dataset was last applied as a whole."""
        row = self._connection.execute(
            statements("endpoint")["last_applied_at"], {"dataset": number}
        ).fetchone()
        return str(row[0]) if row else ""

    # records whose fate is open

    def _look_again(
        self, plan: Plan, again: list[Written], ledger: Ledger, number: int, tally: _Tally
    ) -> Plan:
        """Compare records anew that may be there; and write what is left to write.

        What the API has not taken, and is there, is somebody's. What it has taken is ours, if it is
        there: the ledger knows that it was about to be sent.
        """
        again.sort(key=lambda one: one.position)
        places = [one.position for one in again]
        rows = self._connection.execute(
            statements("endpoint")["ids_at_positions"], {"positions": places}
        ).fetchall()
        records = [replace(self._desired[p], position=n) for n, p in enumerate(places)]
        doubtful = [n for n, one in enumerate(again) if one.fate == "doubtful"]
        working_tables.reset(self._connection)
        working_tables.create(self._connection, "endpoint", ledger.salt)
        working_tables.fill_ids_to_compare(self._connection, [row[0] for row in rows])
        working_tables.fill_applied(self._connection, number, "intended ids to compare")
        self._show(records, self._fields, verify=False)
        second = compare(
            self._connection,
            self._dataset,
            lambda positions: {n: records[n] for n in positions},
            self._fields,
        )
        found = self._connection.execute(
            statements("endpoint")["existing_positions"], {"positions": doubtful}
        )
        adopted = {row[0] for row in found.fetchall()}
        taken = len(again) - second.counts.created - len(adopted)
        ledger.record_plan(number, unwritten_only=True)
        tally.total += second.counts.updated
        tally.add(taken + len(adopted))
        self._write_all(ledger, number, tally, last=True)
        return _merged(plan, second, places, adopted=adopted, taken=taken)

    # messages

    def _not_comparable(self, rows: list[tuple[str, str]]) -> RefusedError:
        """The live records with a value that no `jsonb` holds: NUL in a text, a number without end."""
        faults = []
        for key, document in rows:
            try:
                self._connection.execute("SELECT %s::jsonb, %s::jsonb", (key, document))
            except psycopg.DataError as error:
                named = label(self._dataset.key, decode(key.encode()))
                problem = f"PostgreSQL cannot compare it: {error.diag.message_primary}"
                faults.append(Fault(self._dataset.target, named, "", problem))
        return RefusedError(
            f"dataset {self._dataset.name}: the API shows what cannot be compared", faults
        )

    def _not_kept(self, written: Written) -> str:
        key = label(self._dataset.key, self._desired[written.position].key)
        return f"{key}: {', '.join(written.missing)}"

    def _fault(self, written: Written) -> Fault:
        wanted = self._desired[written.position]
        return Fault(wanted.where, label(self._dataset.key, wanted.key), "", written.problem)


def _counts(listed: list[Live]) -> dict[Key, int]:
    counts: dict[Key, int] = {}
    for key, _ in listed:
        counts[key] = counts.get(key, 0) + 1
    return counts


def _merged(plan: Plan, second: Plan, places: list[int], *, adopted: set[int], taken: int) -> Plan:
    """A plan as it came out, after a second look at the records in `places`.

    `adopted` of them were there already; `taken` of them were created by us after all.
    """
    found = {places[position] for position in adopted}
    changes = [
        replace(change, position=places[change.position])
        for change in second.records
        if change.position in adopted
    ]
    # The records of the second plan are those of the first one: only what is new about them counts.
    new = replace(second.counts, created=-len(adopted), deleted=0, released=0)
    new = replace(new, unchanged=new.unchanged - taken)
    return replace(
        plan,
        counts=plan.counts + new,
        records=(*(one for one in plan.records if one.position not in found), *changes),
    )
