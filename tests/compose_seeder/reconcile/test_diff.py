"""The design's diff table, row by row, on a real table."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder.errors import RefusedError
from tests.support.seed_folder import Seeds, counts, outcomes, table

GOBLIN = {"slug": "goblin", "hp": 7, "name": "Goblin"}
LEDGER = "SELECT id, xmin::text FROM compose_init.record ORDER BY id"


@pytest.fixture
def creatures(seeds: Seeds) -> Seeds:
    """Create a table whose natural key has no unique index, like the first user's."""
    seeds.do("CREATE TABLE creatures (id serial PRIMARY KEY, slug text, hp int, name text)")
    return seeds


def live(seeds: Seeds) -> dict[str, tuple[Any, ...]]:
    return {row[0]: row[1:] for row in seeds.rows("SELECT slug, hp, name FROM creatures")}


def edit(seeds: Seeds, **fields: Any) -> None:
    """Change the goblin's fields in the file."""
    seeds.source("creatures", [{**GOBLIN, **fields}])


def seeded(seeds: Seeds, on_drift: str = "keep") -> Seeds:
    """Seed the goblin once."""
    seeds.write(table(on_drift=on_drift), creatures=[GOBLIN]).run()
    return seeds


def test_absent_everywhere_is_created(creatures: Seeds) -> None:
    """A record that is in the file alone is created."""
    plan = creatures.write(table(), creatures=[GOBLIN]).run()
    assert counts(plan) == {"created": 1}
    assert live(creatures) == {"goblin": (7, "Goblin")}


@pytest.mark.parametrize("on_drift", ["keep", "overwrite", "fail"])
def test_somebody_elses_equal_record_is_adopted(creatures: Seeds, on_drift: str) -> None:
    """What equals the seed is adopted without a write, and is ours from then on."""
    creatures.do("INSERT INTO creatures (slug, hp, name) VALUES ('goblin', 7, 'Goblin')")
    creatures.write(table(on_drift=on_drift), creatures=[GOBLIN])
    before = creatures.rows("SELECT xmin::text FROM creatures")
    assert counts(creatures.run()) == {"unchanged": 1}
    assert creatures.rows("SELECT xmin::text FROM creatures") == before
    edit(creatures, hp=9)
    assert counts(creatures.run()) == {"updated": 1}
    assert live(creatures) == {"goblin": (9, "Goblin")}


def test_only_the_fields_that_differ_are_updated(creatures: Seeds) -> None:
    """An update writes the changed field and leaves what somebody edited beside it."""
    seeded(creatures).do("UPDATE creatures SET name = 'Gobbo'")
    edit(creatures, hp=9)
    plan = creatures.run()
    assert counts(plan) == {"updated": 1, "drifted": 1}
    assert outcomes(plan) == {"goblin": {"hp": "update", "name": "drift"}}
    assert live(creatures) == {"goblin": (9, "Gobbo")}


def test_drift_is_kept(creatures: Seeds) -> None:
    """With keep, a hand edit stays, is counted, and is counted the same the next time."""
    seeded(creatures).do("UPDATE creatures SET hp = 99")
    for _ in range(3):
        plan = creatures.run(verify=True)
        assert counts(plan) == {"unchanged": 1, "drifted": 1}
        assert plan.records[0].fields["hp"] == {"live": 99, "desired": 7, "outcome": "drift"}
    assert live(creatures) == {"goblin": (99, "Goblin")}


def test_drift_is_overwritten(creatures: Seeds) -> None:
    """With overwrite, a hand edit is written back, once."""
    seeded(creatures, "overwrite").do("UPDATE creatures SET hp = 99")
    assert counts(creatures.run(verify=True)) == {"updated": 1, "drifted": 1}
    assert live(creatures) == {"goblin": (7, "Goblin")}
    assert counts(creatures.run(verify=True)) == {"unchanged": 1}


def test_drift_stops_the_run(creatures: Seeds) -> None:
    """With fail, a hand edit stops the dataset with record and field, and nothing is written."""
    seeded(creatures, "fail").do("UPDATE creatures SET hp = 99")
    edit(creatures, name="Goblin King")
    with pytest.raises(RefusedError, match=r"#/0 \(slug goblin\), field hp: was edited by hand"):
        creatures.run()
    assert live(creatures) == {"goblin": (99, "Goblin")}


@pytest.mark.parametrize(("limit", "carried"), [(3, 3), (None, 1200), (1000, 1000)])
def test_a_plan_carries_as_many_records_as_it_is_told(
    creatures: Seeds, limit: int | None, carried: int
) -> None:
    """The first ones of the file, or all; the counts are of all."""
    many = [{"slug": f"new-{number}"} for number in range(1200)]
    plan = creatures.write(table(), creatures=many).plan(limit=limit)
    assert plan.counts.created == 1200
    assert len(plan.records) == carried
    assert plan.records[2].key == {"slug": "new-2"}


@pytest.mark.parametrize("limit", [1, 2, 5, None])
def test_a_limited_plan_begins_with_what_changes(creatures: Seeds, limit: int | None) -> None:
    """Deletions first, then what is written, then what is left; and it knows how many there are."""
    old = [{"slug": f"old-{n}", "hp": 1} for n in range(6)]
    creatures.write(table(prune=True, max_prune=1.0), creatures=old).run()
    creatures.do("UPDATE creatures SET hp = 9 WHERE slug < 'old-3'")
    creatures.source("creatures", [*old[:3], {"slug": "old-3", "hp": 2}, old[4], {"slug": "new"}])
    plan = creatures.plan(limit=limit)
    found = [(change.action, change.key["slug"]) for change in plan.records]
    written = [("delete", "old-5"), ("update", "old-3"), ("create", "new")]
    assert found == [*written, *(("none", f"old-{n}") for n in range(3))][:limit]
    assert plan.differing == 6


def test_drift_is_named_among_very_many_new_records(creatures: Seeds) -> None:
    """With fail, the drifted record is named even where a plan shows other records first."""
    seeded(creatures, "fail").do("UPDATE creatures SET hp = 99")
    fresh = [{"slug": f"new-{number}"} for number in range(10)]
    creatures.source("creatures", [*fresh, GOBLIN])
    with pytest.raises(RefusedError, match=r"#/10 \(slug goblin\), field hp"):
        creatures.run()


@pytest.mark.parametrize(
    ("on_drift", "expected", "after"),
    [
        ("keep", {"unchanged": 1, "conflicts": 1}, 99),
        ("overwrite", {"updated": 1, "conflicts": 1}, 12),
    ],
)
def test_conflict(creatures: Seeds, on_drift: str, expected: dict[str, int], after: int) -> None:
    """Edited by hand and in the file: as drift, and reported by record and field."""
    seeded(creatures, on_drift).do("UPDATE creatures SET hp = 99")
    edit(creatures, hp=12)
    plan = creatures.run()
    assert counts(plan) == expected
    assert outcomes(plan) == {"goblin": {"hp": "conflict"}}
    assert live(creatures) == {"goblin": (after, "Goblin")}


def test_conflict_stops_the_run(creatures: Seeds) -> None:
    """With fail, a conflict stops as drift does."""
    seeded(creatures, "fail").do("UPDATE creatures SET hp = 99")
    edit(creatures, hp=12)
    with pytest.raises(RefusedError, match="field hp: was edited by hand"):
        creatures.run()


def test_kept_conflict_ends_when_the_edit_is_taken_back(creatures: Seeds) -> None:
    """A kept conflict remembers what was applied: undone by hand, it is a plain update again."""
    seeded(creatures).do("UPDATE creatures SET hp = 99")
    edit(creatures, hp=12)
    creatures.run()
    creatures.do("UPDATE creatures SET hp = 7")
    assert counts(creatures.run(verify=True)) == {"updated": 1}
    assert live(creatures) == {"goblin": (12, "Goblin")}


def test_kept_drift_ends_when_the_file_follows(creatures: Seeds) -> None:
    """The file brought to what is live: nothing to write, and the field is ours again."""
    seeded(creatures).do("UPDATE creatures SET hp = 99")
    creatures.run(verify=True)
    edit(creatures, hp=99)
    assert counts(creatures.run()) == {"unchanged": 1}
    edit(creatures, hp=100)
    assert counts(creatures.run()) == {"updated": 1}


def test_somebody_elses_differing_field_is_drift(creatures: Seeds) -> None:
    """An adopted record's differing fields are kept, as drift now and as drift the next time."""
    creatures.do("INSERT INTO creatures (slug, hp, name) VALUES ('goblin', 1, 'Goblin')")
    creatures.write(table(), creatures=[GOBLIN])
    for _ in range(2):
        plan = creatures.run(verify=True)
        assert counts(plan) == {"unchanged": 1, "drifted": 1}
        assert outcomes(plan) == {"goblin": {"hp": "drift"}}
    edit(creatures, name="Gobbo")
    assert outcomes(creatures.run()) == {"goblin": {"hp": "drift", "name": "update"}}
    assert live(creatures) == {"goblin": (1, "Gobbo")}


def test_somebody_elses_differing_field_is_overwritten(creatures: Seeds) -> None:
    """With overwrite, an adopted record becomes what the file says."""
    creatures.do("INSERT INTO creatures (slug, hp, name) VALUES ('goblin', 1, 'Goblin')")
    assert counts(seeded(creatures, "overwrite").run(verify=True)) == {"unchanged": 1}
    assert live(creatures) == {"goblin": (7, "Goblin")}


def test_deleted_by_hand_stays_deleted(creatures: Seeds) -> None:
    """With keep, a row that somebody deleted is not made again, whatever the file changes."""
    seeded(creatures).do("DELETE FROM creatures")
    for hp in (7, 8, 8):
        edit(creatures, hp=hp)
        plan = creatures.run(verify=True)
        assert counts(plan) == {"unchanged": 1, "drifted": 1}
        assert [change.action for change in plan.records] == ["deleted"]
    assert live(creatures) == {}


def test_deleted_by_hand_is_created_again(creatures: Seeds) -> None:
    """With overwrite, a row that somebody deleted comes back."""
    seeded(creatures, "overwrite").do("DELETE FROM creatures")
    assert creatures.run(verify=True).counts.created == 1
    assert live(creatures) == {"goblin": (7, "Goblin")}
    assert counts(creatures.run(verify=True)) == {"unchanged": 1}


def test_deleted_by_hand_stops_the_run(creatures: Seeds) -> None:
    """With fail, a row that somebody deleted stops the dataset and is named."""
    seeded(creatures, "fail").do("DELETE FROM creatures")
    with pytest.raises(RefusedError, match=r"\(slug goblin\): was deleted by hand"):
        creatures.run(verify=True)


@pytest.mark.parametrize("edited", [False, True])
def test_a_record_that_left_the_file_is_left(creatures: Seeds, edited: bool) -> None:
    """Without prune, the row stays and is no longer owned, edited by hand or not."""
    seeded(creatures)
    if edited:
        creatures.do("UPDATE creatures SET hp = 99")
    creatures.source("creatures", [])
    assert counts(creatures.run()) == {"released": 1}
    assert live(creatures) == {"goblin": (99 if edited else 7, "Goblin")}
    assert creatures.rows(LEDGER) == []
    edit(creatures, hp=8)
    assert counts(creatures.run()) == {"unchanged": 1, "drifted": 1}


def test_new_field_is_written_where_the_target_has_nothing(creatures: Seeds) -> None:
    """A field that is new to a record of ours is written where live is null, else it is drift."""
    creatures.write(table(), creatures=[{"slug": "goblin"}, {"slug": "orc"}]).run()
    creatures.do("UPDATE creatures SET hp = 15 WHERE slug = 'orc'")
    creatures.source("creatures", [{"slug": "goblin", "hp": 7}, {"slug": "orc", "hp": 7}])
    plan = creatures.run()
    assert outcomes(plan) == {"goblin": {"hp": "update"}, "orc": {"hp": "drift"}}
    assert live(creatures) == {"goblin": (7, None), "orc": (15, None)}


def test_a_field_that_left_the_record_is_left(creatures: Seeds) -> None:
    """Only the fields that a record names are compared or written."""
    seeded(creatures)
    creatures.source("creatures", [{"slug": "goblin", "hp": 7}])
    assert counts(creatures.run()) == {"unchanged": 1}
    assert live(creatures) == {"goblin": (7, "Goblin")}
    creatures.do("UPDATE creatures SET name = 'Gobbo'")
    assert counts(creatures.run(verify=True)) == {"unchanged": 1}


def test_a_key_that_is_live_twice_stops_and_is_named(creatures: Seeds) -> None:
    """Without a unique index, a key can be there twice: a seed cannot tell which is meant."""
    creatures.do(
        "INSERT INTO creatures (slug, hp) VALUES ('goblin', 1), ('goblin', 2), ('x', 1), ('x', 2)"
    )
    creatures.write(table(), creatures=[GOBLIN, {"slug": "orc"}])
    with pytest.raises(
        RefusedError, match=r"slug goblin.*the target holds the key 2 times"
    ) as caught:
        creatures.run()
    assert len(caught.value.faults) == 1, (
        "a key that no seed names may be there as often as it likes"
    )
    assert len(live(creatures)) == 2


def test_unchanged_writes_nothing(creatures: Seeds) -> None:
    """A run that finds all as it is writes no row, neither of the table nor of the ledger."""
    rows = [{"slug": f"m-{number}", "hp": number, "name": None} for number in range(50)]
    creatures.do("INSERT INTO creatures (slug, hp) VALUES ('m-9', 1000)")
    creatures.write(table(), creatures=rows).run()
    creatures.do(
        "UPDATE creatures SET hp = 1000 WHERE slug = 'm-7'; DELETE FROM creatures WHERE slug = 'm-8'"
    )
    creatures.run(verify=True)

    def written() -> list[Any]:
        creatures.do("SELECT pg_stat_force_next_flush()")
        return [
            creatures.rows("SELECT id, xmin::text FROM creatures ORDER BY id"),
            creatures.rows(LEDGER),
            creatures.rows(
                "SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables"
                " WHERE relname IN ('creatures', 'record') ORDER BY relname"
            ),
        ]

    before = written()
    assert counts(creatures.run(verify=True)) == {"unchanged": 50, "drifted": 3}
    assert written() == before
    assert counts(creatures.run()) == {"unchanged": 50}, "the ledger says that nothing has changed"
    assert written() == before


def test_another_target_starts_over(creatures: Seeds) -> None:
    """A dataset that goes elsewhere owns nothing there, in a plan as in the run."""
    creatures.do("CREATE TABLE beasts (LIKE creatures INCLUDING ALL)")
    seeded(creatures)
    creatures.write(table().replace('table = "creatures"', 'table = "beasts"'))
    assert counts(creatures.plan()) == {"created": 1}
    assert counts(creatures.run()) == {"created": 1}
    assert creatures.rows("SELECT slug FROM beasts") == [("goblin",)]
    assert len(creatures.rows(LEDGER)) == 1


def test_a_plan_changes_nothing(creatures: Seeds) -> None:
    """A plan says what a run does, and leaves neither row nor ledger nor temporary table."""
    creatures.write(table(), creatures=[GOBLIN])
    assert counts(creatures.plan()) == {"created": 1}
    assert live(creatures) == {}
    assert creatures.rows("SELECT to_regnamespace('compose_init')") == [(None,)]
    assert creatures.rows("SELECT relname FROM pg_class WHERE relpersistence = 't'") == []
