"""One record to the API: created, updated or deleted, alone or with others, and read back.

    POST, PUT or PATCH ─▶ answer ─▶ GET confirm… ─▶ what the API shows of it, and what it did not keep

An answer of 4xx concerns the record alone. Where the API refuses many records at once, or says that a record
exists already, the record's fate is open: it is compared again (`sender.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from uuid import NAMESPACE_URL, uuid5

from compose_seeder.documents.record_values import format_key
from compose_seeder.errors import naming
from compose_seeder.exact_json import Json, encode
from compose_seeder.http_client.call import AnswerError
from compose_seeder.http_client.client import Requests
from compose_seeder.http_client.worker_pool import Outcome
from compose_seeder.json_pointer import follow_pointer
from compose_seeder.manifest.http_options import Bulk
from compose_seeder.manifest.models import Dataset
from compose_seeder.reconcile.plan import Change
from compose_seeder.reconcile.staging import Desired
from compose_seeder.targets.endpoint.bodies import Update
from compose_seeder.targets.endpoint.bulk_answer import match_answers
from compose_seeder.targets.endpoint.decisions import NO_DECISION, Decision, path_text
from compose_seeder.targets.endpoint.json_values import decode_fields
from compose_seeder.targets.endpoint.known_records import Known
from compose_seeder.targets.endpoint.pagination import ERRORS
from compose_seeder.targets.endpoint.reader import GONE, Key, Reader
from compose_seeder.targets.endpoint.refused_members import Path, find_lost
from compose_seeder.targets.endpoint.shown import (
    find_missing,
    find_remaining,
    find_unseen,
    observed_fields,
    shown_trees,
)
from compose_seeder.targets.endpoint.update_request import UpdateRequest
from compose_seeder.targets.endpoint.written import Fate, Written

IDS = ("id", "_id", "uuid", "guid", "pk")
"""Fields by which an answer names what was made."""


class Writer:
    """Writes an endpoint's records.

    Args:
        requests: to the API.
        reader: reads back.
        dataset: with an endpoint.
        desired: the records by position.
        live: what the API holds, by key.
        known: what the ledger knows, by position.
        decisions: what becomes of records that are live, by position.
        fields: that records of the dataset name.
        salt: of the ledger's hashes.
        since: changes with each complete run, so that no idempotency key is used for two writes.
        not_there: when records that are not there were last sent: an API repeats its answer to an idempotency key.
    """

    def __init__(
        self,
        requests: Requests,
        reader: Reader,
        dataset: Dataset,
        desired: list[Desired],
        live: Mapping[Key, dict[str, Json]],
        known: Mapping[int, Known],
        decisions: Mapping[int, Decision],
        fields: Sequence[str],
        salt: int,
        since: str,
        not_there: Mapping[Key, str],
    ) -> None:
        self._requests = requests
        self._reader = reader
        self._dataset = dataset
        self._http = dataset.http
        self._desired = desired
        self._live = live
        self._known = known
        self._decisions = decisions
        self._fields = fields
        self._salt = salt
        self._since = since
        self._not_there = not_there
        self._updates = UpdateRequest(
            requests, dataset.http.update or "", desired, fields, self._idempotency_key
        )

    def write(self, change: Change) -> Outcome[Written]:
        """Create or update one record."""
        wanted = self._desired[change.position or 0]
        fields = decode_fields(wanted)
        live = self._live.get(wanted.key, {})
        try:
            if change.action == "create":
                with naming(self._named(wanted)):
                    return self._create(change, wanted, fields)
            update = self._of(change, fields, live)
            if problem := self._updates.problem_of(update):
                return Outcome([Written(change, "refused", problem=problem)])
            with naming(self._named(wanted)):
                answer, left_out = self._updates.send(update, wanted.key)
        except AnswerError as error:
            creates = change.action == "create"
            exists = creates and error.status == self._http.exists
            accepted: Fate = "accepted" if creates else "unread"
            fate: Fate = "doubtful" if exists else accepted if error.accepted else "refused"
            return Outcome([Written(change, fate, problem=error.problem)])
        return self._confirm(change, fields, live, answer, left_out=left_out)

    def write_all(self, bulk: Bulk, changes: list[Change]) -> Outcome[Written]:
        """Create many records with one request; each is read back by a job of its own.

        The API may have taken some of them where it answers with an error, or not with the records.
        """
        wanted = [self._desired[change.position or 0] for change in changes]
        fields = [decode_fields(one) for one in wanted]
        array = encode([one.document for one in wanted])
        body = encode({bulk.into: fields}) if bulk.into else array
        idempotency_key = self._idempotency_key([one.key for one in wanted], array, bulk.request)
        try:
            with naming(
                f"{wanted[0].where} and {len(wanted) - 1} more" if wanted[1:] else wanted[0].where
            ):
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
        wanted = self._desired[written.position]
        fields, live = decode_fields(wanted), self._live.get(wanted.key, {})
        if written.fate != "written":
            return self._confirm(
                written.change, fields, live, dict(shown), is_found=True, left_out=written.left_out
            )
        update = self._of(written.change, fields, live)
        observed = {**(written.observed or {}), **observed_fields(update, shown)}
        listed, answered = shown_trees(update, shown), written.trees or {}
        # The next comparison sees what the confirming requests show, or else the list.
        trees = {**listed, **answered} if self._http.confirm else {**answered, **listed}
        hidden = set(find_unseen(update, shown, members=not self._http.confirm))
        unseen = [path for path in written.unseen if path in hidden]
        return Outcome([replace(written, observed=observed, trees=trees, unseen=tuple(unseen))])

    def _claims(self, answer: Json) -> bool:
        """Tell if an answer says that something was made, though it does not show what: by an id.

        Where there is no list, an answer without a body says so too: a record under another key would not be found.
        """
        if answer is None:
            return self._http.list_ is None
        if not isinstance(answer, dict) or not ERRORS.isdisjoint(answer):
            return False
        parts = [answer, *(part for part in answer.values() if isinstance(part, dict))]
        return any(part.get(name) is not None for part in parts for name in IDS)

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

    def _create(
        self, change: Change, wanted: Desired, fields: Mapping[str, Json]
    ) -> Outcome[Written]:
        body = encode(wanted.document)
        request = self._http.create or ""
        idempotency_key = self._idempotency_key([wanted.key], body, request)
        answer = self._requests.send(request, fields, {}, body, idempotency_key)
        outcome = self._confirm(change, fields, {}, answer.document)
        if answer.document is None or outcome.results[0].fate != "accepted":
            return outcome
        # It may be an error with the status of a success: then these words are all that is known.
        return Outcome([replace(outcome.results[0], problem=answer.describe())])

    def _of(self, change: Change, fields: Mapping[str, Json], live: Mapping[str, Json]) -> Update:
        is_new = change.action == "create"
        place = change.position or 0
        decision = NO_DECISION if is_new else self._decisions.get(place, NO_DECISION)
        known = None if is_new else self._known.get(place)
        return Update(self._dataset, change, fields, live, decision, known, self._salt)

    def _named(self, wanted: Desired) -> str:
        return f"{wanted.where} ({format_key(self._dataset.key, wanted.key)})"

    def _idempotency_key(self, keys: list[Key], body: bytes, request: str) -> str:
        """Return an idempotency key: the same for the same write, after a crash too."""
        if not self._http.idempotency_key or request.startswith("PUT "):
            return ""
        before = [self._not_there.get(key, "") for key in keys]
        name = f"{self._dataset.name} {self._since} {before} {request} {keys} {body.decode()}"
        return str(uuid5(NAMESPACE_URL, name))

    def _confirm(
        self,
        change: Change,
        fields: Mapping[str, Json],
        live: Mapping[str, Json],
        answer: Json,
        *,
        is_found: bool = False,
        left_out: Mapping[Path, Json] = {},
    ) -> Outcome[Written]:
        """Return what the API shows of a record that it has taken; `is_found` where its list has shown the answer."""
        said = answer if isinstance(answer, dict) else {}
        seen = said
        confirmed = bool(self._http.confirm)
        creates = change.action == "create"
        if not all(name in said for name in self._dataset.key) and (creates or not confirmed):
            claims = self._claims(answer)
            return Outcome([Written(change, "accepted", is_shown=claims, left_out=left_out)])
        if confirmed:
            try:
                with naming(self._named(self._desired[change.position or 0])):
                    seen = self._reader.read_back(fields, {**live, **said})
            except AnswerError as error:
                if (
                    creates and not is_found
                ):  # the answer may lack what the path needs, and the list have it
                    return Outcome([Written(change, "accepted", is_shown=self._claims(answer))])
                problem = f"cannot be read back after writing: {error.problem}"
                return Outcome([Written(change, "unread", problem=problem)])
        update = self._of(change, fields, live)
        missing = (
            *find_missing(update, seen, complete=confirmed),
            *find_remaining(update, seen),
            *map(path_text, find_lost(left_out, seen)),
        )
        shown = observed_fields(update, seen)
        trees = shown_trees(update, seen) if seen else None
        key = tuple(seen.get(name) for name in self._dataset.key)
        if key != self._desired[change.position or 0].key and all(
            name in seen for name in self._dataset.key
        ):
            return Outcome([Written(change, "renamed", shown, other=key)])
        # What only repeats what was sent is no proof that something was made of it.
        is_shown = any(name not in fields for name in said)
        unseen = find_unseen(update, seen, members=not confirmed) if creates else ()
        return Outcome(
            [Written(change, "written", shown, trees, missing, tuple(unseen), is_shown=is_shown)]
        )
