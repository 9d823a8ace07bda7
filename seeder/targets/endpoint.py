"""An endpoint of the application's API as a target.

    GET list ─▶ live records, by key ─▶ (details of those that changed) ─▶ pg_temp.live
    pg_temp.plan ─▶ POST, PUT or PATCH, some at once ─▶ read back ─▶ the ledger, in small batches

The list need not show all of a record: what it leaves out is read with the `confirm` requests, for
the records that the seed changed, or for all with `verify`. A field that no answer shows is compared
with the ledger alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx

from seeder.diff import Change, Plan
from seeder.errors import (
    Fault,
    ManifestError,
    RefusedError,
    SeedError,
)
from seeder.exact import decode, encode
from seeder.ledger import Connection, Ledger
from seeder.manifest import Confirm, Dataset
from seeder.sql import statements
from seeder.stage import Desired, label
from seeder.targets import Progress
from seeder.targets.pages import listed
from seeder.targets.request import AnswerError, Requests

Json = Any
Key = tuple[Any, ...]

FINISHING = 5.0
"""Seconds that requests under way have to finish when another one has failed."""

BATCH = 64
"""How many records the ledger takes in one transaction, at most."""

SETTLING = 1.0
"""Seconds that requests of a killed run have to come to their end."""

GONE = {404, 410}
"""A delete's answers that mean: is not there any more."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What became of one record: what the API shows of it, or why it was refused."""

    change: Change
    observed: dict[str, Json]
    missing: tuple[str, ...] = ()
    refused: str = ""


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
        self._requests = Requests(client)
        self._desired: list[Desired] = []
        self._fields: list[str] = []
        self._ids: dict[int, Key] = {}
        self._live: dict[Key, dict[str, Json]] = {}

    def show(self, desired: list[Desired], fields: list[str], *, verify: bool) -> None:
        """List the API's records, and show both sides of the comparison.

        Raises:
            RefusedError: the list cannot be had or understood.
            CredentialsError, InterruptedTargetError: as the API answers.
        """
        self._desired, self._fields = desired, fields
        self._connection.execute(statements("endpoint")["raw"])
        self._show_desired(desired)
        self._connection.execute(statements("endpoint")["desired"], {"fields": fields})
        self._settle()
        listed = self._list()
        self._live = dict(listed)
        by_key = {record.key: record for record in desired}
        twice = self._twice(listed)
        gone = self._gone([key for key in self._live if key not in by_key])
        detailed = {record.position for record in desired} if verify else self._changed()
        rows = []
        with self._threads() as threads:
            complete = threads.map(
                lambda pair: self._complete(pair, by_key.get(pair[0]), detailed, gone),
                self._live.items(),
            )
            for key, record in complete:
                document = _project(record, self._named(by_key.get(key), gone.get(key), record))
                rows += [(encode(key).decode(), encode(document).decode())] * twice.get(key, 1)
        with (
            self._connection.cursor() as cursor,
            cursor.copy("COPY pg_temp.raw_live FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)
        self._connection.execute(statements("endpoint")["live"], {"fields": fields})

    def _settle(self) -> None:
        """Let a killed run's last requests come to their end: one that comes after ours would undo it."""
        row = self._connection.execute(statements("endpoint")["begun"]).fetchone()
        if row and row[0]:
            time.sleep(SETTLING)

    def _named(
        self, wanted: Desired | None, shape: dict[str, Json] | None, record: Mapping[str, Json]
    ) -> dict[str, Json]:
        """The fields to look at, with their structure: the file's, or the ledger's of a record gone from it."""
        if wanted:
            return _decode_fields(wanted)
        if shape is None:
            return {}
        return {name: shape.get(name) for name in self._fields if name in record}

    def _gone(self, others: list[Key]) -> dict[Key, dict[str, Json]]:
        """Of live records that the file does not name: those that are ours, with their structure."""
        statement = statements("endpoint")
        shapes = dict(self._connection.execute(statement["gone"]).fetchall())
        if not shapes or not others:
            return {}
        keys = {"keys": [encode(key).decode() for key in others]}
        ids = [row[0] for row in self._connection.execute(statement["ids"], keys)]
        self._ids = dict(zip(ids, others, strict=True))
        return {key: shapes[id_] or {} for id_, key in self._ids.items() if id_ in shapes}

    def apply(self, plan: Plan, ledger: Ledger, number: int, progress: Progress) -> Plan:
        """Send what the plan says, confirm it, and let the ledger follow each answer.

        Raises:
            RefusedError: the API refused records; the others were written.
            CredentialsError, InterruptedTargetError: as the API answers; what was confirmed stays.
        """
        ledger.record_plan(number, unwritten_only=True)
        total = plan.create + plan.update + plan.delete
        refused: list[Fault] = []
        done = 0
        unconfirmed: list[str] = []
        for id_, key in self._connection.execute(statements("endpoint")["deletes"]).fetchall():
            fault = self._delete(self._ids[id_])
            if fault:
                refused.append(
                    Fault(self._dataset.target, label(self._dataset.key, key), "", fault)
                )
            else:
                ledger.forget_records(number, [id_])
            done += 1
            progress(done, total)
        written: list[_Written] = []
        for batch in self._send_all(ledger, number):
            accepted = [written for written in batch if not written.refused]
            ledger.record_observed(
                number,
                self._fields,
                [(w.change.position or 0, encode(w.observed).decode()) for w in accepted],
            )
            written += [written for written in batch if written.refused]
            unconfirmed += [self._not_kept(written) for written in accepted if written.missing]
            done += len(batch)
            progress(done, total)
        written.sort(key=lambda written: written.change.position or 0)
        refused += [self._fault(one) for one in written]
        if refused:
            others = "; the others are written" if total > len(refused) else ""
            raise RefusedError(
                f"{self._dataset.target} refused {len(refused)} of {total} records{others}", refused
            )
        return plan.with_unconfirmed(sorted(unconfirmed))

    def _delete(self, key: Key) -> str:
        """Why the API does not delete a record; "" where it did, or had none any more."""
        request = self._dataset.http.delete
        if request is None:
            raise ManifestError(
                f"dataset {self._dataset.name}: prune has records to delete and http.delete is missing: say"
                ' how, as in delete = "DELETE /monsters/{live.id}"'
            )
        live = self._live[key]
        try:
            self._requests.send(request, live, live, None)
        except AnswerError as error:
            return "" if error.status in GONE else error.problem
        return ""

    # live

    def _list(self) -> list[tuple[Key, dict[str, Json]]]:
        http = self._dataset.http
        try:
            records = listed(self._requests, http, self._dataset.key)
        except AnswerError as error:
            raise RefusedError(
                f"dataset {self._dataset.name}: the API's records cannot be listed",
                [Fault(http.list_ or "", "", "", error.problem)],
            ) from None
        return [(tuple(record[field] for field in self._dataset.key), record) for record in records]

    def _twice(self, listed: list[tuple[Key, dict[str, Json]]]) -> dict[Key, int]:
        counts: dict[Key, int] = {}
        for key, _ in listed:
            counts[key] = counts.get(key, 0) + 1
        return counts

    def _show_desired(self, desired: list[Desired]) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy("COPY pg_temp.raw FROM STDIN") as copy,
        ):
            for record in desired:
                shapes = {name: _shape(part) for name, part in _decode_fields(record).items()}
                shape = encode({name: part for name, part in shapes.items() if part}).decode()
                key, document = encode(record.key).decode(), encode(record.document).decode()
                copy.write_row((record.position, key, document, shape))

    def _changed(self) -> set[int]:
        """Positions whose seed is not what was last applied."""
        rows = self._connection.execute(statements("endpoint")["changed"]).fetchall()
        return {row[0] for row in rows}

    def _complete(
        self,
        pair: tuple[Key, dict[str, Json]],
        wanted: Desired | None,
        detailed: set[int],
        gone: Mapping[Key, dict[str, Json]],
    ) -> tuple[Key, dict[str, Json]]:
        """A live record with what the list does not show of it, where that matters."""
        key, record = pair
        if wanted is None:
            if key not in gone or not self._dataset.prune:
                return pair
            hidden = any(field not in record for field in self._fields)
            named: Mapping[str, Json] = record
        else:
            hidden = wanted.position in detailed and any(f not in record for f in wanted.document)
            named = _decode_fields(wanted)
        if not hidden:
            return pair
        try:
            return key, self._read_back(named, record)
        except AnswerError as error:
            where = wanted.where if wanted else self._dataset.target
            raise RefusedError(
                f"dataset {self._dataset.name}: a record cannot be read back",
                [Fault(where, label(self._dataset.key, key), "", error.problem)],
            ) from None

    def _read_back(self, named: Mapping[str, Json], record: Mapping[str, Json]) -> dict[str, Json]:
        whole = dict(record)
        for confirm in self._dataset.http.confirm:
            answer = self._requests.send(confirm.request, named, whole, None)
            whole.update(_into(confirm, answer))
        return whole

    # writing

    def _send_all(self, ledger: Ledger, number: int) -> Iterator[list[_Written]]:
        """Every change, some at once; batches of what is done, as it is done."""
        changes = self._intended(ledger, number)
        with self._threads() as threads:
            running: set[Future[_Written]] = set()
            try:
                while True:
                    room = 2 * self._dataset.http.concurrency - len(running)
                    some = islice(changes, room)
                    running |= {threads.submit(self._send, change) for change in some}
                    if not running:
                        return
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from self._collect(finished)
            except SeedError:
                # What was under way beside the one that failed is written all the same: were the
                # ledger not told, our own writes would look like somebody's edits.
                yield [done.result() for done in _finish(running) if done.exception() is None]
                raise

    def _collect(self, finished: set[Future[_Written]]) -> Iterator[list[_Written]]:
        """What went well first, so that the ledger has it before an error ends the dataset."""
        good = [future.result() for future in finished if future.exception() is None]
        for start in range(0, len(good), BATCH):
            yield good[start : start + BATCH]
        for future in finished:
            future.result()

    def _intended(self, ledger: Ledger, number: int) -> Iterator[Change]:
        """The changes, each once the ledger says that it is about to be sent."""
        changes = iter(self._changes())
        while some := list(islice(changes, BATCH)):
            ledger.intend(number, [change.position or 0 for change in some])
            yield from some

    def _changes(self) -> list[Change]:
        rows = self._connection.execute(statements("endpoint")["writes"]).fetchall()
        return [
            Change(position, action, dict(zip(self._dataset.key, key, strict=True)), fields)
            for position, key, action, fields in rows
        ]

    def _send(self, change: Change) -> _Written:
        wanted = self._desired[change.position or 0]
        live = self._live.get(wanted.key, {})
        try:
            answer = (
                self._create(wanted)
                if change.action == "create"
                else self._update(change, wanted, live)
            )
        except AnswerError as error:
            return _Written(change, {}, refused=error.problem)
        shown = {**live, **answer} if isinstance(answer, dict) else dict(live)
        fields = _decode_fields(wanted)
        confirmed = bool(self._dataset.http.confirm)
        if confirmed:
            try:
                shown = self._read_back(fields, shown)
            except AnswerError as error:
                return _Written(
                    change, {}, refused=f"cannot be read back after writing: {error.problem}"
                )
        seen = shown if confirmed else answer if isinstance(answer, dict) else {}
        observed = _project(seen, fields)
        kept = {name for name, detail in change.fields.items() if "write" not in detail}
        missing = tuple(
            path
            for name, value in fields.items()
            if confirmed and name not in kept and name in observed
            for path in _differences(name, value, observed[name])
        )
        return _Written(change, {k: v for k, v in observed.items() if k not in kept}, missing)

    def _create(self, wanted: Desired) -> Json:
        body = encode(wanted.document)
        once = None
        if self._dataset.http.idempotency_key:
            # The same for the same record and content, after a crash too.
            once = str(uuid5(NAMESPACE_URL, f"{self._dataset.name} {wanted.key} {body.decode()}"))
        create = self._dataset.http.create or ""
        return self._requests.send(create, _decode_fields(wanted), {}, body, once)

    def _update(self, change: Change, wanted: Desired, live: Mapping[str, Json]) -> Json:
        request = self._dataset.http.update
        if request is None:
            raise ManifestError(
                f"dataset {self._dataset.name}: a record has changed and http.update is missing: say how,"
                ' as in update = "PUT /monsters/{live.id}"'
            )
        body: dict[str, Any] = dict(wanted.document)
        for name, detail in change.fields.items():
            if "write" not in detail:
                body[name] = detail["live"]
        if request.startswith("PATCH "):
            body = {name: body[name] for name, detail in change.fields.items() if "write" in detail}
        return self._requests.send(request, _decode_fields(wanted), live, encode(body))

    def _not_kept(self, written: _Written) -> str:
        key = label(self._dataset.key, self._desired[written.change.position or 0].key)
        return f"{key}: {', '.join(written.missing)}"

    def _fault(self, written: _Written) -> Fault:
        wanted = self._desired[written.change.position or 0]
        return Fault(wanted.where, label(self._dataset.key, wanted.key), "", written.refused)

    # some at once

    @contextmanager
    def _threads(self) -> Iterator[ThreadPoolExecutor]:
        threads = ThreadPoolExecutor(self._dataset.http.concurrency, "endpoint")
        try:
            yield threads
        finally:
            # Not waited for: a request under way may take its whole timeout, and a signal must not.
            # The next run finds what became of it in the API's list.
            threads.shutdown(wait=False, cancel_futures=True)


def _finish(running: set[Future[_Written]]) -> list[Future[_Written]]:
    """Call off what has not begun, and let the rest come to its end, within a bound."""
    begun = [future for future in running if not future.cancel()]
    return list(wait(begun, timeout=FINISHING).done)


def _decode_fields(wanted: Desired) -> dict[str, Json]:
    return {name: decode(value) for name, value in wanted.document.items()}


def _into(confirm: Confirm, answer: Json) -> dict[str, Json]:
    if confirm.into is None:
        return answer if isinstance(answer, dict) else {}
    if confirm.by is None or not isinstance(answer, list):
        return {confirm.into: answer}
    by = confirm.by
    rows = (row for row in answer if isinstance(row, dict) and by in row)
    return {confirm.into: {str(row[by]): {k: v for k, v in row.items() if k != by} for row in rows}}


def _shape(value: Json) -> Json:
    """The names that objects in `value` have, without the values; None for what is no structure."""
    if isinstance(value, dict):
        return {name: _shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_shape(part) for part in value]
    return None


def _project(live: Json, desired: Json) -> Json:
    """What `live` holds of the fields that `desired` names, at every depth."""
    if isinstance(live, dict) and isinstance(desired, dict):
        return {
            name: _project(live[name], value) for name, value in desired.items() if name in live
        }
    if isinstance(live, list) and isinstance(desired, list) and len(live) == len(desired):
        return [_project(*pair) for pair in zip(live, desired, strict=True)]
    return live


def _differences(path: str, desired: Json, observed: Json) -> Iterator[str]:
    """Paths of `desired` that the API does not show as they were written."""
    if isinstance(desired, dict) and isinstance(observed, dict):
        for name, value in desired.items():
            yield from _differences(f"{path}.{name}", value, observed.get(name))
    elif desired != observed:
        yield path
