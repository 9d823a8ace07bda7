"""What a table would refuse, asked before anything is written: no more than it really would."""

from __future__ import annotations

import pytest

from compose_seeder.errors import RefusedError
from tests.support.postgres import every_version
from tests.support.seed_folder import Seeds, counts, table


@every_version
def test_all_are_counted_and_the_first_twenty_named(seeds: Seeds) -> None:
    """Of every shape, in the file's order, by a plan and by a run; nothing is written."""
    seeds.do("CREATE TABLE creatures (slug text, hp int CHECK (hp > 0), name text)")
    records = [{"slug": f"s{n}", "hp": 0} | ({"name": "x"} if n % 2 else {}) for n in range(100)]
    seeds.write(table(), creatures=records)
    for plan in (True, False):
        with pytest.raises(RefusedError) as raised:
            seeds.run(plan=plan)
        assert [fault.record for fault in raised.value.faults[:20]] == [
            f"slug s{n}" for n in range(20)
        ]
        assert raised.value.count == 100
        assert str(raised.value).endswith("… and 80 more")
    assert seeds.rows("SELECT 1 FROM creatures") == []


@every_version
def test_an_update_is_asked_as_well(seeds: Seeds) -> None:
    """With the values that the row has in columns which the file does not name."""
    seeds.do("CREATE TABLE creatures (slug text, low int NOT NULL, high int, CHECK (low <= high))")
    seeds.write(table(), creatures=[{"slug": "a", "low": 1}, {"slug": "b", "low": 1}]).run()
    seeds.do("UPDATE creatures SET high = 3")
    seeds.source("creatures", [{"slug": "a", "low": 4}, {"slug": "b", "low": None}])
    with pytest.raises(RefusedError) as raised:
        seeds.plan()
    assert [(fault.record, fault.field) for fault in raised.value.faults] == [
        ("slug a", "low, high"),
        ("slug b", "low"),
    ]


def test_what_was_there_before_a_foreign_key_may_stay(seeds: Seeds) -> None:
    """Of an update, PostgreSQL looks at a foreign key whose columns change, and at no other."""
    seeds.do(
        "CREATE TABLE kinds (id int PRIMARY KEY); INSERT INTO kinds VALUES (1);"
        "CREATE TABLE creatures (slug text, hp int, kind int)"
    )
    records = [{"slug": "a", "hp": 1, "kind": 9}, {"slug": "b", "hp": 1, "kind": 9}]
    seeds.write(table(), creatures=records).run()
    seeds.do("ALTER TABLE creatures ADD FOREIGN KEY (kind) REFERENCES kinds NOT VALID")
    seeds.source(
        "creatures", [{"slug": "a", "hp": 2, "kind": 9}, {"slug": "b", "hp": 1, "kind": 1}]
    )
    assert counts(seeds.run()) == {"updated": 2}


def test_a_trigger_may_give_what_is_missing(seeds: Seeds) -> None:
    """A row is looked at by the table after its triggers, so no verdict is spoken before them."""
    seeds.do(
        "CREATE TABLE creatures (slug text, code text NOT NULL);"
        "CREATE FUNCTION code() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.code = upper(NEW.slug); RETURN NEW; END $$;"
        "CREATE TRIGGER code BEFORE INSERT ON creatures FOR EACH ROW EXECUTE FUNCTION code()"
    )
    seeds.write(table(), creatures=[{"slug": "a"}])
    assert counts(seeds.plan()) == {"created": 1}
    assert counts(seeds.run()) == {"created": 1}


def test_a_computed_column_is_not_asked_before_it_is_computed(seeds: Seeds) -> None:
    """Its value in the row that is there says nothing of the new one."""
    seeds.do(
        "CREATE TABLE creatures (slug text, n int, twice int GENERATED ALWAYS AS (n * 2) STORED,"
        " CHECK (twice > 0 OR n = 0))"
    )
    seeds.write(table(), creatures=[{"slug": "a", "n": 0}]).run()
    seeds.source("creatures", [{"slug": "a", "n": 5}])
    assert counts(seeds.run()) == {"updated": 1}


def test_a_plan_knows_that_parents_are_to_come(seeds: Seeds) -> None:
    """Rows that an earlier dataset of the same plan creates are there in the run."""
    seeds.do(
        "CREATE TABLE kinds (id int PRIMARY KEY, slug text);"
        "CREATE TABLE creatures (slug text, kind_id int NOT NULL REFERENCES kinds, other int REFERENCES kinds)"
    )
    ref = 'refs.kind_id = { from = "kind", table = "kinds", match = "slug", take = "id" }\n'
    seeds.write(
        table("kinds") + "\n" + table() + "\n" + ref,
        kinds=[{"id": 1, "slug": "beast"}],
        creatures=[{"slug": "a", "kind": "beast", "other": 1}],
    )
    assert [plan.counts.created for plan in seeds.run_all(plan=True)] == [1, 1]
    assert [plan.counts.created for plan in seeds.run_all()] == [1, 1]
