"""Any sequence of seed edits, hand edits, migrations and kills, against a plain Python model of the right outcome.

No hand edit is lost, no change of a seed is dropped, nothing is there twice. Everything happens in one process and one
database: `MIGRATION_SEQUENCES=10000` tries so many sequences instead of the few that fit into each test run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose_seeder.around_migration import carry_over, look
from compose_seeder.reconcile import ledger_schema
from compose_seeder.targets.table import modified_rows
from examples.postgres import Server
from tests.support.crash import crash_after
from tests.support.migration_model import FIELDS, TYPES, Migrated
from tests.support.seed_folder import Seeds

SEQUENCES = int(os.environ.get("MIGRATION_SEQUENCES", "60"))

TABLES = ("things", "others")
LEDGER = (
    *("before_migration", "edit_before_migration", "dataset", "record", "source", "target"),
    "target_column",
)
SLUGS = ("a", "b", "c")

tables = st.sampled_from(("things", "things", "others"))
slugs = st.sampled_from(SLUGS)
numbers = st.integers(0, 5)
values = st.one_of(st.none(), st.integers(0, 3))
kills = st.one_of(st.just(0), st.just(0), st.integers(1, 40))

CHANGES = st.one_of(
    st.tuples(st.just("type"), numbers, st.sampled_from(TYPES)),
    st.tuples(st.just("drop"), numbers),
    st.tuples(st.just("add"), st.sampled_from(FIELDS), values),
    st.tuples(st.just("drop and add"), numbers, values),
    st.tuples(st.just("rename"), numbers, st.sampled_from(FIELDS)),
    st.tuples(st.just("rewrite"), numbers, slugs, values),
    st.tuples(st.just("rewrite all"), numbers, values),
    st.tuples(st.just("delete"), slugs),
    st.tuples(st.just("insert"), slugs, values),
    st.tuples(st.just("recreate")),
    st.tuples(st.just("copy")),
    st.tuples(st.just("rename table")),
)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("seed"), tables, slugs, numbers, values),
        st.tuples(st.just("unseed"), tables, slugs),
        st.tuples(st.just("name"), tables, numbers, values),
        st.tuples(st.just("hand"), tables, slugs, numbers, values),
        st.tuples(st.just("delete"), tables, slugs),
        st.tuples(st.just("run"), kills),
        st.tuples(
            st.just("migrate"),
            st.lists(st.tuples(tables, CHANGES), min_size=1, max_size=3),
            st.sampled_from(("", "", "", "killed")),
            kills,
        ),
    ),
    min_size=2,
    max_size=14,
)


@pytest.fixture(scope="module")
def shared(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeds]:
    """One database for all sequences; each begins with empty tables and no ledger."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS migration_properties")
        admin.execute("CREATE DATABASE migration_properties")
    with psycopg.connect(server.url("migration_properties"), autocommit=True) as connection:
        ledger_schema.prepare(connection)
        yield Seeds(tmp_path_factory.mktemp("migrations"), connection)


@pytest.fixture(autouse=True)
def _every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modified_rows, "SMALL", 0)


@pytest.mark.parametrize(
    ("on_drift", "prune"), [("keep", False), ("keep", True), ("overwrite", True)]
)
@pytest.mark.timeout(max(300, 3 * SEQUENCES))
@settings(
    max_examples=-(-SEQUENCES // 3),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(number=st.sampled_from((1, 1, 2)), steps=STEPS)
def test_migrated_tables_are_what_the_model_says(
    shared: Seeds, on_drift: str, prune: bool, number: int, steps: list[Any]
) -> None:
    """No edit lost, no change of a seed dropped, nothing doubled; and a second run does nothing."""
    for name in LEDGER:
        shared.do(f"DELETE FROM compose_init.{name}")
    models = {
        name: Migrated(name, overwrite=on_drift == "overwrite", prune=prune)
        for name in TABLES[:number]
    }
    for model in models.values():
        shared.do(f"DROP TABLE IF EXISTS {model.name}, {model.name}_2")
        shared.do(model.create_statement())
    for step in [*steps, ("run", 0)]:
        _take(shared, models, *step)
    again = shared.run_all(verify=True)
    assert [plan.counts.written for plan in again] == [0] * number


def _take(seeds: Seeds, models: dict[str, Migrated], kind: str, *words: Any) -> None:
    """One step, on the tables and on the model."""
    if kind == "migrate":
        _migrate(seeds, models, *words)
    elif kind == "run":
        _run(seeds, models, *words)
    elif kind in {"hand", "delete"}:
        name, *rest = words
        for statement in models.get(name, models["things"]).edit(kind, *rest):
            seeds.do(*statement)
    else:
        name, *rest = words
        models.get(name, models["things"]).edit_file(kind, *rest)


def _run(seeds: Seeds, models: dict[str, Migrated], kill: int = 0) -> None:
    seeds.write("\n".join(model.manifest() for model in models.values()))
    for name, model in models.items():
        seeds.source(name, model.file())
    if kill:
        crash_after(seeds, kill, lambda: seeds.run_all(verify=True))
    seeds.run_all(verify=True)
    for model in models.values():
        model.carry_over()
        model.run()
    for name, model in models.items():
        found = seeds.rows(model.query())
        rows = {slug: row for slug, *row in found}
        assert len(rows) == len(found), "a record is there twice"
        assert rows == model.rows(), name


def _migrate(
    seeds: Seeds, models: dict[str, Migrated], changes: list[Any], end: str, kill: int
) -> None:
    if kill:
        crash_after(seeds, kill, lambda: look(seeds.connection))
    look(seeds.connection)
    for model in models.values():
        model.carry_over()  # of a run that was killed before it did
    for model in models.values():
        model.look()
    for name, change in changes:
        for statement in models.get(name, models["things"]).migrate(*change):
            seeds.do(statement)
    if end:
        return
    if kill:
        crash_after(seeds, kill, lambda: carry_over(seeds.connection))
    carry_over(seeds.connection)
    for model in models.values():
        model.carry_over()
