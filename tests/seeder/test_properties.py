"""Any sequence of seed edits and hand edits, against a plain Python model of one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples.postgres import Server
from tests.seeder.seeds import Seeds, table

SLUGS = ["a", "b", "c"]
VALUES = st.one_of(st.none(), st.integers(0, 2))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("seed"), st.sampled_from(SLUGS), st.sampled_from("xy"), VALUES),
        st.tuples(st.just("hand"), st.sampled_from(SLUGS), st.sampled_from("xy"), VALUES),
        st.tuples(st.just("unseed"), st.sampled_from(SLUGS)),
        st.tuples(st.just("delete"), st.sampled_from(SLUGS)),
        st.tuples(st.just("run")),
    ),
    min_size=1,
    max_size=14,
)


@dataclass
class Model:
    """What the design's table of outcomes says, record by record."""

    overwrite: bool
    desired: dict[str, dict[str, Any]] = field(default_factory=dict)
    applied: dict[str, dict[str, Any]] = field(default_factory=dict)
    live: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self) -> None:
        for slug in [slug for slug in self.applied if slug not in self.desired]:
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
    """One database for all examples; each begins with an empty table and ledger."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS properties")
        admin.execute("CREATE DATABASE properties")
    folder: Path = tmp_path_factory.mktemp("properties")
    with psycopg.connect(server.url("properties"), autocommit=True) as connection:
        seeds = Seeds(folder, connection)
        seeds.do("CREATE TABLE creatures (slug text, x int, y int)")
        yield seeds


@pytest.mark.parametrize("on_drift", ["keep", "overwrite"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_the_table_is_what_the_model_says(shared: Seeds, on_drift: str, steps: list[Any]) -> None:
    """No edit lost, nothing doubled; a plan is what the run does; a second run does nothing."""
    shared.do("DROP SCHEMA IF EXISTS compose_init CASCADE; TRUNCATE creatures")
    shared.write(table(on_drift=on_drift))
    model = Model(overwrite=on_drift == "overwrite")
    for step in [*steps, ("run",)]:
        take(shared, model, *step)
        if step[0] == "run":
            rows = shared.rows("SELECT slug, x, y FROM creatures ORDER BY slug")
            expected = [(slug, row["x"], row["y"]) for slug, row in sorted(model.live.items())]
            assert rows == expected


def take(
    seeds: Seeds, model: Model, kind: str, slug: str = "", name: str = "", value: Any = None
) -> None:
    """One step, on the database and on the model."""
    if kind == "seed":
        model.desired.setdefault(slug, {"x": 0, "y": 0})[name] = value
    elif kind == "unseed":
        model.desired.pop(slug, None)
    elif kind == "delete":
        seeds.do("DELETE FROM creatures WHERE slug = %s", slug)
        model.live.pop(slug, None)
    elif kind == "hand":
        by_hand(seeds, model, slug, name, value)
    else:
        source = [{"slug": slug, **row} for slug, row in model.desired.items()]
        seeds.source("creatures", source)
        planned = seeds.plan(verify=True)
        done = seeds.run(verify=True)
        model.run()
        assert (planned.create, planned.update) == (done.create, done.update)
        again = seeds.run(verify=True)
        assert (again.create, again.update) == (0, 0)


def by_hand(seeds: Seeds, model: Model, slug: str, name: str, value: Any) -> None:
    """Somebody edits a row, or adds one."""
    if slug not in model.live:
        seeds.do("INSERT INTO creatures VALUES (%s, 0, 0)", slug)
        model.live[slug] = {"x": 0, "y": 0}
    seeds.do(f"UPDATE creatures SET {name} = %s WHERE slug = %s", value, slug)
    model.live[slug][name] = value
