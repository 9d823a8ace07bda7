"""One record to the API: created, updated or deleted, alone or with others, and read back.

    POST, PUT or PATCH ─▶ answer ─▶ GET confirm… ─▶ what the API shows of it, and what it did not keep

An answer of 4xx concerns the record alone. Where the API refuses many records at once, or says that a record
exists already, the record's fate is open: it is compared again (`sender.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from compose_seeder.exact_json import encode
from compose_seeder.http_client.client import AnswerError, Requests
from compose_seeder.http_client.worker_pool import Outcome
from compose_seeder.json_pointer import follow_pointer
from compose_seeder.manifest.http_options import Bulk
from compose_seeder.manifest.models import Dataset
from compose_seeder.reconcile.plan import Change
from compose_seeder.reconcile.staging import Desired
from compose_seeder.targets.endpoint.bulk_answer import match_answers
from compose_seeder.targets.endpoint.json_values import differences, project
from compose_seeder.targets.endpoint.reader import GONE, Key, Reader, decode_fields

Json = Any
Fate = Literal["written", "accepted", "renamed", "refused", "unread", "doubtful", "unseen"]
"""What became of a record.

written: accepted, shown by the answer, and read back where that is asked for. accepted: the answer does not show it.
renamed: accepted under another key. refused: not accepted. unread: accepted, and cannot be read back. unseen: accepted
with others, and the answer does not show them. doubtful: not accepted by this request, and perhaps there already.
"""


@dataclass(frozen=True, slots=True)
class Written:
    """One record after its request.

    Attributes:
        change: what was to be done.
        fate: what became of it.
        observed: what the API shows of it.
        missing: the paths of values that the API does not show as they were written.
        problem: the API's words.
        is_shown: the answer shows the record under its key, and more of it than was sent.
        other: the key that the API gave it.
    """

    change: Change
    fate: Fate = "written"
    observed: Mapping[str, Json] | None = None
    missing: tuple[str, ...] = ()
    problem: str = ""
    is_shown: bool = False
    other: Key = ()

    @property
    def position(self) -> int:
        """The position of the record in the file."""
        return self.change.position or 0


class Writer:
    """Writes an endpoint's records.

    Args:
        requests: to the API.
        reader: reads back.
        dataset: with an endpoint.
        desired: the records by position.
        live: what the API holds, by key.
        fields: that records of the dataset name.
        since: changes with each complete run, so that no idempotency key is used for two writes.
    """

    def __init__(
        self,
        requests: Requests,
        reader: Reader,
        dataset: Dataset,
        desired: list[Desired],
        live: Mapping[Key, dict[str, Json]],
        fields: Sequence[str],
        since: str,
    ) -> None:
        self._requests = requests
        self._reader = reader
        self._dataset = dataset
        self._http = dataset.http
        self._desired = desired
        self._live = live
        self._fields = fields
        self._since = since

    def write(self, change: Change) -> Outcome[Written]:
        """Create or update one record."""
        wanted = self._desired[change.position or 0]
        fields = decode_fields(wanted)
        live = self._live.get(wanted.key, {})
        try:
            if change.action == "create":
                answer = self._create(wanted, fields)
            else:
                answer = self._update(change, wanted, fields, live)
        except AnswerError as error:
            creates = change.action == "create"
            exists = creates and error.status == self._http.exists
            accepted: Fate = "accepted" if creates else "unread"
            fate: Fate = "doubtful" if exists else accepted if error.accepted else "refused"
            return Outcome([Written(change, fate, problem=error.problem)])
        return self._confirm(change, fields, live, answer)

    def write_all(self, bulk: Bulk, changes: list[Change]) -> Outcome[Written]:
        """Create many records with one request; each is read back by a job of its own.

        The API may have taken some of them where it answers with an error, or not with the records.
        """
        wanted = [self._desired[change.position or 0] for change in changes]
        fields = [decode_fields(one) for one in wanted]
        array = encode([one.document for one in wanted])
        body = encode({bulk.into: fields}) if bulk.into else array
        idempotency_key = self._idempotency_key("", array, bulk.request)
        try:
            answer = self._requests.send_all(bulk.request, tuple(fields), body, idempotency_key)
        except AnswerError as error:
            fate: Fate = "unseen" if error.accepted else "doubtful"
            return Outcome([Written(one, fate, problem=error.problem) for one in changes])
        answers = match_answers(
            follow_pointer(answer, bulk.items), [one.key for one in wanted], self._dataset.key
        )
        if answers is None:
            problem = "the answer to http.bulk is not an array of the same records"
            return Outcome([Written(one, "unseen", problem=problem) for one in changes])
        found = zip(changes, fields, answers, strict=True)
        then = [partial(self._confirm, change, its, {}, shown) for change, its, shown in found]
        if self._http.confirm:
            return Outcome([], then)
        return Outcome([one for job in then for one in job().results])

    def confirm(self, written: Written, shown: Mapping[str, Json]) -> Outcome[Written]:
        """Return what the API shows of a record that was sent, now that the API's own record is known.

        Args:
            written: as its request left it.
            shown: the API's record.
        """
        fields = decode_fields(self._desired[written.position])
        if written.fate != "written":
            return self._confirm(written.change, fields, {}, dict(shown))
        kept = self._not_written(written.change)
        listed = {n: v for n, v in project(shown, fields).items() if n not in kept}
        return Outcome([replace(written, observed={**(written.observed or {}), **listed})])

    def delete(self, live: Mapping[str, Json]) -> str:
        """Delete one of the API's own records.

        Returns:
            Why the API does not delete it; "" where it did, or where the record was gone.

        Raises:
            CredentialsError, InterruptedTargetError: as the API answers.
        """
        try:
            self._requests.send(self._http.delete or "", live, live)
        except AnswerError as error:
            return "" if error.accepted or error.status in GONE else error.problem
        return ""

    def _create(self, wanted: Desired, fields: Mapping[str, Json]) -> Json:
        body = encode(wanted.document)
        request = self._http.create or ""
        idempotency_key = self._idempotency_key(wanted.key, body, request)
        return self._requests.send(request, fields, {}, body, idempotency_key)

    def _update(
        self,
        change: Change,
        wanted: Desired,
        fields: Mapping[str, Json],
        live: Mapping[str, Json],
    ) -> Json:
        request = self._http.update or ""
        if request.startswith("PATCH "):
            written = [name for name, detail in change.fields.items() if "write" in detail]
            text = encode({name: wanted.document[name] for name in written})
        else:
            text = encode(self._full_record(change, wanted, fields, live))
        return self._requests.send(
            request, fields, live, text, self._idempotency_key(wanted.key, text, request)
        )

    def _full_record(
        self,
        change: Change,
        wanted: Desired,
        fields: Mapping[str, Json],
        live: Mapping[str, Json],
    ) -> dict[str, Any]:
        """Return the record for an API that replaces what it has: with the live values of what is not written.

        Live values of fields that only other records name are sent too, where they are plain: the API accepts them.
        """
        body: dict[str, Any] = dict(wanted.document)
        kept = self._not_written(change)
        for name in (name for name in fields if name in kept):
            del body[name]
            if name in live:  # to every digit: a plan's values are for people
                body[name] = project(live[name], fields[name])
        for name in self._fields:
            if name not in fields and name in live and _is_plain(live[name]):
                body[name] = live[name]
        return body

    def _not_written(self, change: Change) -> set[str]:
        """Return the fields that stay as they are: what the API shows of them afterwards is not what we wrote."""
        names = {name for name, detail in change.fields.items() if "write" not in detail}
        if change.action == "update":
            names |= {name for name, rule in self._dataset.fields.items() if rule.once}
        return names

    def _idempotency_key(self, key: Key | str, body: bytes, request: str) -> str:
        """Return an idempotency key: the same for the same write, after a crash too."""
        if not self._http.idempotency_key or request.startswith("PUT "):
            return ""
        name = f"{self._dataset.name} {self._since} {request} {key} {body.decode()}"
        return str(uuid5(NAMESPACE_URL, name))

    def _confirm(
        self,
        change: Change,
        fields: Mapping[str, Json],
        live: Mapping[str, Json],
        answer: Json,
    ) -> Outcome[Written]:
        """Return what the API shows of a record that it has taken."""
        said = answer if isinstance(answer, dict) else {}
        seen = said
        confirmed = bool(self._http.confirm)
        creates = change.action == "create"
        if not all(name in said for name in self._dataset.key) and (creates or not confirmed):
            return Outcome([Written(change, "accepted")])
        if confirmed:
            try:
                seen = self._reader.read_back(fields, {**live, **said})
            except AnswerError as error:
                problem = f"cannot be read back after writing: {error.problem}"
                return Outcome([Written(change, "unread", problem=problem)])
        observed = project(seen, fields)
        kept = self._not_written(change)
        missing = _missing(fields, observed, kept) if confirmed else ()
        shown = {name: value for name, value in observed.items() if name not in kept}
        key = tuple(seen.get(name) for name in self._dataset.key)
        if key != self._desired[change.position or 0].key and all(
            name in seen for name in self._dataset.key
        ):
            return Outcome([Written(change, "renamed", shown, other=key)])
        # What only repeats what was sent is no proof that something was made of it.
        is_shown = any(name not in fields for name in said)
        return Outcome([Written(change, "written", shown, tuple(missing), is_shown=is_shown)])


def _missing(
    fields: Mapping[str, Json], observed: Mapping[str, Json], kept: set[str]
) -> Iterator[str]:
    for name, value in fields.items():
        if name not in kept and name in observed:
            yield from differences(name, value, observed[name])


def _is_plain(value: Json) -> bool:
    """Return whether it is a scalar or a list of scalars; null adds nothing to a body that leaves it out."""
    if isinstance(value, list):
        return not any(isinstance(part, dict | list) for part in value)
    return value is not None and not isinstance(value, dict)
