"""One polling loop: "not there yet" is asked again, with jitter, until a monotonic deadline.

An error that waiting does not change ends the loop at once. `database/availability.py` and
`api_health.py` say what is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryError, Retrying, retry_if_exception_type, wait_exponential, wait_random

from compose_init.errors import NotReadyError, NotYetError

T = TypeVar("T")


def poll_until(
    ask: Callable[[], T],
    *,
    what: str,
    timeout: float,
    hint: str,
    max_pause: float = 1,
    started: float | None = None,
) -> T:
    """Return the first answer that `ask` gives.

    Args:
        ask: raises `NotYetError` to be asked again.
        what: what messages call it.
        timeout: seconds until the deadline.
        hint: what to look at when it does not come up.
        max_pause: seconds between two questions, at most.
        started: when waiting began, by the monotonic clock; now by default.

    Raises:
        NotReadyError: no answer by the deadline; the message has the last reason.
    """
    backoff = wait_exponential(multiplier=0.05, max=max_pause, exp_base=1.5)
    pause = backoff + wait_random(0, min(0.05, max_pause / 4))
    deadline = (time.monotonic() if started is None else started) + timeout
    loop = Retrying(
        retry=retry_if_exception_type(NotYetError),
        stop=lambda _: time.monotonic() >= deadline,
        # No longer than until the deadline: `ask` is called once more then, and no later.
        wait=lambda state: max(0.0, min(pause(state), deadline - time.monotonic())),
    )
    try:
        return loop(ask)
    except RetryError as error:
        reason = error.last_attempt.exception()
        raise NotReadyError(
            f"{what} did not come up within {timeout:g} s: {reason}; {hint}"
        ) from None
