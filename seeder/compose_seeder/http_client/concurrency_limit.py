"""How many requests run at once: up to the manifest's maximum, and fewer while the API is busy.

    200 ─▶ one more for each round of requests      429, 503 ─▶ half as many, once a round
    Retry-After ─▶ nothing is sent until then

Additive increase, multiplicative decrease, as in TCP (RFC 5681).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import TIMEOUT_MAX, Condition

from compose_seeder.errors import InterruptedTargetError


class ConcurrencyLimit:
    """Lets requests begin; shared by threads.

    Args:
        maximum: the number of requests at once.
        clock: seconds, monotonic.
    """

    def __init__(self, maximum: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowed = float(maximum)
        self._maximum = maximum
        self._clock = clock
        self._running = 0
        self._round = 0
        self._closed_until = 0.0
        self._stopped = False
        self._changed = Condition()

    @property
    def allowed(self) -> int:
        """How many requests may run at once at present."""
        return int(self._allowed)

    def acquire(self) -> int:
        """Wait until a request may begin, and return the round to which it belongs.

        Raises:
            InterruptedTargetError: the run is ending before the API accepts another request.
        """
        with self._changed:
            while True:
                closed = self._closed_until - self._clock()
                if self._stopped and closed > 0:
                    raise InterruptedTargetError(
                        "the run is ending while the API asks to wait; the request was not sent, run again"
                    )
                if self._stopped or (closed <= 0 and self._running < self.allowed):
                    break
                self._changed.wait(min(closed, TIMEOUT_MAX) if closed > 0 else None)
            self._running += 1
            return self._round

    def release(self, round_: int, *, busy: bool, retry_after: float = 0.0) -> None:
        """End a request.

        Args:
            round_: the request's, as `acquire` returned it.
            busy: the API is overloaded.
            retry_after: seconds in which the API accepts no request.
        """
        with self._changed:
            self._running -= 1
            if not busy:
                self._allowed = min(self._maximum, self._allowed + 1 / self._allowed)
            elif round_ == self._round:
                # Requests of the same round fail for the same reason, and count once.
                self._allowed = max(1.0, self._allowed / 2)
                self._round += 1
            if retry_after:
                self._closed_until = max(self._closed_until, self._clock() + retry_after)
            self._changed.notify_all()

    def sleep(self, seconds: float) -> None:
        """Wait before a request is sent again.

        Raises:
            InterruptedTargetError: the run is ending, and the request is not sent again.
        """
        with self._changed:
            if self._changed.wait_for(lambda: self._stopped, seconds):
                raise InterruptedTargetError(
                    "the run is ending, and a failed request is not sent again; run again"
                )

    def stop(self) -> None:
        """End all waiting: running requests finish, and none is sent again."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
