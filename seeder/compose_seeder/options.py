"""The options of a seeding, and its callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compose_seeder.errors import ManifestError
from compose_seeder.reconcile.plan import Plan

if TYPE_CHECKING:
    import httpx


def no_api() -> httpx.Client:
    """Raise `ManifestError`: no API is configured."""
    raise ManifestError(
        "a dataset has an endpoint, and there is no API: set API_BASE_URL to one that runs, or API_COMMAND to"
        " start one"
    )


def _no_progress(dataset: str, done: int, total: int) -> None:
    del dataset, done, total


@dataclass(frozen=True)
class Options:
    """How to seed.

    Attributes:
        only: names of datasets; all where it is empty.
        plan: compute the plans and change nothing.
        verify: compare with live data even where the ledger says that nothing has changed.
        limit: how many records a plan carries; None for all. Its counts are of all.
        schema_behind: with `plan`: migrations are pending, so that tables may be missing still.
        api: opens a client with the API's base URL; called once, and only where it is needed.
        changing: called with a dataset before its target or ledger changes.
        progress: called with the dataset, the number of records that are done, and of all.
        finished: called with each plan as it came out.
    """

    only: tuple[str, ...] = ()
    plan: bool = False
    verify: bool = False
    limit: int | None = 1000
    schema_behind: bool = False
    api: Callable[[], httpx.Client] = no_api
    changing: Callable[[str], None] = field(default=lambda _: None)
    progress: Callable[[str, int, int], None] = _no_progress
    finished: Callable[[Plan], None] = field(default=lambda _: None)
