"""Sends a plan to an endpoint; the ledger follows each confirmed answer, in small batches.

plan ─▶ DELETE; POST, PUT or PATCH, some at once ─▶ the ledger ─▶ look for it (`confirmation.py`)
                              └▶ may be there, and is not ours ─▶ compare again, once
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import psycopg

from compose_seeder.documents.record_values import format_key
from compose_seeder.errors import Fault, naming
from compose_seeder.http_client.worker_pool import BATCH_RESULTS, Job, Outcome, run_jobs
from compose_seeder.postgres import statements
from compose_seeder.reconcile.intents import Intents
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.reconcile.plan import Change, Plan
from compose_seeder.reconcile.target import DatasetRun, Progress
from compose_seeder.targets.endpoint.begun_jobs import BegunJobs
from compose_seeder.targets.endpoint.confirmation import Confirmation
from compose_seeder.targets.endpoint.reader import Key
from compose_seeder.targets.endpoint.second_comparison import compare_again
from compose_seeder.targets.endpoint.sides import EndpointSides
from compose_seeder.targets.endpoint.tally import Tally
from compose_seeder.targets.endpoint.writer import Writer
from compose_seeder.targets.endpoint.written import Written

NOT_TAKEN = {"refused", "unread", "doubtful"}
"""What a record's fate is where the API has not taken it, or cannot show it."""


class PlanSender:
    """Sends what `pg_temp.plan` says to one dataset's endpoint.

    Args:
        run_: the dataset.
        sides: of the comparison that made the plan.
    """

    def __init__(self, run_: DatasetRun, sides: EndpointSides) -> None:
        self._connection = run_.connection
        self._dataset = run_.dataset
        self._sides = sides

    def apply(self, plan: Plan, ledger: Ledger, dataset_id: int, progress: Progress) -> Plan:
        """Send what the plan says, look for it, and let the ledger follow the answers.

        Raises:
            RefusedError: the API refused records, or does not show them; the others were written.
            CredentialsError, InterruptedTargetError: as the API answers; what was confirmed stays.
        """
        ledger.record_plan(dataset_id, unwritten_only=True)
        unseen = self._sides.sent_before.unseen
        tally = Tally(self._dataset, plan.counts.written + len(unseen), progress, unseen=[*unseen])
        intents = Intents(self._connection, dataset_id, self._sides.fields)
        sent = Confirmation(self._dataset, self._sides, intents)
        sent.remember()
        self._delete_all(ledger, dataset_id, tally)
        again = self._write_all(sent, intents, tally)
        if again:
            plan = self._compare_again(plan, again, sent, ledger, intents, tally)
        tally.check()
        unseen_fields = sorted(tally.unseen_fields | {*plan.unseen})
        return replace(plan.with_unconfirmed(sorted(tally.not_kept)), unseen=tuple(unseen_fields))

    def _delete_record(self, key: Key) -> str:
        """Delete the live record of a key, and return why the API does not, or "".

        Raises:
            CredentialsError, InterruptedTargetError: as the API answers.
        """
        return self._writer("").delete(self._sides.live[key])

    def _writer(self, since: str) -> Writer:
        return Writer(
            self._sides.requests,
            self._sides.reader,
            self._dataset,
            self._sides.desired,
            self._sides.live,
            self._sides.known,
            self._sides.decisions,
            self._sides.fields,
            self._sides.salt,
            since,
            self._sides.sent_before.not_there,
        )

    def _delete_all(self, ledger: Ledger, dataset_id: int, tally: Tally) -> None:
        rows = self._connection.execute(statements("endpoint")["deletes"]).fetchall()
        jobs = (partial(self._delete, id_, key) for id_, key in rows)
        for batch in run_jobs(jobs, self._dataset.http.concurrency, self._sides.limit):
            ledger.forget_records(dataset_id, [id_ for id_, fault in batch if fault is None])
            tally.refused += [fault for _, fault in batch if fault]
            tally.add(len(batch))

    def _delete(self, id_: int, key: Sequence[Any]) -> Outcome[tuple[int, Fault | None]]:
        named = format_key(self._dataset.key, key)
        with naming(f"{self._dataset.target} ({named})"):
            problem = self._delete_record(self._sides.keys[id_])
        return Outcome(
            [(id_, Fault(self._dataset.target, named, "", problem) if problem else None)]
        )

    def _write_all(
        self,
        sent: Confirmation,
        intents: Intents,
        tally: Tally,
        *,
        last: bool = False,
    ) -> list[Written]:
        """Send every change, look for it, and return the records to compare again; none the `last` time."""
        again: list[Written] = []
        refused: list[Written] = []
        writer = self._writer(self._last_applied_at(intents.dataset_id))
        begun = BegunJobs()
        jobs = self._jobs(writer, begun, intents, bulk=not last)
        try:
            for batch in run_jobs(jobs, self._dataset.http.concurrency, self._sides.limit):
                sent.take(batch, tally)
                repeat = [one for one in batch if one.fate == "doubtful" and not last]
                again += repeat
                not_taken = [one for one in batch if one.fate in NOT_TAKEN and one not in repeat]
                refused += not_taken
                tally.add(len(batch) - len(repeat))
        except BaseException:
            with suppress(psycopg.Error):
                intents.forget(begun.not_begun())
            raise
        tally.refuse(refused, self._sides.desired)
        not_ours = [one.position for one in refused + again if one.fate != "unread"]
        intents.forget(not_ours)
        return again + sent.look(writer, tally)

    def _jobs(
        self, writer: Writer, begun: BegunJobs, intents: Intents, *, bulk: bool
    ) -> Iterator[Job[Written]]:
        """Yield the changes as jobs, each after the ledger says that it is about to be sent."""
        rows = self._connection.execute(statements("endpoint")["writes"]).fetchall()
        changes = (
            Change(position, action, dict(zip(self._dataset.key, key, strict=True)), fields)
            for position, key, action, fields in rows
        )
        together = self._dataset.http.bulk if bulk else None
        while some := list(islice(changes, max(BATCH_RESULTS, together.size if together else 0))):
            intents.intend([change.position or 0 for change in some])
            begun.announce(some)
            if together:
                creates = iter([change for change in some if change.action == "create"])
                while part := list(islice(creates, together.size)):
                    yield begun.job(part, partial(writer.write_all, together, part))
                some = [change for change in some if change.action != "create"]
            for change in some:
                yield begun.job([change], partial(writer.write, change))

    def _last_applied_at(self, dataset_id: int) -> str:
        """Return when the whole dataset was last applied."""
        row = self._connection.execute(
            statements("endpoint")["last_applied_at"], {"dataset": dataset_id}
        ).fetchone()
        return str(row[0]) if row else ""

    def _compare_again(
        self,
        plan: Plan,
        again: list[Written],
        sent: Confirmation,
        ledger: Ledger,
        intents: Intents,
        tally: Tally,
    ) -> Plan:
        """Compare again the records that may be there, and write what is left to write."""
        second = compare_again(
            self._connection, self._dataset, self._sides, intents.dataset_id, again
        )
        ledger.record_plan(intents.dataset_id, unwritten_only=True)
        tally.total += second.plan.counts.updated
        tally.add(second.taken + len(second.adopted))
        self._write_all(sent, intents, tally, last=True)
        return second.merged_into(plan)
