"""Looks for what a run has sent: only what the API shows by itself is there, whatever it answered.

sent ─▶ list, or get ─▶ shown: read back, and no longer about to be there
                     └▶ not shown: unconfirmed, and kept in the ledger for the next run
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from compose_seeder.exact_json import encode
from compose_seeder.http_client.worker_pool import run_jobs
from compose_seeder.manifest.models import Dataset
from compose_seeder.reconcile.intents import Intents, Observed
from compose_seeder.reconcile.staging import Desired
from compose_seeder.targets.endpoint.reader import Key
from compose_seeder.targets.endpoint.sides import EndpointSides
from compose_seeder.targets.endpoint.tally import Tally
from compose_seeder.targets.endpoint.unconfirmed import (
    UNSEEN_TIMEOUTS,
    Unseen,
    hash_keys,
    likely,
    look_for,
)
from compose_seeder.targets.endpoint.writer import Writer
from compose_seeder.targets.endpoint.written import Written


class Confirmation:
    """What one dataset's endpoint has accepted, until it is seen.

    Args:
        dataset: with the endpoint.
        sides: of the comparison that made the plan.
        intents: what the ledger says of it; gets what is seen.
    """

    def __init__(self, dataset: Dataset, sides: EndpointSides, intents: Intents) -> None:
        self._dataset = dataset
        self._sides = sides
        self._intents = intents
        self._known: set[Key] = set(sides.live)
        self._sent: list[Written] = []

    def remember(self) -> None:
        """Write what the next run has to know of what was there before, should this one be killed."""
        earlier = [one.for_ledger() for one in self._sides.sent_before.unseen]
        in_file = {record.key for record in self._sides.desired}
        others = [key for key in self._known if key not in in_file]
        self._intents.forget_seen()
        self._intents.record_unconfirmed(earlier)
        self._intents.record_others(hash_keys(self._intents.connection, others))

    def take(self, batch: Sequence[Written], tally: Tally) -> None:
        """Write what answers show of records, and keep in mind what has to be looked for."""
        written = [one for one in batch if one.fate == "written"]
        self._record(written, [one for one in written if one.change.action != "create"])
        tally.miss(written, self._sides.desired)
        self._sent += [
            one
            for one in batch
            if one.fate in {"accepted", "renamed", "unseen"}
            or (one.fate == "written" and one.change.action == "create")
        ]

    def look(self, writer: Writer, tally: Tally) -> list[Written]:
        """Look for what was sent, and return the records that are to be sent once more, by themselves.

        Raises:
            RefusedError, CredentialsError, InterruptedTargetError: as the API answers.
        """
        sent, self._sent = self._sent, []
        if not sent:
            return []
        live = self._find([self._wanted(one) for one in sent if one.fate != "renamed"])
        there = [one for one in sent if self._wanted(one).key in live]
        self._read_back(writer, there, live, tally)
        absent = [one for one in sent if self._wanted(one).key not in live]
        unseen = self._unseen(absent, live)
        again = [
            one
            for one, found in zip(absent, unseen, strict=True)
            if one.fate == "unseen" and found.is_safe_to_send
        ]
        lost = [found for one, found in zip(absent, unseen, strict=True) if one not in again]
        self._intents.record_unconfirmed([one.for_ledger() for one in lost])
        tally.unseen += lost
        return again

    def _find(self, wanted: Sequence[Desired]) -> dict[Key, dict[str, object]]:
        seconds = self._sides.requests.timeout * UNSEEN_TIMEOUTS
        return dict(look_for(self._sides.reader.all, wanted, seconds)) if wanted else {}

    def _read_back(
        self,
        writer: Writer,
        sent: Sequence[Written],
        live: Mapping[Key, dict[str, object]],
        tally: Tally,
    ) -> None:
        """Write what the API shows of records that are there."""
        jobs = (partial(writer.confirm, one, live[self._wanted(one).key]) for one in sent)
        before = {one.position for one in sent if one.fate == "written"}
        for batch in run_jobs(jobs, self._dataset.http.concurrency, self._sides.limit):
            shown = [one for one in batch if one.fate == "written"]
            self._record(shown, shown)
            tally.unseen_fields |= {path for one in shown for path in one.unseen}
            tally.miss([one for one in shown if one.position not in before], self._sides.desired)
            tally.refuse([one for one in batch if one.fate != "written"], self._sides.desired)

    def _unseen(
        self, absent: Sequence[Written], live: Mapping[Key, dict[str, object]]
    ) -> list[Unseen]:
        """Return records that are not there, each with the records that have come and may be it."""
        in_file = {record.key for record in self._sides.desired}
        come = [each for each in live.items() if each[0] not in in_file | self._known]
        ids = hash_keys(self._intents.connection, [key for key, _ in come])
        strangers = dict(zip(ids, come, strict=True))
        found = []
        for one in absent:
            wanted = self._wanted(one)
            if one.other:
                [id_] = hash_keys(self._intents.connection, [one.other])
                others = {id_: one.other}
            else:
                others = likely(wanted, strangers, self._dataset.key)
            found.append(Unseen(wanted, others, one.is_shown, one.problem))
        return found

    def _record(self, written: Sequence[Written], seen: Sequence[Written]) -> None:
        observed = [
            Observed(one.position, encode(one.observed).decode(), one.trees) for one in written
        ]
        if observed:
            places = [one.position for one in seen]
            self._intents.record_observed(observed, places)

    def _wanted(self, written: Written) -> Desired:
        return self._sides.desired[written.position]
