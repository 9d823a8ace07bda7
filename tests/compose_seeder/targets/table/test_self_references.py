"""References of a dataset to its own table: parents and children in one file, in any order."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder import check
from compose_seeder.errors import ManifestError, RecordError, RefusedError
from compose_seeder.sources import Sources
from tests.support.postgres import every_version
from tests.support.seed_folder import Seeds, counts, outcomes, table

MANIFEST = (
    table("tree")
    + """
[dataset.refs]
parent_id = { from = "parent", table = "public.tree", match = "slug", take = "id" }
"""
)
ROWS: list[dict[str, Any]] = [
    {"slug": "leaf", "parent": "branch", "name": "of another shape"},
    {"slug": "branch", "parent": "root"},
    {"slug": "root", "parent": None},
    {"slug": "own", "parent": "own"},
]
PARENTS = {"leaf": "branch", "branch": "root", "root": None, "own": "own"}
IDS = ["serial", "int GENERATED ALWAYS AS IDENTITY", "uuid DEFAULT gen_random_uuid()"]


def tree(seeds: Seeds, kind: str = "serial", more: str = "") -> Seeds:
    """Create a table whose slugs need not be unique."""
    type_ = "uuid" if "uuid" in kind else "int"
    seeds.do(
        f"CREATE TABLE tree (id {kind} PRIMARY KEY, slug text, parent_id {type_} REFERENCES tree {more}, name text)"
    )
    return seeds.write(MANIFEST, tree=ROWS)


def parents(seeds: Seeds) -> dict[str, str | None]:
    query = "SELECT t.slug, p.slug FROM tree t LEFT JOIN tree p ON p.id = t.parent_id"
    return dict(seeds.rows(query))


@every_version
@pytest.mark.parametrize("kind", IDS)
def test_a_tree_stands_in_one_file(seeds: Seeds, kind: str) -> None:
    """Children before their parents as well; the next run finds all of it."""
    tree(seeds, kind)
    assert counts(seeds.plan()) == {"created": 4}
    assert counts(seeds.run()) == {"created": 4}
    assert parents(seeds) == PARENTS
    assert counts(seeds.run(verify=True)) == {"unchanged": 4}
    seeds.do("INSERT INTO tree (slug) VALUES ('by hand')")
    assert len(parents(seeds)) == 5, "the sequence has gone on"


def test_a_record_goes_below_a_new_one(seeds: Seeds) -> None:
    """The plan shows the parent by its natural key, and the run does what the plan says."""
    tree(seeds).run()
    moved = [{**ROWS[0], "parent": "twig"}, *ROWS[1:], {"slug": "twig", "parent": "branch"}]
    seeds.source("tree", moved)
    plan = seeds.plan()
    assert counts(plan) == {"created": 1, "updated": 1, "unchanged": 3}
    assert outcomes(plan)["leaf"] == {"parent_id": "update"}
    assert plan.records[0].fields["parent_id"]["desired"] == "twig"
    assert counts(seeds.run()) == counts(plan)
    assert parents(seeds) == {**PARENTS, "leaf": "twig", "twig": "branch"}
    assert counts(seeds.run(verify=True)) == {"unchanged": 5}
    seeds.do("UPDATE tree SET parent_id = NULL WHERE slug = 'leaf'")
    assert outcomes(seeds.run(verify=True)) == {"leaf": {"parent_id": "drift"}}


def test_every_row_may_need_a_parent(seeds: Seeds) -> None:
    """It is inserted with its parent's id; the first one is its own."""
    tree(seeds, more="NOT NULL CHECK (parent_id > 0)")
    seeds.source("tree", [{"slug": "b", "parent": "a"}, {"slug": "a", "parent": "a"}])
    assert counts(seeds.plan()) == {"created": 2}
    seeds.run()
    assert parents(seeds) == {"a": "a", "b": "a"}


def test_a_trigger_finds_the_parent(seeds: Seeds) -> None:
    """Parents are inserted first, as a trigger that makes paths expects it."""
    tree(seeds)
    seeds.do(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " new.name := concat_ws('.', (SELECT name FROM tree WHERE id = new.parent_id), new.slug); RETURN new; END $$;"
        "CREATE TRIGGER f BEFORE INSERT ON tree FOR EACH ROW EXECUTE FUNCTION f()"
    )
    seeds.run()
    names = dict(seeds.rows("SELECT slug, name FROM tree"))
    assert names["leaf"] == "root.branch.leaf"


def test_ids_may_stand_in_the_file(seeds: Seeds) -> None:
    """Then no default is asked for."""
    tree(seeds, "int")
    seeds.source("tree", [{"id": 9 - n, **row} for n, row in enumerate(ROWS)])
    assert counts(seeds.run()) == {"created": 4}
    assert parents(seeds) == PARENTS


def test_ids_that_nobody_knows(seeds: Seeds) -> None:
    """They are not made up."""
    seeds.do("CREATE TABLE tree (id int, slug text, parent_id int, name text)")
    seeds.write(MANIFEST, tree=ROWS)
    with pytest.raises(ManifestError, match="id, which has no default"):
        seeds.run()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [{"slug": "a", "name": "1", "parent": "b"}],
            "#/0 (slug a, name 1), field parent: refers to public.tree.slug b, but no row",
        ),
        (
            [
                {"slug": "a", "name": n, "parent": p}
                for n, p in [("1", None), ("2", None), ("3", "a")]
            ],
            "#/2 (slug a, name 3), field parent: refers to public.tree.slug a, but 3 records of the file have it",
        ),
    ],
)
def test_what_refers_to_nothing_is_named(seeds: Seeds, rows: list[Any], said: str) -> None:
    """Or to several records of the file; by a plan as well, and nothing is written."""
    tree(seeds).write(MANIFEST.replace('["slug"]', '["slug", "name"]'), tree=rows)
    for act in (seeds.plan, seeds.run):
        with pytest.raises(RecordError) as raised:
            act()
        assert said in str(raised.value)
    assert parents(seeds) == {}


def test_a_branch_that_somebody_deleted_stays_deleted(seeds: Seeds) -> None:
    """What was below it is not at fault, until something new would be."""
    tree(seeds).run()
    seeds.do("DELETE FROM tree WHERE slug IN ('leaf', 'branch')")
    assert counts(seeds.run(verify=True)) == {"unchanged": 4, "drifted": 2}
    seeds.source("tree", [*ROWS, {"slug": "new", "parent": "branch"}])
    with pytest.raises(RecordError, match=r"#/4 \(slug new\), field parent"):
        seeds.run()


def test_children_are_not_at_fault_for_their_place(seeds: Seeds) -> None:
    """The record that is refused is named, and not those that stand before their parents."""
    tree(seeds, more="NOT NULL")
    seeds.do("CREATE UNIQUE INDEX ON tree (name)")
    rows = [ROWS[0], {"slug": "branch", "parent": "branch"}]
    seeds.source("tree", [*rows, {"slug": "twin", "parent": "leaf", "name": ROWS[0]["name"]}])
    with pytest.raises(RefusedError) as raised:
        seeds.run()
    assert [fault.record for fault in raised.value.faults] == ["slug twin"]


def test_a_long_chain(seeds: Seeds) -> None:
    """Each record refers to the one after it."""
    tree(seeds)
    rows = [{"slug": f"s{n}", "parent": f"s{n + 1}" if n < 299 else None} for n in range(300)]
    seeds.source("tree", rows)
    assert counts(seeds.run()) == {"created": 300}
    assert parents(seeds) == {row["slug"]: row["parent"] for row in rows}


def test_check_doubts_a_parent_that_no_record_is(seeds: Seeds) -> None:
    """It may be there already; or it is misspelt."""
    seeds.write(MANIFEST, tree=[*ROWS, {"slug": "new", "parent": "brunch"}])
    doubts: list[str] = []
    check(seeds.manifest, Sources(), doubts.append)
    assert len(doubts) == 1
    assert "parent refers to public.tree.slug brunch (did you mean branch?)" in doubts[0]


@pytest.mark.parametrize(
    ("type_", "root", "parent"),
    [
        ("int", "1", '"1"'),
        ("int", "1", "1.0"),
        ("numeric", "1.5", '"1.50"'),
        ("text", "1", '"1"'),
        ("citext", '"Root"', '"ROOT"'),
        ("char(6)", '"root"', '"root  "'),
        ("date", '"2024-02-29"', '"20240229"'),
        ("uuid", f'"{"ab" * 16}"', f'"{"AB" * 16}"'),
    ],
)
def test_a_parent_is_found_by_the_type_of_its_column(
    seeds: Seeds, type_: str, root: str, parent: str
) -> None:
    """As one from the table is; another child, whose parent the type does not take, is named alone."""
    seeds.do("CREATE EXTENSION IF NOT EXISTS citext")
    tree(seeds).do(f"ALTER TABLE tree ADD code {type_}")
    seeds.write(MANIFEST.replace('match = "slug"', 'match = "code"'))
    rows = f'{{"slug": "root", "code": {root}}}, {{"slug": "leaf", "parent": {parent}}}'
    seeds.source("tree", f"[{rows}]")
    assert counts(seeds.plan()) == {"created": 2}
    assert counts(seeds.run()) == {"created": 2}
    assert parents(seeds) == {"root": None, "leaf": "root"}
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}


def test_parents_of_a_text_column_are_told_apart_by_their_text(seeds: Seeds) -> None:
    """1.1 and 1.10 are two records; what several records have is named with their number."""
    tree(seeds).do("ALTER TABLE tree ADD code text")
    seeds.write(MANIFEST.replace('match = "slug"', 'match = "code"'))
    rows = '{"slug": "a", "code": 1.1}, {"slug": "b", "code": 1.10}'
    seeds.source(
        "tree", f'[{rows}, {{"slug": "c", "parent": 1.10}}, {{"slug": "d", "parent": 1.1}}]'
    )
    seeds.run()
    assert parents(seeds) == {"a": None, "b": None, "c": "b", "d": "a"}
    again = '{"slug": "x", "code": 7}, {"slug": "y", "code": "7"}, {"slug": "z", "parent": 7}'
    seeds.source("tree", f"[{again}]")
    with pytest.raises(RecordError, match="but 2 records of the file have it"):
        seeds.run()


def test_a_parent_that_the_type_does_not_take_is_not_there(seeds: Seeds) -> None:
    """Its child is named, and not the others."""
    tree(seeds).do("ALTER TABLE tree ADD code int")
    seeds.write(MANIFEST.replace('match = "slug"', 'match = "code"'))
    rows: list[dict[str, Any]] = [{"slug": "root", "code": 1}, {"slug": "leaf", "parent": "1"}]
    seeds.source("tree", [*rows, {"slug": "lost", "parent": "x"}])
    with pytest.raises(RecordError, match="x, but no row and no new record has it") as raised:
        seeds.run()
    assert [fault.where for fault in raised.value.faults] == ["tree.json#/2"]
