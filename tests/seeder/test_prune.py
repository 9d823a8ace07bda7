"""Records that left the file, with `prune`: deleted where they are ours and nobody edited them."""

from __future__ import annotations

from typing import Any

import pytest

from seeder.errors import RecordError, RefusedError
from tests.seeder.seeds import Seeds, counts, outcomes, table

MANY = [{"slug": f"c{n}", "hp": n} for n in range(20)]


@pytest.fixture
def creatures(seeds: Seeds) -> Seeds:
    """Twenty creatures, seeded with prune."""
    seeds.do("CREATE TABLE creatures (id serial PRIMARY KEY, slug text, hp int)")
    seeds.write(table(prune=True), creatures=MANY).run()
    return seeds


def slugs(seeds: Seeds) -> set[Any]:
    """What the table holds."""
    return {row[0] for row in seeds.rows("SELECT slug FROM creatures")}


def test_what_left_the_file_is_deleted(creatures: Seeds) -> None:
    """One that is ours and unedited, as planned; the next run has nothing to do."""
    creatures.source("creatures", MANY[1:])
    assert creatures.plan().delete == 1
    plan = creatures.run()
    assert (plan.delete, plan.left) == (1, 0)
    assert [change.key for change in plan.records] == [{"slug": "c0"}]
    assert slugs(creatures) == {f"c{n}" for n in range(1, 20)}
    assert counts(creatures.run(verify=True)) == {"unchanged": 19}


def test_what_was_edited_is_never_deleted(creatures: Seeds) -> None:
    """It stays and is reported, once: from then on it is somebody's."""
    creatures.do("UPDATE creatures SET hp = 99 WHERE slug = 'c0'")
    creatures.source("creatures", MANY[1:])
    plan = creatures.run()
    assert (plan.delete, plan.left, plan.conflict) == (0, 1, 1)
    assert outcomes(plan) == {"c0": {}}
    assert plan.records[0].action == "kept"
    assert "c0" in slugs(creatures)
    assert counts(creatures.run(verify=True)) == {"unchanged": 19}


def test_what_was_never_ours_is_not_deleted(creatures: Seeds) -> None:
    """Rows of the application, and adopted rows whose values were never ours."""
    creatures.do("INSERT INTO creatures (slug, hp) VALUES ('own', 1), ('adopted', 5)")
    creatures.source("creatures", [*MANY, {"slug": "adopted", "hp": 6}])
    assert counts(creatures.run()) == {"unchanged": 21, "drift": 1}
    creatures.source("creatures", MANY)
    plan = creatures.run()
    assert (plan.delete, plan.left) == (0, 1)
    assert {"own", "adopted"} <= slugs(creatures)


def test_too_many_stop_the_run(creatures: Seeds) -> None:
    """More than a tenth need a word, and the message has the number that allows it."""
    creatures.source("creatures", MANY[3:])
    for act in (creatures.plan, creatures.run):
        with pytest.raises(RecordError, match=r"3 of 20 records .* set max_prune to 0\.15"):
            act()
    assert len(slugs(creatures)) == 20
    creatures.write(table(prune=True, max_prune=0.15))
    assert creatures.run().delete == 3


def test_the_number_that_is_named_allows_it(creatures: Seeds) -> None:
    """Though 0.29 times 100 is less than 29 in binary."""
    many = [{"slug": f"c{n}", "hp": n} for n in range(100)]
    creatures.source("creatures", many)
    creatures.run()
    creatures.source("creatures", many[29:])
    with pytest.raises(RecordError, match=r"29 of 100 records .* set max_prune to 0\.29 "):
        creatures.run()
    creatures.write(table(prune=True, max_prune=0.29))
    assert creatures.run().delete == 29


def test_a_row_that_others_refer_to_is_named(creatures: Seeds) -> None:
    """A foreign key refuses the delete: the record is named and nothing is written."""
    creatures.do("ALTER TABLE creatures ADD UNIQUE (slug)")
    creatures.do("CREATE TABLE packs (leader text REFERENCES creatures (slug))")
    creatures.do("INSERT INTO packs VALUES ('c0')")
    creatures.source("creatures", MANY[1:])
    with pytest.raises(
        RefusedError, match=r"violates foreign key constraint .* Key \(slug\)=\(c0\)"
    ):
        creatures.run()
    assert "c0" in slugs(creatures)
