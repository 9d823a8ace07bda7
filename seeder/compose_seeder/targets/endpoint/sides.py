"""The two sides of an endpoint's comparison: both come over HTTP and are compared in PostgreSQL.

    records ──────────────────────────────────────────────────────────▶ source_records ──▶ desired
    GET list, or GET by key ─▶ (details of the records that changed) ─▶ fetched_records ─▶ live

The list need not show all of a record: what it leaves out is read with the `confirm` requests, for the records that
the seed changed, or for all with `verify`. A field that no answer shows is compared with the ledger alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import httpx
import psycopg

from compose_seeder.documents.record_values import format_key
from compose_seeder.errors import Fault, RefusedError
from compose_seeder.exact_json import decode, encode
from compose_seeder.http_client.client import Requests
from compose_seeder.http_client.concurrency_limit import ConcurrencyLimit
from compose_seeder.http_client.worker_pool import Job
from compose_seeder.manifest.models import FieldRules
from compose_seeder.postgres import statements
from compose_seeder.reconcile.desired_records import DesiredRecords
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import DatasetRun, FieldSet
from compose_seeder.targets.endpoint.json_values import project, structure_of
from compose_seeder.targets.endpoint.reader import Key, Live, Reader, decode_fields
from compose_seeder.targets.endpoint.unconfirmed import SentBefore

Json = Any


class EndpointSides:
    """One dataset's file and endpoint.

    Args:
        run: a dataset with an endpoint.
        client: a client with the API's base URL and authentication; shared by threads.

    Attributes:
        desired: the records of the file, by position.
        fields: of the dataset, in the order of the hashes.
        live: what the API holds, by key.
        keys: the keys of live records that the file does not name, by their hash.
        sent_before: what earlier runs sent, and nobody has seen.
    """

    def __init__(self, run: DatasetRun, client: httpx.Client) -> None:
        self._connection = run.connection
        self._dataset = run.dataset
        self._verify = run.options.verify
        self.limit = ConcurrencyLimit(run.dataset.http.concurrency)
        self.requests = Requests(client, self.limit, run.dataset.secrets)
        self.reader = Reader(self.requests, run.dataset, self.limit)
        self.sent_before = SentBefore(run, self.reader, self.requests.timeout)
        self.desired: list[Desired] = []
        self.fields: list[str] = []
        self.keys: dict[int, Key] = {}
        self.live: dict[Key, dict[str, Json]] = {}

    def load(self, desired: DesiredRecords) -> list[FieldSet]:
        """Take the desired records, and return the field sets that they have.

        Raises:
            RecordError: what is wrong with them.
        """
        self.desired = [record for some in desired for record in some]
        return list(dict.fromkeys(tuple(record.document) for record in self.desired))

    def show(self, fields: list[str]) -> None:
        """Read the API's records, and fill `desired` and `live`.

        Raises:
            RefusedError: the API does not answer with records.
            CredentialsError, InterruptedTargetError: as the API answers.
        """
        self.fill(self.desired, fields, verify=self._verify, read=self.sent_before.records)

    def check_deletes(self) -> None:
        """Leave the plan as it is: what else a delete takes with it, the API alone knows."""

    def fill(
        self,
        desired: list[Desired],
        fields: list[str],
        *,
        verify: bool,
        read: Callable[[Sequence[Desired]], list[Live]] | None = None,
    ) -> None:
        """Fill `desired` with these records, and `live` with what the API shows.

        Args:
            desired: by position.
            fields: in the order of the hashes.
            verify: read all of each record, and not only of those that the seed changed.
            read: returns the API's records; the reader does without it.
        """
        self.desired, self.fields = desired, fields
        self._copy_desired(desired)
        self._connection.execute(statements("endpoint")["fill_desired"], {"fields": fields})
        listed = (read or self.reader.all)(desired)
        self.live = dict(listed)
        by_key = {record.key: record for record in desired}
        removed = self._find_removed([key for key in self.live if key not in by_key])
        every = verify or self._may_undo_unseen()
        detailed = {record.position for record in desired} if every else self._changed_positions()
        counts = _counts(listed)
        rows = []
        for key, record in self._completed(by_key, detailed, removed):
            self.live[key] = record
            document = project(record, self._named(by_key.get(key), removed.get(key), record))
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

    def _copy_desired(self, desired: list[Desired]) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy(statements("endpoint")["copy_source_records"]) as copy,
        ):
            for record in desired:
                structures = {
                    name: structure_of(part) for name, part in decode_fields(record).items()
                }
                text = encode({name: part for name, part in structures.items() if part}).decode()
                key, document = encode(record.key).decode(), encode(record.document).decode()
                copy.write_row((record.position, key, document, text))

    def _changed_positions(self) -> set[int]:
        """Return the positions of records that are not what was last applied."""
        rows = self._connection.execute(statements("endpoint")["changed_positions"]).fetchall()
        return {row[0] for row in rows}

    def _find_removed(self, others: list[Key]) -> dict[Key, dict[str, Json]]:
        """Return the owned live records that the file does not name, with their JSON structure."""
        statement = statements("endpoint")
        structures = dict(self._connection.execute(statement["removed_records"]).fetchall())
        if not structures or not others:
            return {}
        keys = {"keys": [encode(key).decode() for key in others]}
        ids = [row[0] for row in self._connection.execute(statement["hash_keys"], keys)]
        self.keys = dict(zip(ids, others, strict=True))
        return {key: structures[id_] or {} for id_, key in self.keys.items() if id_ in structures}

    def _named(
        self, wanted: Desired | None, structure: dict[str, Json] | None, record: Mapping[str, Json]
    ) -> dict[str, Json]:
        """Return the fields to compare, with their structure: the file's, or the ledger's of a record that left it."""
        if wanted:
            return decode_fields(wanted)
        if structure is None:
            return {}
        return {name: structure.get(name) for name in self.fields if name in record}

    def _completed(
        self,
        by_key: Mapping[Key, Desired],
        detailed: set[int],
        removed: Mapping[Key, dict[str, Json]],
    ) -> Iterator[Live]:
        """Yield the live records, with what the list does not show of them where that matters."""
        hidden: list[Job[Live]] = []
        for key, record in self.live.items():
            wanted = by_key.get(key)
            if self._is_hidden(record, wanted, detailed, owned=key in removed):
                named = decode_fields(wanted) if wanted else record
                hidden.append(partial(self.reader.complete, (key, record), named, wanted))
            else:
                yield key, record
        for batch in self.reader.run(iter(hidden)):
            yield from batch

    def _is_hidden(
        self, record: Mapping[str, Json], wanted: Desired | None, detailed: set[int], *, owned: bool
    ) -> bool:
        if wanted is None:
            prunes = owned and self._dataset.prune
            return prunes and any(name not in record for name in self.fields)
        # A PUT sends the live values of fields that only other records name as well.
        needed = self.fields if self._puts else wanted.document
        return wanted.position in detailed and any(name not in record for name in needed)

    @property
    def _puts(self) -> bool:
        """Return whether an update sends the whole record."""
        return not (self._dataset.http.update or "").startswith("PATCH ")

    def _may_undo_unseen(self) -> bool:
        """Return whether the whole record, sent to undo an edit, may hold a field whose edit stays.

        The list may not show that one: then it has to be read, whether its seed has changed or not.
        """
        rules = [self._dataset.fields.get(name, FieldRules()) for name in self.fields]
        undone = [
            (rule.on_drift or self._dataset.on_drift) == "overwrite" and not rule.once
            for rule in rules
        ]
        all_name_every_field = all(
            len(record.document) == len(self.fields) for record in self.desired
        )
        return self._puts and any(undone) and not (all_name_every_field and all(undone))

    def _not_comparable(self, rows: list[tuple[str, str]]) -> RefusedError:
        """Return the error for live records with a value that `jsonb` cannot hold: NUL in a text, an endless number."""
        faults = []
        for key, document in rows:
            try:
                self._connection.execute("SELECT %s::jsonb, %s::jsonb", (key, document))
            except psycopg.DataError as error:
                named = format_key(self._dataset.key, decode(key.encode()))
                problem = f"PostgreSQL cannot compare it: {error.diag.message_primary}"
                faults.append(Fault(self._dataset.target, named, "", problem))
        return RefusedError(
            f"dataset {self._dataset.name}: the API shows what cannot be compared", faults
        )


def _counts(listed: list[Live]) -> dict[Key, int]:
    counts: dict[Key, int] = {}
    for key, _ in listed:
        counts[key] = counts.get(key, 0) + 1
    return counts
