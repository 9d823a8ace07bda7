"""What holds for one field alone: `fields.NAME`, with on_drift, once and secret."""

from __future__ import annotations

import pytest

from compose_seeder.errors import ManifestError, RefusedError
from tests.support.seed_folder import Seeds, counts, outcomes, table

GOBLIN = {"slug": "goblin", "hp": 7, "name": "Goblin"}


@pytest.fixture
def creatures(seeds: Seeds) -> Seeds:
    """Create a table with a serial key, and the goblin's file."""
    seeds.do("CREATE TABLE creatures (id serial PRIMARY KEY, slug text, hp int, name text)")
    return seeds


def rules(**fields: str) -> str:
    """Return a manifest with rules for fields."""
    return table() + "\n[dataset.fields]\n" + "\n".join(f"{n} = {r}" for n, r in fields.items())


def test_a_field_has_its_own_on_drift(creatures: Seeds) -> None:
    """One field is written back, the other one of the same record keeps its edit."""
    creatures.write(rules(hp='{ on_drift = "overwrite" }'), creatures=[GOBLIN]).run()
    creatures.do("UPDATE creatures SET hp = 99, name = 'Gobbo'")
    plan = creatures.run(verify=True)
    assert outcomes(plan) == {"goblin": {"hp": "drift", "name": "drift"}}
    assert counts(plan) == {"updated": 1, "drifted": 1}
    assert creatures.rows("SELECT hp, name FROM creatures") == [(7, "Gobbo")]


def test_a_field_can_stop_the_run(creatures: Seeds) -> None:
    """With fail for one field, an edit of it stops the run, and one of another does not."""
    creatures.write(rules(hp='{ on_drift = "fail" }'), creatures=[GOBLIN]).run()
    creatures.do("UPDATE creatures SET name = 'Gobbo'")
    assert counts(creatures.run(verify=True)) == {"unchanged": 1, "drifted": 1}
    creatures.do("UPDATE creatures SET hp = 99")
    with pytest.raises(RefusedError, match="field hp, name: was edited by hand"):
        creatures.run(verify=True)


def test_once_is_written_at_creation_only(creatures: Seeds) -> None:
    """Neither an edit by hand nor one in the file counts after the record is there."""
    creatures.write(rules(hp="{ once = true }"), creatures=[GOBLIN]).run()
    assert creatures.rows("SELECT hp FROM creatures") == [(7,)]
    creatures.do("UPDATE creatures SET hp = 99")
    assert counts(creatures.run(verify=True)) == {"unchanged": 1}
    creatures.source("creatures", [{**GOBLIN, "hp": 8, "name": "Gob"}])
    plan = creatures.run()
    assert outcomes(plan) == {"goblin": {"name": "update"}}
    assert creatures.rows("SELECT hp, name FROM creatures") == [(99, "Gob")]


@pytest.mark.parametrize("before", [False, True])
def test_once_says_what_was_written_last(creatures: Seeds, before: bool) -> None:
    """Of a row that was there with the same value as well: an edit of it is seen by prune, and without the rule."""
    if before:
        creatures.do("INSERT INTO creatures (slug, hp, name) VALUES ('goblin', 7, 'Goblin')")
    once = rules(hp="{ once = true }")
    creatures.write(once, creatures=[GOBLIN]).run()
    creatures.write(table(), creatures=[{**GOBLIN, "hp": 8}])
    assert outcomes(creatures.plan()) == {"goblin": {"hp": "update"}}
    creatures.do("UPDATE creatures SET hp = 99")
    assert outcomes(creatures.plan()) == {"goblin": {"hp": "conflict"}}
    creatures.write(once.replace("key =", "prune = true\nmax_prune = 1.0\nkey ="), creatures=[])
    plan = creatures.run()
    assert (plan.counts.deleted, plan.counts.released, plan.counts.conflicts) == (0, 1, 1)


def test_once_keeps_in_mind_what_a_trigger_made_of_it(creatures: Seeds) -> None:
    """Through a run that writes another field: without the rule it is no edit by hand."""
    creatures.do(
        "CREATE FUNCTION cap() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN NEW.hp := least(NEW.hp, 5); RETURN NEW; END$$;"
        "CREATE TRIGGER cap BEFORE INSERT OR UPDATE ON creatures FOR EACH ROW EXECUTE FUNCTION cap()"
    )
    once = rules(hp="{ once = true }")
    creatures.write(once, creatures=[GOBLIN]).run()
    creatures.write(once, creatures=[{**GOBLIN, "name": "Gob"}]).run()
    creatures.write(table(), creatures=[{**GOBLIN, "name": "Gob", "hp": 3}])
    assert outcomes(creatures.plan()) == {"goblin": {"hp": "update"}}


def test_a_secret_is_never_shown(creatures: Seeds) -> None:
    """A plan says that a secret field differs, and neither value."""
    creatures.write(rules(name="{ secret = true }"), creatures=[GOBLIN]).run()
    creatures.source("creatures", [{**GOBLIN, "name": "Hunter2"}])
    plan = creatures.plan()
    assert outcomes(plan) == {"goblin": {"name": "update"}}
    assert "Hunter2" not in str(plan.records)
    assert "Goblin" not in str(plan.records)
    assert counts(creatures.run()) == {"updated": 1}
    assert creatures.rows("SELECT name FROM creatures") == [("Hunter2",)]


def test_a_key_has_no_rules_of_drift(creatures: Seeds) -> None:
    """A rule that can never hold is an error."""
    with pytest.raises(ManifestError, match=r"fields\.slug is a key"):
        creatures.write(rules(slug="{ once = true }"), creatures=[]).run()
