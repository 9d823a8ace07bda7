"""A deadline for calls that block without one, and that no signal interrupts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

END = object()


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return the result of a call; give it up after so many seconds.

    The call goes on in a daemon thread, which ends with the process.

    Raises:
        TimeoutError: it took longer.
    """
    import threading  # noqa: PLC0415 - for the fast path

    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError(f"no answer within {seconds:g} s")
    result, error = outcome[0]
    if error is not None:
        raise error
    found: T = result
    return found


def each_within(seconds: float, items: Iterable[T]) -> Iterator[T]:
    """Yield the items; give up where one of them takes longer.

    Raises:
        TimeoutError: it took longer.
    """
    iterator = iter(items)
    while (item := within(seconds, lambda: next(iterator, END))) is not END:
        yield item  # type: ignore[misc]
