"""The two sides of an endpoint's comparison: both come over HTTP and are compared in PostgreSQL.

    records ──────────────────────────────────────────────────────────▶ source_records ──▶ desired
    GET list, or GET by key ─▶ (details of the records that changed) ─▶ fetched_records ─▶ live

The list need not show all of a record: what it leaves out is read with the `confirm` requests, for the records that
the seed changed, or for all with `verify`. What hashes cannot tell is decided here (`decisions.py`): nested values, and
fields that no answer shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import httpx

from compose_seeder.errors import ManifestError
from compose_seeder.exact_json import Json, encode
from compose_seeder.http_client.client import Requests
from compose_seeder.http_client.concurrency_limit import ConcurrencyLimit
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import statements
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.desired_records import DesiredRecords
from compose_seeder.reconcile.staging import Desired
from compose_seeder.reconcile.target import DatasetRun, FieldSet
from compose_seeder.targets.endpoint.confirm_paths import into_faults
from compose_seeder.targets.endpoint.decisions import NO_DECISION, Decision, Decisions
from compose_seeder.targets.endpoint.details import Details
from compose_seeder.targets.endpoint.json_values import decode_fields, project
from compose_seeder.targets.endpoint.known_records import Known, read_known, restore_trees
from compose_seeder.targets.endpoint.reader import Key, Live, Reader
from compose_seeder.targets.endpoint.removed_records import Removed, find_removed
from compose_seeder.targets.endpoint.unconfirmed import SentBefore
from compose_seeder.targets.endpoint.value_trees import ExactKey
from compose_seeder.targets.endpoint.working_rows import fill_desired, fill_live


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
        known: what the ledger knows of the records of the file, by position.
        decisions: what becomes of those that are live, by position.
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
        self.known: dict[int, Known] = {}
        self.decisions: dict[int, Decision] = {}
        self.salt = run.ledger.salt

    def load(self, desired: DesiredRecords) -> list[FieldSet]:
        """Take the desired records, and return the field sets that they have.

        Raises:
            RecordError: what is wrong with them.
            ManifestError: a `confirm` request puts its answer where no record has a field.
        """
        self.desired = [
            replace(record, key=ExactKey(record.key)) for some in desired for record in some
        ]
        if faults := list(into_faults(self._dataset, self.desired)):
            raise ManifestError("\n".join(faults))
        return list(dict.fromkeys(tuple(record.document) for record in self.desired))

    def show(self, fields: list[str], take_over: Callable[[], None]) -> None:
        """Read the API's records, and fill `desired` and `live`; see `Sides`.

        Raises:
            RefusedError: the API does not answer with records.
            CredentialsError, InterruptedTargetError: as the API answers.
        """

        def read(desired: Sequence[Desired]) -> list[Live]:
            take_over()
            return self.sent_before.records(desired)

        self.fill(self.desired, fields, verify=self._verify, read=read)

    def check_deletes(self) -> None:
        """Leave the plan as it is: what else a delete takes with it, the API alone knows."""

    def find_moved(self, sibling: Dataset, records: Iterable[list[Desired]]) -> None:
        """Mark the records in `plan` that another dataset's file has; see `Finds`."""
        if sibling.key != self._dataset.key:
            return
        keys = (encode(record.key).decode() for some in records for record in some)
        working_tables.fill_sibling_keys(self._connection, keys)
        values = {"sibling": sibling.name}
        self._connection.execute(statements("moved_records")["keys_that_moved"], values)

    def defaults(self, fields: list[str]) -> list[int | None]:
        """Return None for each field: nobody can tell what the API gives a field that was not sent."""
        return [None] * len(fields)

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
        fill_desired(self._connection, desired, fields, self.salt)
        listed = (read or self.reader.all)(desired)
        self.live = dict(listed)
        by_key = {record.key: record for record in desired}
        details = Details(self._dataset, self.reader, fields)
        others = [key for key in self.live if key not in by_key]
        self.keys, removed = find_removed(self._connection, others)
        every = verify or details.may_undo_unseen(desired)
        detailed = {record.position for record in desired} if every else self._changed_positions()
        completed = list(details.complete(self.live, by_key, detailed, removed))
        self.live = dict(completed)
        self._decide(by_key, detailed, {name for _, record in listed for name in record})
        counts = _counts(listed)
        rows = []
        for key, record in completed:
            wanted = by_key.get(key)
            document = self._seen(wanted, removed.get(key), record)
            decision = self.decisions.get(wanted.position, NO_DECISION) if wanted else NO_DECISION
            values = (key, document, decision.fields, decision.structure)
            rows += [tuple(encode(value).decode() for value in values)] * counts[key]
        fill_live(self._connection, self._dataset, rows, fields)

    def _changed_positions(self) -> set[int]:
        """Return the positions of records that are not what was last applied."""
        rows = self._connection.execute(statements("endpoint")["changed_positions"]).fetchall()
        return {row[0] for row in rows}

    def _decide(self, by_key: Mapping[Key, Desired], detailed: set[int], listed: set[str]) -> None:
        """Decide what becomes of live records of the file, where hashes cannot tell."""
        self.known = read_known(self._connection, self.fields)
        records = {
            wanted.position: (self.live[key], decode_fields(wanted))
            for key, wanted in by_key.items()
            if key in self.live
        }
        restore_trees(self._connection, self.known, records, self.salt)
        read = records.keys() & detailed if self._dataset.http.confirm else records.keys()
        hidden = {name for name in self.fields if self._is_hidden_field(name, records, read)}
        decisions = Decisions(self._dataset, self.salt, hidden, listed)
        self.decisions = {
            position: decisions.decide(
                self.known.get(position), live, desired, is_read=position in read
            )
            for position, (live, desired) in records.items()
        }

    def _is_hidden_field(
        self, name: str, records: Mapping[int, tuple[Json, Json]], read: AbstractSet[int]
    ) -> bool:
        """Tell if a field was written, and no answer shows it."""
        written = [n for n in read if n in self.known and self.known[n].hash_of(name)]
        return bool(written) and not any(name in live for live, _ in records.values())

    def _seen(
        self, wanted: Desired | None, removed: Removed | None, record: Mapping[str, Json]
    ) -> dict[str, Json]:
        """Return the fields to compare: as the file has them, or as the ledger of a record that left it."""
        if wanted is None:
            return removed.seen(record, self.fields, self.salt) if removed else {}
        return {
            name: project(record[name], value)
            for name, value in decode_fields(wanted).items()
            if name in record
        }

    @property
    def unseen(self) -> set[str]:
        """The fields of live records that no answer shows, and that the manifest says nothing about."""
        return {name for decision in self.decisions.values() for name in decision.unseen}


def _counts(listed: list[Live]) -> dict[Key, int]:
    counts: dict[Key, int] = {}
    for key, _ in listed:
        counts[key] = counts.get(key, 0) + 1
    return counts
