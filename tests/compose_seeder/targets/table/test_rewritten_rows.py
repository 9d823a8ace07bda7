"""Tables whose triggers and policies make something else of a row than was written."""

from __future__ import annotations

import pytest

from compose_seeder.errors import RefusedError
from tests.support.seed_folder import Seeds, counts, outcomes, table

ANN, BOB = {"slug": "a", "name": "ann", "hp": 1}, {"slug": "b", "name": "BOB", "hp": 1}
TRIGGERS = {
    "before": "BEFORE INSERT OR UPDATE ON creatures FOR EACH ROW",
    "after": "AFTER INSERT OR UPDATE ON creatures FOR EACH ROW",
}
DOES = {
    "before": "new.name := upper(new.name); RETURN new",
    "after": "UPDATE creatures SET name = upper(name) WHERE name <> upper(name); RETURN null",
}


def creatures(seeds: Seeds, when: str, does: str) -> Seeds:
    """Create a table with a trigger."""
    seeds.do(
        "CREATE TABLE creatures (slug text, name text, hp int);"
        f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does}; END $$;"
        f"CREATE TRIGGER f {when} EXECUTE FUNCTION f()"
    )
    return seeds


def names(seeds: Seeds) -> dict[str, str]:
    return dict(seeds.rows("SELECT slug, name FROM creatures"))


@pytest.mark.parametrize("on_drift", ["keep", "overwrite", "fail"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_a_trigger_makes_of_a_row_is_no_edit_by_hand(
    seeds: Seeds, when: str, on_drift: str
) -> None:
    """It is reported once as not kept, and neither drifts nor is written again and again."""
    creatures(seeds, TRIGGERS[when], DOES[when])
    seeds.write(table(on_drift=on_drift), creatures=[ANN, BOB])
    plan = seeds.run()
    assert counts(plan) == {"created": 2, "unconfirmed": 1}
    assert plan.not_kept == ("slug a: name",)
    for _ in range(2):
        plan = seeds.run(verify=True)
        assert counts(plan) == {"unchanged": 2, "unconfirmed": 1}
        assert outcomes(plan) == {"a": {"name": "unconfirmed"}}
    seeds.source("creatures", [{**ANN, "hp": 2}, {**BOB, "name": "rob"}])
    planned = seeds.plan()
    assert outcomes(planned) == {
        "a": {"hp": "update", "name": "unconfirmed"},
        "b": {"name": "update"},
    }
    assert seeds.run().counts.updated == planned.counts.updated == 2
    assert names(seeds) == {"a": "ANN", "b": "ROB"}
    assert counts(seeds.run(verify=True)) == {"unchanged": 2, "unconfirmed": 2}


def test_an_edit_beside_a_trigger_is_one(seeds: Seeds) -> None:
    """What somebody writes later differs from what was seen right after the write."""
    creatures(seeds, TRIGGERS["before"], DOES["before"])
    seeds.write(table(), creatures=[ANN, BOB]).run()
    seeds.do(
        "UPDATE creatures SET name = 'Anna' WHERE slug = 'a'; UPDATE creatures SET hp = 9 WHERE slug = 'b'"
    )
    assert outcomes(seeds.run(verify=True)) == {"a": {"name": "drift"}, "b": {"hp": "drift"}}
    seeds.source("creatures", [{**ANN, "hp": 2}, {**BOB, "name": "rob"}])
    assert outcomes(seeds.run()) == {
        "a": {"name": "drift", "hp": "update"},
        "b": {"hp": "drift", "name": "update"},
    }
    assert outcomes(seeds.run(verify=True)) == {
        "a": {"name": "drift"},
        "b": {"hp": "drift", "name": "unconfirmed"},
    }
    assert seeds.rows("SELECT * FROM creatures ORDER BY slug") == [
        ("a", "ANNA", 2),
        ("b", "ROB", 9),
    ]


def test_a_time_that_a_trigger_sets_with_each_write(seeds: Seeds) -> None:
    """Another field is written, and the trigger's own field is another one again: ours all the same."""
    creatures(seeds, TRIGGERS["before"], "new.name := clock_timestamp()::text; RETURN new")
    seeds.write(table(), creatures=[ANN]).run()
    seeds.source("creatures", [{**ANN, "hp": 2}])
    seeds.run()
    assert outcomes(seeds.run(verify=True)) == {"a": {"name": "unconfirmed"}}


@pytest.mark.parametrize("on_drift", ["keep", "overwrite"])
def test_a_key_that_a_trigger_changes_is_refused(seeds: Seeds, on_drift: str) -> None:
    """The record would be created again with each run."""
    creatures(seeds, TRIGGERS["before"], "new.slug := upper(new.slug); RETURN new")
    seeds.write(table(on_drift=on_drift), creatures=[ANN, {**BOB, "slug": "B"}])
    with pytest.raises(
        RefusedError, match=r"#/0 \(slug a\): was written, and is not there"
    ) as raised:
        seeds.run()
    assert len(raised.value.faults) == 1
    assert names(seeds) == {}


def behind_policies(seeds: Seeds, columns: str, policies: str) -> None:
    """Create a table with row-level security, and a role that is subject to it."""
    seeds.do(
        f"CREATE TABLE creatures ({columns}); {policies};"
        "ALTER TABLE creatures ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "DO $$ BEGIN CREATE ROLE hidden; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
        "DO $$ BEGIN EXECUTE format('GRANT CREATE, TEMP ON DATABASE %I TO hidden', current_database()); END $$;"
        "DROP SCHEMA compose_init CASCADE;"  # whose ledger it is, is no matter here: the role makes its own
        "GRANT ALL ON creatures TO hidden; SET ROLE hidden"
    )


def test_a_row_that_a_policy_hides_is_refused(seeds: Seeds) -> None:
    """Who cannot see what was written would take it for deleted, and create it again."""
    behind_policies(
        seeds,
        "slug text PRIMARY KEY, name text, hp int",
        "CREATE POLICY seen ON creatures FOR SELECT USING (hp > 5);"
        "CREATE POLICY written ON creatures FOR INSERT WITH CHECK (true)",
    )
    seeds.write(table(), creatures=[ANN, {**BOB, "hp": 6}])
    with pytest.raises(RefusedError, match=r"#/0 \(slug a\): was written, and is not there"):
        seeds.run()
    seeds.do("RESET ROLE")
    assert names(seeds) == {}


HIDING = {
    "a condition": "CREATE POLICY p ON creatures USING (hp > 5) WITH CHECK (true)",
    "one that restricts": "CREATE POLICY a ON creatures USING (true);"
    "CREATE POLICY p ON creatures AS RESTRICTIVE USING (hp > 5) WITH CHECK (true)",
    "of another role": "CREATE POLICY p ON creatures USING (hp > 5) WITH CHECK (true);"
    "CREATE POLICY a ON creatures TO pg_monitor USING (true)",
}


@pytest.mark.parametrize("policies", HIDING.values(), ids=HIDING)
def test_what_may_be_hidden_is_not_created_once_more(seeds: Seeds, policies: str) -> None:
    """But where a unique index refuses a second one, or the policy shows all."""
    behind_policies(seeds, "slug text, name text, hp int", policies)
    seeds.write(table(), creatures=[{**ANN, "hp": 6}])
    for options in ({"plan": True}, {}):
        with pytest.raises(
            RefusedError, match=r"may hide rows from the role hidden \(policies: (a, )?p\)"
        ):
            seeds.run(**options)
    seeds.do("RESET ROLE")
    assert names(seeds) == {}
    seeds.do("CREATE UNIQUE INDEX ON creatures (slug) INCLUDE (name); SET ROLE hidden")
    assert counts(seeds.run()) == {"created": 1}
    seeds.do("RESET ROLE")


def test_policies_that_show_all_hide_nothing(seeds: Seeds) -> None:
    """Then the key needs no index."""
    behind_policies(
        seeds, "slug text, name text, hp int", "CREATE POLICY p ON creatures USING (true)"
    )
    assert counts(seeds.write(table(), creatures=[ANN, BOB]).run()) == {"created": 2}
    seeds.do("RESET ROLE")
