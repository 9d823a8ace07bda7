"""How many requests run at once: up to the manifest's bound, and fewer while the API is busy.

    200 ─▶ one more for each round of requests      429, 503 ─▶ half as many, once a round
    Retry-After ─▶ nothing is sent until then

Additive increase, multiplicative decrease, as TCP has it (RFC 5681).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import TIMEOUT_MAX, Condition

from compose_seeder.errors import InterruptedTargetError


class Pace:
    """Lets requests begin; shared by threads.

    Args:
        most: requests at once.
        clock: seconds, monotonic.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = float(most)
        self._most = most
        self._clock = clock
        self._running = 0
        self._round = 0
        self._held_until = 0.0
        self._stopped = False
        self._changed = Condition()

    @property
    def room(self) -> int:
        """How many requests may run at once just now."""
        return int(self._room)

    def begin(self) -> int:
        """Wait for a turn; the round that the request belongs to.

        Raises:
            InterruptedTargetError: the run is ending before the API wants another request.
        """
        with self._changed:
            while True:
                held = self._held_until - self._clock()
                if self._stopped and held > 0:
                    raise InterruptedTargetError("the run is ending, and the API wants no request")
                if self._stopped or (held <= 0 and self._running < self.room):
                    break
                self._changed.wait(min(held, TIMEOUT_MAX) if held > 0 else None)
            self._running += 1
            return self._round

    def end(self, begun: int, *, busy: bool, after: float = 0.0) -> None:
        """A request has its answer.

        Args:
            begun: what `begin` gave it.
            busy: the API has too much to do.
            after: seconds in which it wants nothing more.
        """
        with self._changed:
            self._running -= 1
            if not busy:
                self._room = min(self._most, self._room + 1 / self._room)
            elif begun == self._round:
                # What was sent beside it is refused for the same reason, and counts as one.
                self._room = max(1.0, self._room / 2)
                self._round += 1
            if after:
                self._held_until = max(self._held_until, self._clock() + after)
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait before a request is sent again.

        Raises:
            InterruptedTargetError: the run is ending, and it is not sent again.
        """
        with self._changed:
            if self._changed.wait_for(lambda: self._stopped, seconds):
                raise InterruptedTargetError("the run is ending, and no request is sent again")

    def stop(self) -> None:
        """End what waits: requests under way finish, and none is sent again."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
