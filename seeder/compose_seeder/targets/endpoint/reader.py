"""What the API holds: found by a list or by key, and read back one by one.

GET list ─▶ records            GET /things/{slug} ─▶ a record, or 404
GET confirm… ─▶ the rest of a record that the list does not show
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from compose_seeder.documents.record_values import format_key
from compose_seeder.errors import Fault, RefusedError, naming
from compose_seeder.exact_json import Json
from compose_seeder.http_client.call import AnswerError
from compose_seeder.http_client.client import Requests
from compose_seeder.http_client.concurrency_limit import ConcurrencyLimit
from compose_seeder.http_client.worker_pool import Job, Outcome, run_jobs
from compose_seeder.json_pointer import follow_pointer, leads_to_null
from compose_seeder.manifest.models import Dataset
from compose_seeder.reconcile.staging import Desired
from compose_seeder.targets.endpoint.completeness import check_answer
from compose_seeder.targets.endpoint.confirm_paths import (
    part_of,
    path_of,
    put_part,
    without_part,
)
from compose_seeder.targets.endpoint.json_values import decode_fields
from compose_seeder.targets.endpoint.pagination import (
    key_problem,
    list_records,
    records_of,
)
from compose_seeder.targets.endpoint.value_trees import ExactKey

Key = tuple[Any, ...]
"""The values of a record's key fields."""

Live = tuple[Key, dict[str, Json]]
"""A record of the API, with its key."""

GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
"""Answers that mean: is not there, or not any more."""


class Reader:
    """Reads an endpoint's records."""

    def __init__(self, requests: Requests, dataset: Dataset, limit: ConcurrencyLimit) -> None:
        self._requests = requests
        self._dataset = dataset
        self._limit = limit

    def all(self, desired: Sequence[Desired]) -> list[Live]:
        """Return every record that the API holds, or only the desired ones where each is asked for by key.

        Raises:
            RefusedError: the API does not answer with records.
            CredentialsError, InterruptedTargetError: as the API answers.
        """
        if self._dataset.http.list_ is None:
            jobs = (partial(self._by_key, record) for record in desired)
            return [live for batch in self.run(jobs) for live in batch]
        try:
            records = list_records(self._requests, self._dataset.http, self._dataset.key)
        except AnswerError as error:
            raise RefusedError(
                f"dataset {self._dataset.name}: the API's records cannot be listed",
                [Fault(self._dataset.http.list_, "", "", error.problem)],
            ) from None
        return [(self._key(record), record) for record in records]

    def run(self, jobs: Iterator[Job[Live]]) -> Iterator[list[Live]]:
        """Do jobs that read, some at once."""
        return run_jobs(jobs, self._dataset.http.concurrency, self._limit)

    def read_back(self, named: Mapping[str, Json], record: Mapping[str, Json]) -> dict[str, Json]:
        """Return a record with what the confirming requests show of it.

        Raises:
            AnswerError, CredentialsError, InterruptedTargetError: as the API answers.
        """
        whole = dict(record)
        for confirm in self._dataset.http.confirm:
            path = path_of(confirm.into, named)
            try:
                part = part_of(confirm, self._requests.send(confirm.request, named, whole).document)
            except AnswerError as error:
                if len(path) < 2 or error.status not in GONE:  # noqa: PLR2004 - a path within a field
                    raise
                whole = without_part(whole, path)
            else:
                whole = put_part(whole, path, part) if path else {**whole, **part}
        return whole

    def complete(
        self, live: Live, named: Mapping[str, Json], wanted: Desired | None
    ) -> Outcome[Live]:
        """Return a live record with what the list does not show of it.

        Raises:
            RefusedError: it cannot be read back.
        """
        key, record = live
        try:
            with naming(self._named(key, wanted)):
                return Outcome([(key, self.read_back(named, record))])
        except AnswerError as error:
            raise self._unreadable(key, wanted, error) from None

    def _by_key(self, wanted: Desired) -> Outcome[Live]:
        request = self._dataset.http.get or ""
        named = decode_fields(wanted)
        try:
            with naming(self._named(wanted.key, wanted)):
                answer = self._requests.send(request, named, {}).document
            found = self._with_key(answer, wanted.key)
        except AnswerError as error:
            if error.status in GONE:
                return Outcome([])
            raise self._unreadable(wanted.key, wanted, error) from None
        return Outcome([(wanted.key, record) for record in found])

    def _with_key(self, answer: Json, key: Key) -> list[dict[str, Json]]:
        """Return the records with the key in an answer, which is an array or one record."""
        pointer = self._dataset.http.items
        if answer is None or leads_to_null(answer, pointer):
            return []
        found = follow_pointer(answer, pointer)
        records = [found] if isinstance(found, dict) else records_of(answer, pointer)
        for record in records:
            if problem := key_problem(record, self._dataset.key):
                raise AnswerError(f"{self._dataset.http.get}: a record in the answer {problem}")
        same = [record for record in records if self._key(record) == key]
        if isinstance(found, dict) and not same:
            other = format_key(self._dataset.key, self._key(found))
            raise AnswerError(f"{self._dataset.http.get}: answered with another record: {other}")
        if not same:
            check_answer(answer, pointer)
        return same

    def _named(self, key: Key, wanted: Desired | None) -> str:
        where = wanted.where if wanted else self._dataset.target
        return f"{where} ({format_key(self._dataset.key, key)})"

    def _key(self, record: Mapping[str, Json]) -> Key:
        return ExactKey(record[field] for field in self._dataset.key)

    def _unreadable(self, key: Key, wanted: Desired | None, error: AnswerError) -> RefusedError:
        where = wanted.where if wanted else self._dataset.target
        return RefusedError(
            f"dataset {self._dataset.name}: a record cannot be read",
            [Fault(where, format_key(self._dataset.key, key), "", error.problem)],
        )
