"""Jobs, some at once: an endpoint's requests, in threads.

    jobs ─▶ todo ─▶ threads ─▶ done ─▶ results, in batches
                                 └─▶ jobs that follow from them, before others

The threads are daemons: a request under way may take its whole timeout, and a signal must not wait
for it. The next run finds what became of it.
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

from compose_seeder.http_client.concurrency_limit import Pace

T = TypeVar("T")

FINISHING = 5.0
"""Seconds that requests under way have to finish when another one has failed."""

BATCH = 256
"""How many results are handed on together, at most."""

SOON = 0.25
"""Seconds after which results are handed on, however few they are."""

AHEAD = 16
"""How many jobs are there for each thread, so that none waits for its next one.

Many, since each time that the main thread looks at results, it takes the interpreter from the others.
"""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a job came to, and the jobs that follow from it."""

    results: list[T]
    then: Sequence[Callable[[], Outcome[T]]] = ()


Job = Callable[[], Outcome[T]]


class _Crew(Generic[T]):
    """Threads, begun as they are needed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = 0
        self._todo: SimpleQueue[Job[T] | None] = SimpleQueue()
        self._done: deque[Outcome[T] | BaseException] = deque()
        self._look = Event()
        self.running = 0

    @property
    def full(self) -> bool:
        return self.running >= AHEAD * self._most

    def begin(self, job: Job[T]) -> None:
        self._todo.put(job)
        self.running += 1
        if self._threads < min(self.running, self._most):
            self._threads += 1
            Thread(target=self._work, name=f"endpoint-{self._threads}", daemon=True).start()

    def finished(self, seconds: float) -> Iterator[Outcome[T] | BaseException]:
        """What jobs came to, after so many seconds or when there is need to look."""
        if not self._done:
            self._look.wait(max(0.0, seconds))
        self._look.clear()
        while self._done:
            self.running -= 1
            yield self._done.popleft()

    def call_off(self) -> None:
        """Forget what has not begun."""
        with suppress(Empty):
            while True:
                self._todo.get_nowait()
                self.running -= 1

    def dismiss(self) -> None:
        self.call_off()
        for _ in range(self._threads):
            self._todo.put(None)

    def _work(self) -> None:
        while (job := self._todo.get()) is not None:
            try:
                self._done.append(job())
                need = self._todo.qsize() <= self._most
            except BaseException as error:  # noqa: BLE001 - raised again where the results are awaited
                self._done.append(error)
                need = True
            if need:
                self._look.set()


def run(jobs: Iterator[Job[T]], most: int, pace: Pace) -> Iterator[list[T]]:
    """Do jobs, so many at once at most; what they come to, in batches and in no order.

    Raises:
        Exception: what the first job raised that raised; what went well before and beside it is
            handed on first.
    """
    crew: _Crew[T] = _Crew(most)
    try:
        yield from _batches(crew, jobs, pace)
    except BaseException:
        pace.stop()
        raise
    finally:
        crew.dismiss()


def _batches(crew: _Crew[T], jobs: Iterator[Job[T]], pace: Pace) -> Iterator[list[T]]:
    following: deque[Job[T]] = deque()
    good: list[T] = []
    handed = time.monotonic()
    while True:
        while not crew.full and (job := following.popleft() if following else next(jobs, None)):
            crew.begin(job)
        if not crew.running:
            break
        for outcome in crew.finished(handed + SOON - time.monotonic() if good else SOON):
            if isinstance(outcome, BaseException):
                yield good + _beside(crew, pace)
                raise outcome
            good += outcome.results
            following.extend(outcome.then)
        if good and (len(good) >= BATCH or time.monotonic() >= handed + SOON):
            yield good
            good, handed = [], time.monotonic()
    if good:
        yield good


def _beside(crew: _Crew[T], pace: Pace) -> list[T]:
    """What was under way beside a job that failed: it is written all the same.

    Were the ledger not told, our own writes would look like somebody's edits.
    """
    crew.call_off()
    pace.stop()
    until = time.monotonic() + FINISHING
    good: list[T] = []
    while crew.running and time.monotonic() < until:
        for outcome in crew.finished(until - time.monotonic()):
            if isinstance(outcome, Outcome):
                good += outcome.results
    return good
