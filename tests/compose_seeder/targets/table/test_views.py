"""A view that PostgreSQL can write to is a target, such as a view of the rows that are not deleted."""

from __future__ import annotations

import pytest

from compose_seeder.errors import ManifestError, RecordError, RefusedError
from tests.support.seed_folder import Rows, Seeds, counts, outcomes, table

SOFT_DELETES = """
CREATE TABLE people (id serial PRIMARY KEY, email text NOT NULL, name text, deleted_at timestamptz);
CREATE UNIQUE INDEX ON people (email) WHERE deleted_at IS NULL;
INSERT INTO people (email, name, deleted_at) VALUES ('a@x', 'old', now()), ('a@x', 'older', now()), ('c@x', 'C', now());
CREATE VIEW live AS SELECT id, email, name, upper(name) AS shown FROM people WHERE deleted_at IS NULL
"""
LIVE = "SELECT email, name FROM live ORDER BY 1"
TWO: Rows = [{"email": "a@x", "name": "A"}, {"email": "b@x", "name": "B"}]


@pytest.fixture(name="people")
def _people(seeds: Seeds) -> Seeds:
    """Return seeds of a view, whose table has deleted rows with the same keys; seeded."""
    seeds.do(SOFT_DELETES)
    assert counts(seeds.write(table("live", "email"), live=TWO).run()) == {"created": 2}
    return seeds


def test_a_view_of_live_rows_is_seeded(people: Seeds) -> None:
    """Created, verified, updated and edited by hand; the deleted rows stay as they are."""
    assert counts(people.run(verify=True)) == {"unchanged": 2}
    people.do("UPDATE people SET name = 'by hand' WHERE email = 'b@x'")
    people.source("live", [{"email": "a@x", "name": "A2"}, TWO[1], {"email": "c@x", "name": "C2"}])
    planned, done = people.plan(), people.run()
    assert outcomes(planned) == outcomes(done) == {
        "a@x": {"name": "update"},
        "b@x": {"name": "drift"},
        "c@x": {},
    }  # fmt: skip
    assert people.rows(LIVE) == [("a@x", "A2"), ("b@x", "by hand"), ("c@x", "C2")]
    assert people.rows("SELECT name FROM people WHERE deleted_at IS NOT NULL ORDER BY 1") == [
        ("C",),
        ("old",),
        ("older",),
    ]


def test_what_the_application_deletes_softly_was_deleted_by_hand(people: Seeds) -> None:
    """It stays deleted, and is created again with `overwrite`."""
    people.do("UPDATE people SET deleted_at = now() WHERE email = 'a@x'")
    assert counts(people.run(verify=True)) == {"unchanged": 2, "drifted": 1}
    assert people.rows(LIVE) == [("b@x", "B")]
    people.write(table("live", "email", on_drift="overwrite"))
    people.run(verify=True)
    assert people.rows(LIVE) == [("a@x", "A"), ("b@x", "B")]


def test_a_view_that_is_created_again_is_the_same_target(people: Seeds) -> None:
    """With a column more: what was applied is still known, so that the file's change is written."""
    people.do("DROP VIEW live; CREATE VIEW live AS SELECT * FROM people WHERE deleted_at IS NULL")
    people.do("DELETE FROM live WHERE email = 'b@x'")
    people.source("live", [{"email": "a@x", "name": "A2"}, TWO[1]])
    assert counts(people.run()) == {"updated": 1, "unchanged": 1, "drifted": 1}
    assert people.rows(LIVE) == [("a@x", "A2")]


def test_ids_of_the_file_move_the_tables_sequence(people: Seeds) -> None:
    """So that the application's next row gets a free id."""
    people.source("live", [*TWO, {"id": 90, "email": "c@x", "name": "C"}])
    people.run()
    people.do("INSERT INTO people (email) VALUES ('d@x')")
    assert people.rows("SELECT id FROM live WHERE email = 'd@x'") == [(91,)]


def test_a_computed_column_is_named(people: Seeds) -> None:
    """As that of a table is."""
    people.source("live", [{"email": "a@x", "shown": "A"}])
    with pytest.raises(RecordError, match="computes this column itself"):
        people.run()


def test_a_row_that_the_view_does_not_show_is_refused(seeds: Seeds) -> None:
    """With a CHECK OPTION or without one: the record would be created with every run."""
    seeds.do("CREATE TABLE things (slug text, hidden bool)")
    for option in ("", "WITH CHECK OPTION"):
        seeds.do(f"CREATE OR REPLACE VIEW shown AS SELECT * FROM things WHERE NOT hidden {option}")
        seeds.write(table("shown"), shown=[{"slug": "a", "hidden": True}])
        with pytest.raises(RefusedError, match="slug a"):
            seeds.run()
        assert seeds.rows("SELECT * FROM things") == []


def test_triggers_may_write_for_a_view(seeds: Seeds) -> None:
    """INSTEAD OF triggers for INSERT and UPDATE are enough."""
    seeds.do(
        "CREATE TABLE names (id serial PRIMARY KEY, slug text); CREATE TABLE prices (id int PRIMARY KEY, price int);"
        " CREATE VIEW goods AS SELECT slug, price FROM names JOIN prices USING (id);"
        " CREATE FUNCTION write_goods() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN"
        "  IF TG_OP = 'INSERT' THEN INSERT INTO names (slug) VALUES (NEW.slug) RETURNING id INTO n;"
        "   INSERT INTO prices VALUES (n, NEW.price);"
        "  ELSE UPDATE prices p SET price = NEW.price FROM names m WHERE m.id = p.id AND m.slug = OLD.slug; END IF;"
        "  RETURN NEW; END $$;"
        " CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE ON goods FOR EACH ROW EXECUTE FUNCTION write_goods()"
    )
    seeds.write(table("goods"), goods=[{"slug": "a", "price": 1}, {"slug": "b", "price": 2}]).run()
    seeds.source("goods", [{"slug": "a", "price": 3}, {"slug": "b", "price": 2}])
    assert counts(seeds.run()) == {"updated": 1, "unchanged": 1}
    assert seeds.rows("SELECT * FROM goods ORDER BY 1") == [("a", 3), ("b", 2)]
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}


@pytest.mark.parametrize(
    ("query", "options", "said"),
    [
        ("SELECT email, count(*) AS name FROM people GROUP BY 1", {}, "cannot write to"),
        ("SELECT email, name FROM people", {"prune": True}, "prune cannot tell"),
    ],
)
def test_what_cannot_be_done_through_a_view_is_said(
    seeds: Seeds, query: str, options: dict[str, bool], said: str
) -> None:
    """With the ways out, in a plan too."""
    seeds.do("CREATE TABLE people (email text, name text)")
    seeds.do(f"CREATE VIEW live AS {query}")
    seeds.write(table("live", "email", **options), live=TWO)
    for act in (seeds.plan, seeds.run):
        with pytest.raises(ManifestError, match=said):
            act()
