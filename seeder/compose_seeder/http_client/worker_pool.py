"""A pool of threads for an endpoint's requests.

    jobs ─▶ queue ─▶ threads ─▶ outcomes ─▶ results, in batches
                                  └─▶ jobs that follow from them, before others

The threads are daemons: a running request may need its whole timeout, and a signal must not wait
for it. The next run finds out whether the API acted on it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar

from compose_seeder.http_client.concurrency_limit import ConcurrencyLimit

T = TypeVar("T")

FINISH_SECONDS = 5.0
"""Seconds that running requests have to finish when another one has failed."""

BATCH_RESULTS = 256
"""How many results are returned together, at most."""

BATCH_SECONDS = 0.25
"""Seconds after which results are returned, however few they are."""

JOBS_PER_THREAD = 16
"""How many jobs are queued for each thread, so that none waits for its next job.

Many, since the main thread holds the interpreter whenever it looks at results.
"""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """A job's results, and the jobs that follow from it."""

    results: list[T]
    following: Sequence[Callable[[], Outcome[T]]] = ()


Job = Callable[[], Outcome[T]]


class _WorkerPool(Generic[T]):
    """Threads, started as they are needed."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._threads = 0
        self._queue: SimpleQueue[Job[T] | None] = SimpleQueue()
        self._outcomes: deque[Outcome[T] | BaseException] = deque()
        self._wake = Event()
        self.pending = 0

    @property
    def is_full(self) -> bool:
        return self.pending >= JOBS_PER_THREAD * self._maximum

    def submit(self, job: Job[T]) -> None:
        self._queue.put(job)
        self.pending += 1
        if self._threads < min(self.pending, self._maximum):
            self._threads += 1
            Thread(target=self._work, name=f"endpoint-{self._threads}", daemon=True).start()

    def collect(self, seconds: float) -> Iterator[Outcome[T] | BaseException]:
        """Yield outcomes, after so many seconds or as soon as there is need to look."""
        if not self._outcomes:
            self._wake.wait(max(0.0, seconds))
        self._wake.clear()
        while self._outcomes:
            self.pending -= 1
            yield self._outcomes.popleft()

    def cancel_queued(self) -> None:
        with suppress(Empty):
            while True:
                self._queue.get_nowait()
                self.pending -= 1

    def shut_down(self) -> None:
        self.cancel_queued()
        for _ in range(self._threads):
            self._queue.put(None)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                self._outcomes.append(job())
                wake = self._queue.qsize() <= self._maximum
            except BaseException as error:  # noqa: BLE001 - raised again where the results are awaited
                self._outcomes.append(error)
                wake = True
            if wake:
                self._wake.set()


def run_jobs(jobs: Iterator[Job[T]], maximum: int, limit: ConcurrencyLimit) -> Iterator[list[T]]:
    """Run jobs in threads, and yield their results in batches and in no order.

    Args:
        jobs: functions that threads call.
        maximum: the number of threads.
        limit: of the requests that the jobs send; stopped when a job fails.

    Raises:
        Exception: the first exception of a job; results of other jobs are yielded before it.
    """
    pool: _WorkerPool[T] = _WorkerPool(maximum)
    try:
        yield from _run_in(pool, jobs, limit)
    except BaseException:
        limit.stop()
        raise
    finally:
        pool.shut_down()


def _run_in(
    pool: _WorkerPool[T], jobs: Iterator[Job[T]], limit: ConcurrencyLimit
) -> Iterator[list[T]]:
    following: deque[Job[T]] = deque()
    results: list[T] = []
    yielded = time.monotonic()
    while True:
        while not pool.is_full and (job := following.popleft() if following else next(jobs, None)):
            pool.submit(job)
        if not pool.pending:
            break
        patience = yielded + BATCH_SECONDS - time.monotonic() if results else BATCH_SECONDS
        for outcome in pool.collect(patience):
            if isinstance(outcome, BaseException):
                yield results + _finish_running(pool, limit)
                raise outcome
            results += outcome.results
            following.extend(outcome.following)
        if results and (
            len(results) >= BATCH_RESULTS or time.monotonic() >= yielded + BATCH_SECONDS
        ):
            yield results
            results, yielded = [], time.monotonic()
    if results:
        yield results


def _finish_running(pool: _WorkerPool[T], limit: ConcurrencyLimit) -> list[T]:
    """Return the results of jobs that were running when another one failed.

    Without them in the ledger, our own writes would look like somebody's edits.
    """
    pool.cancel_queued()
    limit.stop()
    deadline = time.monotonic() + FINISH_SECONDS
    results: list[T] = []
    while pool.pending and time.monotonic() < deadline:
        for outcome in pool.collect(deadline - time.monotonic()):
            if isinstance(outcome, Outcome):
                results += outcome.results
    return results
