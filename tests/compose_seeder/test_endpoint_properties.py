"""Any sequence of seed edits, hand edits and runs, at an API with the habits and faults that real ones have.

`ENDPOINT_EXAMPLES=2000` tries so many sequences of each kind.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose_seeder.errors import InterruptedTargetError, RefusedError
from compose_seeder.http_client import retry
from compose_seeder.targets.endpoint import unconfirmed
from tests.support.ledgers import forget_seeds
from tests.support.seed_folder import Seeds, outcomes
from tests.support.seeded_targets import Endpoint, crash
from tests.support.small_api import Api
from tests.support.virtual_time import VirtualTime

LATE_SECONDS = 7.0
"""Less than twice the client's timeout of 5 s, which is how long a request may be under way."""

SLUGS = ["a", "b", "c"]
FAULTS = ["hang up", "slow", "error", "echo", "silent", "blind", "down"]
NAMES = st.tuples(st.sampled_from(SLUGS), st.sampled_from("xy"))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("seed"), NAMES, st.integers(0, 2)),
        st.tuples(st.just("hand"), NAMES, st.integers(100, 102)),
        st.tuples(st.just("unseed"), NAMES, st.none()),
        st.tuples(st.just("delete"), NAMES, st.none()),
        st.tuples(st.just("run"), st.none(), st.sampled_from(["", *FAULTS])),
        st.tuples(st.just("run"), st.none(), st.sampled_from(FAULTS)),
        st.tuples(st.just("crash"), st.none(), st.integers(1, 60)),
    ),
    min_size=2,
    max_size=12,
)
HABITS = {
    "plain": "",
    "normalises values": "",
    "changes a key": "",
    "hides a field": 'confirm = ["GET /things/{live.id}"]',
    "pages its list": "pages = { link = true }",
    "patches": "",
}
EXAMPLES = settings(
    max_examples=int(os.environ.get("ENDPOINT_EXAMPLES", "4")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def time(seeds: Seeds, monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    """Return the time of the API and of those that wait for it; retries wait for nothing."""
    passing = VirtualTime(seeds.connection)
    monkeypatch.setattr(unconfirmed, "time", passing)
    monkeypatch.setattr(retry, "MAX_ATTEMPTS", 2)
    monkeypatch.setattr(retry, "MAX_DELAY_SECONDS", 0.0)
    monkeypatch.setattr(retry, "random", SimpleNamespace(uniform=lambda *_: 0.0))
    return passing


@dataclass
class World:
    """What the file says, what hands did, and what nobody may undo.

    Attributes:
        edits: values that a person wrote, by slug and field.
        seen: slugs that a complete run has left in the API.
        deleted: slugs that a person deleted, of those that were seen.
    """

    seeds: Seeds
    target: Endpoint
    habit: str
    on_drift: str
    time: VirtualTime
    desired: dict[str, dict[str, Any]] = field(default_factory=dict)
    edits: dict[tuple[str, str], Any] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """Give the API its habit, and write the manifest."""
        api = self.target.api
        api.habit = self._changed
        api.hidden = {"y"} if self.habit == "hides a field" else set()
        api.paged = "link" if self.habit == "pages its list" else ""
        api.headers, api.creation, api.blind, api.status = {}, "", 0, 0
        api.took_to_create, api.clock = LATE_SECONDS, self.time.monotonic
        api.requests.clear()
        api.late.clear()
        forget_seeds(self.seeds.connection)
        self.target.clear()
        text = self.target.manifest(on_drift=self.on_drift, prune=True, max_prune=1.0)
        if self.habit == "patches":
            text = text.replace("PUT /things", "PATCH /things")
        self.seeds.write(text + HABITS[self.habit])

    def _changed(self, record: dict[str, Any]) -> dict[str, Any]:
        if self.habit == "normalises values" and "y" in record:
            return {**record, "y": str(record["y"])}
        if self.habit == "changes a key" and record.get("slug") == "c":
            return {**record, "slug": "c-1"}
        return record

    def take(self, kind: str, name: tuple[str, str] | None, value: Any) -> None:
        """Do one step."""
        slug, part = name or ("", "")
        fixed = self.habit == "changes a key" and slug == "c"
        if kind == "seed":
            self.desired.setdefault(slug, {"x": 0, "y": 0})[part] = value
        elif kind == "run":
            self.run(value)
        elif kind == "crash":
            self._write()
            with suppress(RefusedError):  # where it comes to its end before
                crash(self.seeds, value, self.target.options)
        elif not fixed:
            self.await_late_records()
            {"unseed": self._unseed, "hand": self._edit, "delete": self._delete}[kind](
                slug, part, value
            )
        self.check()

    def await_late_records(self) -> None:
        """Let what is under way arrive."""
        if self.target.api.late:
            self.time.sleep(LATE_SECONDS)
            self.target.api.make_late_records()

    def _unseed(self, slug: str, part: str, value: Any) -> None:
        del part, value
        self.desired.pop(slug, None)
        self.seen.discard(slug)
        self.deleted.discard(slug)

    def _edit(self, slug: str, part: str, value: Any) -> None:
        live = self.rows().get(slug)
        row = dict(live or {"x": value, "y": value})
        row[part] = value
        self.target.put(slug, row)
        for each in "xy" if live is None else part:
            self.edits[slug, each] = value
        self.deleted.discard(slug)

    def _delete(self, slug: str, part: str, value: Any) -> None:
        del part, value
        if slug in self.rows() and slug in self.seen:
            self.deleted.add(slug)
        self.target.delete(slug)
        self.edits.pop((slug, "x"), None)
        self.edits.pop((slug, "y"), None)

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return what the API holds; no record twice."""
        return self.target.rows()

    def check(self) -> None:
        """Nothing is doubled, and no edit is lost."""
        rows = self.rows()
        assert not {"c", "c-1"} <= set(rows)
        if self.on_drift == "overwrite":
            return
        for (slug, part), value in self.edits.items():
            # A PUT sends the edit along, and the API normalises it.
            assert str(rows.get(slug, {}).get(part)) == str(value), "an edit is lost"
        assert not self.deleted & set(rows), "what was deleted by hand is there again"

    def _write(self) -> None:
        self.seeds.source("creatures", [{"slug": s, **row} for s, row in self.desired.items()])

    def run(self, fault: str) -> None:
        """Run, with a fault of the API or without one."""
        self._write()
        api = self.target.api
        api.creation = fault if fault not in {"blind", "down"} else ""
        api.blind = 2 if fault == "blind" else 0
        api.requests.clear()
        api.fail_after = 1 if fault == "down" else None
        try:
            done = self.seeds.run(verify=True, **self.target.options)
        except InterruptedTargetError:
            assert fault, "an API without a fault was said to have one"
        except RefusedError as error:
            self._check_refusal(str(error), fault)
        else:
            self._check_success(done)
        finally:
            api.creation, api.blind, api.fail_after = "", 0, None

    def _check_refusal(self, said: str, fault: str) -> None:
        changed = self.habit == "changes a key" and "c" in self.desired
        assert fault or changed, said
        assert "does not show" in said
        if not fault:
            assert "slug c-1" in said

    def _check_success(self, done: Any) -> None:
        """All that the file says is there, or the plan names what is not."""
        if self.habit == "changes a key":
            assert "c" not in self.desired, "a record that is not shown was not named"
        rows, named = self.rows(), outcomes(done)
        for slug, row in self.desired.items():
            if slug not in rows:
                assert slug in named, "a missing record is not named"
                assert self.on_drift == "keep" or slug in self.deleted
                continue
            self.seen.add(slug)
            for part, value in row.items():
                live = rows[slug][part]
                same = live == self._changed({part: value})[part]
                assert same or part in named.get(slug, {}), "a difference is not named"
        assert (
            done.counts.drifted + done.counts.conflicts
            or self.on_drift != "keep"
            or not any((slug, part) in self.edits for slug in self.desired for part in "xy")
        ), "an edit is not counted"


@pytest.mark.parametrize("on_drift", ["keep", "overwrite"])
@pytest.mark.parametrize("habit", HABITS)
@EXAMPLES
@given(steps=STEPS)
def test_an_api_with_habits_and_faults(
    seeds: Seeds,
    one_api: tuple[Api, httpx.Client],
    time: VirtualTime,
    habit: str,
    on_drift: str,
    steps: list[Any],
) -> None:
    """No edit lost, nothing doubled, no false success, and each fault said each time."""
    api, client = one_api
    world = World(seeds, Endpoint(api, {"api": lambda: client}), habit, on_drift, time)
    world.begin()
    for step in [*steps, ("run", None, "")]:
        world.take(*step)
    world.await_late_records()
    world.take("run", None, "")
    if habit != "changes a key":
        assert not [each for each in api.writes if each], "a second run writes"
