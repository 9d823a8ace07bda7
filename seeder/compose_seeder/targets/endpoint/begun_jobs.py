"""Which of the records that are about to be sent were really sent, where a run ends before its time."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from compose_seeder.errors import InterruptedTargetError
from compose_seeder.http_client.worker_pool import Job, Outcome
from compose_seeder.reconcile.plan import Change
from compose_seeder.targets.endpoint.written import Written


class BegunJobs:
    """The jobs of a plan that threads have begun; shared by threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_closed = False
        self._announced: set[int] = set()

    def announce(self, changes: Sequence[Change]) -> None:
        """Take records that are about to be sent."""
        self._announced.update(change.position or 0 for change in changes)

    def job(self, changes: Sequence[Change], send: Job[Written]) -> Job[Written]:
        """Return the job that sends records, and remembers that it has begun."""

        def begin() -> Outcome[Written]:
            with self._lock:
                if self._is_closed:
                    raise InterruptedTargetError("the run is ending; the record was not sent")
                self._announced.difference_update(change.position or 0 for change in changes)
            try:
                return send()
            except InterruptedTargetError as error:
                if not error.may_have_arrived:
                    self.announce(changes)
                raise

        return begin

    def not_begun(self) -> list[int]:
        """Return the positions of records that were not sent; from now on, none is."""
        with self._lock:
            self._is_closed = True
            return sorted(self._announced)
