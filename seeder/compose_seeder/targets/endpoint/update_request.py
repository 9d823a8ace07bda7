"""The request that updates one record, and what is left out of it because the API does not take it.

refused for members that it does not take ─▶ again without them, and the next records without them at once
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

from compose_seeder.exact_json import Json, encode
from compose_seeder.http_client.call import AnswerError
from compose_seeder.http_client.client import Requests
from compose_seeder.reconcile.staging import Desired
from compose_seeder.targets.endpoint.bodies import Update, patch_body, put_body
from compose_seeder.targets.endpoint.json_values import decode_fields
from compose_seeder.targets.endpoint.reader import Key
from compose_seeder.targets.endpoint.refused_members import (
    STATUSES,
    Path,
    Shape,
    find_refused,
    leave_out,
    members_within,
)

WAYS_OUT = 'read it with `confirm`, or set once = true or unseen = "overwrite" for it in fields'
"""What a person can do about a field that no answer shows."""


class IdempotencyKey(Protocol):
    """Returns the idempotency key of a request for records with these keys."""

    def __call__(self, keys: list[Key], body: bytes, request: str) -> str:
        """Return the key; "" where the request has none."""


class UpdateRequest:
    """Sends updates.

    Args:
        requests: to the API.
        template: the request, as the manifest has it: a method and a path.
        desired: the dataset's records.
        fields: that records of the dataset name.
        idempotency_key: see there.
    """

    def __init__(
        self,
        requests: Requests,
        template: str,
        desired: Sequence[Desired],
        fields: Sequence[str],
        idempotency_key: IdempotencyKey,
    ) -> None:
        self._requests = requests
        self._template = template
        self._patches = template.startswith("PATCH ")
        self._desired = desired
        self._fields = fields
        self._idempotency_key = idempotency_key
        self._not_taken: frozenset[Shape] = frozenset()

    def problem_of(self, update: Update) -> str:
        """Return why a record cannot be updated, as nobody has seen what would be overwritten or lost; "" if it can."""
        hidden = [] if self._patches else update.hidden
        return (
            f"{', '.join(hidden)}: no answer of the API shows it, and {self._template} would overwrite or lose it;"
            f" {WAYS_OUT}, or update with PATCH"
            if hidden
            else ""
        )

    def send(self, update: Update, key: Key) -> tuple[Json, dict[Path, Json]]:
        """Update a record; return the answer, and what was left out of the body, by its path.

        Raises:
            AnswerError: the API refuses it.
            CredentialsError, InterruptedTargetError: as the API answers.
        """
        body = patch_body(update) if self._patches else put_body(update, self._fields)
        left_out: dict[Path, Json] = {}
        body = leave_out(body, self._not_taken, left_out)
        while True:
            try:
                return self._send(update, key, body), left_out
            except AnswerError as error:
                refused = self._refused(body, error)
                if not refused:
                    raise
            # Some APIs name one member at a time. What another thread adds meanwhile may get lost: it is asked again.
            self._not_taken |= refused
            body = leave_out(body, refused, left_out)

    def _send(self, update: Update, key: Key, body: Mapping[str, Json]) -> Json:
        text = encode(body)
        idempotency_key = self._idempotency_key([key], text, self._template)
        try:
            answer = self._requests.send(
                self._template, update.fields, update.live, text, idempotency_key
            )
        except AnswerError as error:
            along = [name for name in body if name not in update.fields]
            if along and not error.accepted:
                error.problem += (
                    f"; it was also sent {', '.join(along)}, as the API had shown it and no file names it: name in"
                    " `ignore` what the API does not take"
                )
            raise
        return answer.document

    def _refused(self, body: Mapping[str, Json], error: AnswerError) -> set[Shape]:
        return find_refused(body, self._named, error.text) if error.status in STATUSES else set()

    @cached_property
    def _named(self) -> set[Shape]:
        within = members_within(map(decode_fields, self._desired))
        return {*((name,) for name in self._fields), *within}
