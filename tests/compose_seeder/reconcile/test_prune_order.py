"""What refers to others is deleted before what it refers to, though it is seeded after it."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder import pipeline
from tests.support.seed_folder import Seeds, counts, table

PARENTS: list[dict[str, Any]] = [{"slug": f"p{n}"} for n in range(4)]
CHILDREN: list[dict[str, Any]] = [{"slug": f"c{n}", "of": f"p{n}"} for n in range(4)]
REFS = (
    '\n[dataset.refs]\nparent = { from = "of", table = "parents", match = "slug", take = "id" }\n'
)
ALL: dict[str, Any] = {"prune": True, "max_prune": 1.0}
LEFT = "SELECT string_agg(slug, ' ' ORDER BY slug) FROM "


@pytest.fixture(name="family")
def _family(seeds: Seeds) -> Seeds:
    """Parents and children, seeded."""
    seeds.do("CREATE TABLE parents (id serial PRIMARY KEY, slug text)")
    seeds.do("CREATE TABLE children (slug text, parent int REFERENCES parents)")
    manifest = table("parents", **ALL) + "\n" + table("children", **ALL) + REFS
    seeds.write(manifest, parents=PARENTS, children=CHILDREN).run_all()
    return seeds


def test_parents_and_children_leave_together(family: Seeds) -> None:
    """In one run, which a plan says before; others are created and updated meanwhile."""
    family.source("parents", [*PARENTS[:2], {"slug": "new"}])
    family.source("children", [CHILDREN[0], {"slug": "c1", "of": "new"}])
    planned = family.run_all(plan=True)
    assert [plan.counts.deleted for plan in planned] == [2, 2]
    done = family.run_all()
    assert [(plan.counts.deleted, counts(plan)) for plan in done] == [
        (2, {"created": 1, "unchanged": 2}),
        (2, {"updated": 1, "unchanged": 1}),
    ]
    assert family.rows(LEFT + "parents") == [("new p0 p1",)]
    assert family.rows(LEFT + "children") == [("c0 c1",)]
    assert [counts(plan) for plan in family.run_all(verify=True)] == [
        {"unchanged": 3},
        {"unchanged": 2},
    ]


def test_a_run_that_ended_before_the_deletes_is_gone_on_with(
    family: Seeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run deletes what it has left."""
    family.source("parents", PARENTS[:1])
    family.source("children", CHILDREN[:1])
    monkeypatch.setattr(pipeline, "reversed", lambda _: [], raising=False)
    family.run_all()
    assert family.rows(LEFT + "parents") == [("p0 p1 p2 p3",)]
    monkeypatch.undo()
    assert [plan.counts.deleted for plan in family.run_all()] == [3, 0]
    assert family.rows(LEFT + "parents") == [("p0",)]


@pytest.mark.parametrize("first", ["new", "old"])
def test_a_record_that_moves_to_another_dataset_is_not_deleted(seeds: Seeds, first: str) -> None:
    """Nor created anew, whichever of the two stands first; deleted once neither has it."""
    seeds.do("CREATE TABLE things (id serial, slug text)")
    names = [first, {"new": "old", "old": "new"}[first]]
    seeds.write(
        "\n".join(table(name, **ALL).replace(f'"{name}"\nkey', '"things"\nkey') for name in names)
    )
    seeds.source("old", [{"slug": "a"}, {"slug": "b"}])
    seeds.source("new", [])
    seeds.run_all()
    before = seeds.rows("SELECT * FROM things ORDER BY id")
    seeds.source("old", [{"slug": "a"}])
    seeds.source("new", [{"slug": "b"}])
    assert [plan.counts.deleted for plan in seeds.run_all()] == [0, 0]
    assert seeds.rows("SELECT * FROM things ORDER BY id") == before
    assert [counts(plan) for plan in seeds.run_all(verify=True)] == [{"unchanged": 1}] * 2
    seeds.source("new", [])
    assert sum(plan.counts.deleted for plan in seeds.run_all()) == 1
    assert seeds.rows("SELECT slug FROM things") == [("a",)]


@pytest.mark.parametrize("first", ["a", "b"])
@pytest.mark.parametrize("prune", [("a", "b"), ("a",), ("b",)])
def test_a_record_may_move_to_another_dataset_of_the_table(
    seeds: Seeds, first: str, prune: tuple[str, ...]
) -> None:
    """It stays the same row where one of the files has it; what leaves both is deleted."""
    seeds.do("CREATE TABLE things (id serial, slug text)")
    entries = [
        table(name, **(ALL if name in prune else {})).replace(
            f'table = "{name}"', 'table = "things"'
        )
        for name in "ab"
    ]
    both = [{"slug": "x"}, {"slug": "y"}]
    files: dict[str, Any] = {"a": [], "b": [], first: both}
    seeds.write("\n".join(entries), **files).run_all()
    before = seeds.rows("SELECT id, slug FROM things ORDER BY id")
    other = "b" if first == "a" else "a"
    for source, content in ((first, both[:1]), (other, both[1:])):
        seeds.source(source, content)
    seeds.run_all()
    assert seeds.rows("SELECT id, slug FROM things ORDER BY id") == before
    assert [counts(plan) for plan in seeds.run_all(verify=True)] == [{"unchanged": 1}] * 2
    seeds.source(other, both)
    seeds.run_all()
    for name in "ab":
        seeds.source(name, [])
    seeds.run_all()
    if prune == ("a", "b"):
        assert seeds.rows("SELECT FROM things") == []


def test_what_another_dataset_wrote_is_no_edit_by_hand(seeds: Seeds) -> None:
    """A record moves to an earlier dataset, which writes its own value: it is left, without a conflict."""
    seeds.do("CREATE TABLE things (slug text, v int)")
    more: dict[str, Any] = {**ALL, "on_drift": "overwrite"}
    entries = [
        table(name, **more).replace(f'table = "{name}"', 'table = "things"') for name in "ab"
    ]
    seeds.write("\n".join(entries), a=[], b=[{"slug": "x", "v": 1}]).run_all()
    seeds.source("a", [{"slug": "x", "v": 2}])
    seeds.source("b", [])
    assert [counts(plan) for plan in seeds.run_all()] == [
        {"updated": 1},
        {"released": 1},
    ]
    assert seeds.rows("SELECT v FROM things") == [(2,)]


def test_what_is_in_use_is_named(family: Seeds) -> None:
    """And stays, as a plan says before; what nothing refers to is deleted."""
    family.do("INSERT INTO children SELECT 'theirs', id FROM parents WHERE slug = 'p3'")
    family.source("parents", PARENTS[:2])
    family.source("children", CHILDREN[:2])
    for plans in (family.run_all(plan=True), family.run_all()):
        assert [(change.key, change.why) for change in plans[0].not_deleted] == [
            ({"slug": "p3"}, "1 row of children refers to it (by parent)")
        ]
        assert [plan.counts.deleted for plan in plans] == [1, 2]
    assert family.rows(LEFT + "parents") == [("p0 p1 p3",)]
    assert family.rows(LEFT + "children") == [("c0 c1 theirs",)]
