"""Any sequence of seed edits, hand edits and crashes, against a plain Python model of one target.

`PROPERTY_EXAMPLES=1000` tries so many sequences of each kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose_seeder.targets.endpoint import unconfirmed
from compose_seeder.targets.table import modified_rows
from examples.postgres import Server
from tests.support.ledgers import forget_seeds
from tests.support.seed_folder import Seeds
from tests.support.seeded_targets import Endpoint, Table, crash
from tests.support.small_api import Api

SLUGS = ["a", "b", "c"]
VALUES = st.one_of(st.none(), st.integers(0, 2))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("seed"), st.sampled_from(SLUGS), st.sampled_from("xy"), VALUES),
        st.tuples(st.just("hand"), st.sampled_from(SLUGS), st.sampled_from("xy"), VALUES),
        st.tuples(st.just("unseed"), st.sampled_from(SLUGS)),
        st.tuples(st.just("delete"), st.sampled_from(SLUGS)),
        st.tuples(st.just("run")),
        st.tuples(st.just("crash"), st.integers(1, 60)),
    ),
    min_size=1,
    max_size=14,
)


@dataclass
class Model:
    """What the design's table of outcomes says, record by record."""

    overwrite: bool
    prune: bool = False
    desired: dict[str, dict[str, Any]] = field(default_factory=dict)
    applied: dict[str, dict[str, Any]] = field(default_factory=dict)
    live: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self) -> None:
        for slug in [slug for slug in self.applied if slug not in self.desired]:
            if self.prune and self.live.get(slug) == self.applied[slug]:
                del self.live[slug]
            del self.applied[slug]
        for slug, wanted in self.desired.items():
            if slug in self.live:
                self._compare(slug, wanted)
            elif self.overwrite or slug not in self.applied:
                self.live[slug] = dict(wanted)
                self.applied[slug] = dict(wanted)

    def _compare(self, slug: str, wanted: dict[str, Any]) -> None:
        live, applied = self.live[slug], self.applied.setdefault(slug, {})
        for name, value in wanted.items():
            ours = name in applied and applied[name] == live[name]
            if live[name] == value or ours or self.overwrite:
                live[name] = applied[name] = value
            else:
                applied.setdefault(name, FOREIGN)


FOREIGN = object()


@pytest.fixture(scope="module")
def shared(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeds]:
    """One database for all examples; each begins with an empty target and ledger."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS properties")
        admin.execute("CREATE DATABASE properties")
    folder: Path = tmp_path_factory.mktemp("properties")
    with psycopg.connect(server.url("properties"), autocommit=True) as connection:
        seeds = Seeds(folder, connection)
        seeds.do("CREATE TABLE creatures (slug text, x int, y int)")
        yield seeds


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a crashed run is under way any more; and every table is large."""
    monkeypatch.setattr(unconfirmed, "OPEN_TIMEOUTS", 0.0)
    monkeypatch.setattr(modified_rows, "SMALL", 0)


POLICIES = pytest.mark.parametrize(
    ("on_drift", "prune"), [("keep", False), ("keep", True), ("overwrite", True)]
)
EXAMPLES = settings(
    max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "15")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@POLICIES
@EXAMPLES
@given(steps=STEPS)
def test_a_table_is_what_the_model_says(
    shared: Seeds,
    on_drift: str,
    prune: bool,
    steps: list[Any],
) -> None:
    """No edit lost, nothing doubled; a plan is what the run does; a second run does nothing."""
    follow(shared, Table(shared), on_drift, steps, prune=prune)


@POLICIES
@EXAMPLES
@given(steps=STEPS)
def test_an_endpoint_is_what_the_model_says(
    shared: Seeds,
    one_api: tuple[Api, httpx.Client],
    on_drift: str,
    prune: bool,
    steps: list[Any],
) -> None:
    """The same through HTTP."""
    api, client = one_api
    target = Endpoint(api, {"api": lambda: client})
    follow(shared, target, on_drift, steps, prune=prune)


def follow(
    seeds: Seeds, target: Table | Endpoint, on_drift: str, steps: list[Any], *, prune: bool
) -> None:
    """All steps, on the target and on the model, and a run at the end."""
    forget_seeds(seeds.connection)
    target.clear()
    seeds.write(target.manifest(on_drift=on_drift, prune=prune, max_prune=1.0))
    model = Model(overwrite=on_drift == "overwrite", prune=prune)
    for step in [*steps, ("run",)]:
        take(seeds, target, model, *step)
        assert target.rows() == model.live


def take(
    seeds: Seeds,
    target: Table | Endpoint,
    model: Model,
    kind: str,
    slug: Any = "",
    name: str = "",
    value: Any = None,
) -> None:
    """One step, on the target and on the model."""
    if kind == "seed":
        model.desired.setdefault(slug, {"x": 0, "y": 0})[name] = value
    elif kind == "unseed":
        model.desired.pop(slug, None)
    elif kind == "delete":
        target.delete(slug)
        model.live.pop(slug, None)
    elif kind == "hand":
        model.live.setdefault(slug, {"x": 0, "y": 0})[name] = value
        target.put(slug, model.live[slug])
    else:
        if kind == "crash":
            seeds.source("creatures", [{"slug": s, **row} for s, row in model.desired.items()])
            crash(seeds, slug, target.options)
        seeds.source("creatures", [{"slug": slug, **row} for slug, row in model.desired.items()])
        planned = seeds.plan(verify=True, **target.options)
        done = seeds.run(verify=True, **target.options)
        model.run()
        counts = (done.counts.created, done.counts.updated, done.counts.deleted)
        assert (planned.counts.created, planned.counts.updated, planned.counts.deleted) == counts
        again = seeds.run(verify=True, **target.options)
        assert (again.counts.created, again.counts.updated, again.counts.deleted) == (0, 0, 0)
