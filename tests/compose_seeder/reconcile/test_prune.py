"""Records that left the file, with `prune`: deleted where they are ours and nobody edited them."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder.errors import RecordError, RefusedError
from tests.support.endpoint_seeds import Through
from tests.support.seed_folder import Seeds, counts, outcomes, table
from tests.support.small_api import Api

MANY = [{"slug": f"c{n}", "hp": n} for n in range(20)]


@pytest.fixture
def creatures(seeds: Seeds) -> Seeds:
    """Twenty creatures, seeded with prune."""
    seeds.do("CREATE TABLE creatures (id serial PRIMARY KEY, slug text, hp int)")
    seeds.write(table(prune=True), creatures=MANY).run()
    return seeds


def slugs(seeds: Seeds) -> set[Any]:
    """Return the slugs that the table holds."""
    return {row[0] for row in seeds.rows("SELECT slug FROM creatures")}


def test_what_left_the_file_is_deleted(creatures: Seeds) -> None:
    """One that is ours and unedited, as planned; the next run has nothing to do."""
    creatures.source("creatures", MANY[1:])
    assert creatures.plan().counts.deleted == 1
    plan = creatures.run()
    assert (plan.counts.deleted, plan.counts.released) == (1, 0)
    assert [change.key for change in plan.records] == [{"slug": "c0"}]
    assert slugs(creatures) == {f"c{n}" for n in range(1, 20)}
    assert counts(creatures.run(verify=True)) == {"unchanged": 19}


def test_what_was_edited_is_never_deleted(creatures: Seeds) -> None:
    """It stays and is reported, once: from then on it is somebody's."""
    creatures.do("UPDATE creatures SET hp = 99 WHERE slug = 'c0'")
    creatures.source("creatures", MANY[1:])
    plan = creatures.run()
    assert (plan.counts.deleted, plan.counts.released, plan.counts.conflicts) == (0, 1, 1)
    assert outcomes(plan) == {"c0": {}}
    assert plan.records[0].action == "kept"
    assert "c0" in slugs(creatures)
    assert counts(creatures.run(verify=True)) == {"unchanged": 19}


def test_what_was_never_ours_is_not_deleted(creatures: Seeds) -> None:
    """Rows of the application, and adopted rows whose values were never ours."""
    creatures.do("INSERT INTO creatures (slug, hp) VALUES ('own', 1), ('adopted', 5)")
    creatures.source("creatures", [*MANY, {"slug": "adopted", "hp": 6}])
    assert counts(creatures.run()) == {"unchanged": 21, "drifted": 1}
    creatures.source("creatures", MANY)
    plan = creatures.run()
    assert (plan.counts.deleted, plan.counts.released) == (0, 1)
    assert {"own", "adopted"} <= slugs(creatures)


def test_too_many_stop_the_run(creatures: Seeds) -> None:
    """More than a tenth need a word, and the message has the number that allows it."""
    creatures.source("creatures", MANY[3:])
    for act in (creatures.plan, creatures.run):
        with pytest.raises(RecordError, match=r"3 of 20 records .* set max_prune to 0\.15"):
            act()
    assert len(slugs(creatures)) == 20
    creatures.write(table(prune=True, max_prune=0.15))
    assert creatures.run().counts.deleted == 3


def test_what_was_adopted_with_another_value_once_is_not_deleted(creatures: Seeds) -> None:
    """A field that is written `once` is not compared, and yet says that the row is somebody's own."""
    creatures.do("INSERT INTO creatures (slug, hp) VALUES ('theirs', 5), ('same', 6)")
    once = table(prune=True) + "\n[dataset.fields]\nhp = { once = true }"
    adopted = [{"slug": "theirs", "hp": 6}, {"slug": "same", "hp": 6}]
    creatures.write(once, creatures=[*MANY, *adopted])
    assert counts(creatures.run()) == {"unchanged": 22}
    assert counts(creatures.run(verify=True)) == {"unchanged": 22}
    creatures.source("creatures", MANY)
    plan = creatures.run()
    assert (plan.counts.deleted, plan.counts.released) == (1, 1)
    assert "theirs" in slugs(creatures)
    assert "same" not in slugs(creatures)


@pytest.mark.parametrize("gone", [7, 14, 28, 29, 55, 57, 58])
def test_the_number_that_is_said_is_the_least_that_allows_it(seeds: Seeds, gone: int) -> None:
    """Though 0.29 times 100 is a little less than 29, as computers count."""
    rows = [{"slug": f"c{n}"} for n in range(100)]
    seeds.do("CREATE TABLE creatures (slug text)")
    seeds.write(table(prune=True, max_prune=0.01), creatures=rows).run()
    seeds.source("creatures", rows[gone:])
    with pytest.raises(RecordError, match=rf"{gone} of 100 .* set max_prune to {gone / 100} or"):
        seeds.plan()
    seeds.write(table(prune=True, max_prune=gone / 100))
    assert seeds.run().counts.deleted == gone


def test_what_is_said_counts_before_the_first_run_has_ended(through: Through, api: Api) -> None:
    """The API has refused a record; of the others, all may leave the file."""
    api.refuse = {"c"}
    prune = "prune = true\nmax_prune = {}"
    http = 'delete = "DELETE /things/{live.id}"'
    through.manifest(options=prune.format(0.1), http=http)
    with pytest.raises(RefusedError):
        through.run()
    with pytest.raises(RecordError, match=r"2 of 2 records .* set max_prune to 1\.0 or more"):
        through.run([])
    through.manifest(options=prune.format(1), http=http)
    assert through.run([]).counts.deleted == 2
    assert not api.rows


def test_a_row_that_others_refer_to_is_named(creatures: Seeds) -> None:
    """A foreign key would refuse the delete: the record stays, and what refers to it is named."""
    creatures.do("ALTER TABLE creatures ADD UNIQUE (slug)")
    creatures.do("CREATE TABLE packs (leader text REFERENCES creatures (slug))")
    creatures.do("INSERT INTO packs VALUES ('c0')")
    creatures.source("creatures", MANY[1:])
    plan = creatures.run()
    assert [(change.action, change.why) for change in plan.records] == [
        ("in_use", "1 row of packs refers to it (by leader)")
    ]
    assert "c0" in slugs(creatures)
