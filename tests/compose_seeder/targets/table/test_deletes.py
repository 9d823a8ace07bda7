"""`prune` deletes a row of a table only if everything that goes with it is ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose_seeder.reconcile.plan import Plan
from examples.postgres import Server
from tests.support.ledgers import forget_seeds
from tests.support.seed_folder import Seeds, counts, table

PRUNE: dict[str, Any] = {"prune": True, "max_prune": 1.0}
ORDERS = (
    "CREATE TABLE orders (n serial, slug text DEFAULT 'a' REFERENCES items (slug) ON DELETE {});"
)
BOTH = [{"slug": "a"}, {"slug": "b"}]

REFERRING = {
    "CASCADE": ORDERS.format("CASCADE"),
    "SET NULL": ORDERS.format("SET NULL"),
    "SET DEFAULT": ORDERS.format("SET DEFAULT"),
    "RESTRICT": ORDERS.format("RESTRICT"),
    "NO ACTION": ORDERS.format("NO ACTION"),
    "NO ACTION, deferred": ORDERS.format("NO ACTION DEFERRABLE INITIALLY DEFERRED"),
    "not valid": "CREATE TABLE orders (n serial, slug text);"
    " ALTER TABLE orders ADD FOREIGN KEY (slug) REFERENCES items (slug) ON DELETE CASCADE NOT VALID;",
    "of a partitioned table": "CREATE TABLE orders (n serial, slug text REFERENCES items (slug) ON DELETE CASCADE)"
    " PARTITION BY LIST (slug); CREATE TABLE orders_b PARTITION OF orders FOR VALUES IN ('b');",
    "of a table that inherits": "CREATE TABLE base (n serial, slug text);"
    " CREATE TABLE orders (FOREIGN KEY (slug) REFERENCES items (slug) ON DELETE CASCADE) INHERITS (base);",
    "in another schema": "CREATE SCHEMA shop;"
    " CREATE TABLE shop.orders (n serial, slug text REFERENCES items (slug) ON DELETE CASCADE);"
    " SET search_path = public, shop;",
}


def left(plan: Plan) -> dict[str, str]:
    """Return what left the file and stays: action and reason, by the values of the key."""
    return {
        " ".join(str(value) for value in change.key.values()): f"{change.action}: {change.why}"
        for change in plan.not_deleted
    }


def shown(plan: Plan) -> set[tuple[str, str, str]]:
    """Return action, key and reason of all records of a plan."""
    return {(change.action, str(change.key), change.why) for change in plan.records}


@pytest.fixture(name="items")
def _items(seeds: Seeds) -> Seeds:
    """Two items, seeded with prune."""
    seeds.do("CREATE TABLE items (slug text PRIMARY KEY, note text)")
    seeds.write(table("items", **PRUNE), items=BOTH).run()
    return seeds


@pytest.mark.parametrize("form", REFERRING)
def test_a_row_that_rows_of_others_refer_to_is_in_use(items: Seeds, form: str) -> None:
    """Whatever the foreign key would do; plan and run say so in the same words; still owned, and deleted once free."""
    items.do(REFERRING[form])
    items.do("INSERT INTO orders (slug) VALUES ('b'), ('b')")
    items.source("items", BOTH[:1])
    planned = items.plan()
    done = items.run()
    assert (planned.counts.deleted, planned.counts.conflicts) == (0, 1)
    assert shown(planned) == shown(done)
    [why] = left(done).values()
    assert why.startswith("in_use: 2 rows of orders refer to it (by slug")
    assert items.rows("SELECT slug FROM orders") == [("b",), ("b",)]
    assert items.run(verify=True).counts.conflicts == 1
    items.do("DELETE FROM orders")
    assert items.run(verify=True).counts.deleted == 1
    assert items.rows("SELECT slug FROM items") == [("a",)]


FILLED = {
    "note text": "'weeks of work'",
    "note text DEFAULT 'none yet'": "'weeks of work'",
    "note text DEFAULT 'none yet' NOT NULL": "''",
    "note text DEFAULT 'a nulled one'": "NULL",
    "note jsonb DEFAULT '{}'": """'{"a": 1}'""",
    "note json DEFAULT '{}'": """'{"a": 1}'""",
    "note text[] DEFAULT '{}'": "'{x}'",
    "note numeric(8, 2) DEFAULT 0": "1",
    "note boolean DEFAULT false": "true",
    "note date DEFAULT '2020-01-01'": "'2021-01-01'",
    "note point": "'(1,2)'",
    'note text, "%s {0}" text': "'x'",
    "note positive": "2",
}


@pytest.mark.parametrize("column", FILLED)
def test_a_row_with_a_column_that_somebody_filled_is_kept(seeds: Seeds, column: str) -> None:
    """A column that no record names, and that does not hold its default."""
    seeds.do("CREATE DOMAIN positive AS int DEFAULT 1 CHECK (value > 0)")
    seeds.do(f"CREATE TABLE items (id serial, slug text, at timestamptz DEFAULT now(), {column})")
    seeds.write(table("items", **PRUNE), items=[*BOTH, {"slug": "c"}]).run()
    seeds.do(f"UPDATE items SET note = {FILLED[column]} WHERE slug = 'b'")
    seeds.source("items", BOTH[:1])
    planned = seeds.plan()
    done = seeds.run()
    assert shown(planned) == shown(done)
    assert left(done) == {"b": "kept: edited by hand: note"}
    assert counts(done) == {"unchanged": 1, "released": 1, "conflicts": 1}
    assert seeds.rows("SELECT slug FROM items ORDER BY 1") == [("a",), ("b",)]


def test_a_column_that_other_records_name_counts_as_well(seeds: Seeds) -> None:
    """What one record says is no reason to lose what somebody wrote into another record."""
    seeds.do("CREATE TABLE items (slug text, note text)")
    both: list[dict[str, Any]] = [{"slug": "a", "note": "A"}, {"slug": "b"}]
    seeds.write(table("items", **PRUNE), items=both).run()
    seeds.do("UPDATE items SET note = 'mine' WHERE slug = 'b'")
    seeds.source("items", [])
    assert left(seeds.run()) == {"b": "kept: edited by hand: note"}
    assert seeds.rows("SELECT slug FROM items") == [("b",)]


def test_rows_of_partitions_and_of_tables_that_inherit(seeds: Seeds) -> None:
    """The row is in a partition, or in a table that inherits; a foreign key leads to that table alone."""
    seeds.do(
        "CREATE TABLE items (slug text PRIMARY KEY) PARTITION BY LIST (slug);"
        " CREATE TABLE items_a PARTITION OF items FOR VALUES IN ('a');"
        " CREATE TABLE items_rest PARTITION OF items DEFAULT;"
        " CREATE TABLE notes (a text REFERENCES items_a ON DELETE CASCADE, b text REFERENCES items ON DELETE CASCADE)"
    )
    seeds.write(table("items", **PRUNE), items=[*BOTH, {"slug": "c"}]).run()
    seeds.do("INSERT INTO notes VALUES ('a', NULL), (NULL, 'b')")
    seeds.source("items", [])
    assert left(seeds.run()) == {
        "a": "in_use: 1 row of notes refers to it (by a, ON DELETE CASCADE)",
        "b": "in_use: 1 row of notes refers to it (by b, ON DELETE CASCADE)",
    }
    assert seeds.rows("SELECT count(*) FROM notes") == [(2,)]


def test_a_key_of_several_columns_and_a_list_of_columns(seeds: Seeds) -> None:
    """PostgreSQL 15 sets some columns of a foreign key to null."""
    seeds.do(
        "CREATE TABLE items (shop int, slug text, PRIMARY KEY (slug, shop));"
        " CREATE TABLE orders (tenant int, item text,"
        " FOREIGN KEY (item, tenant) REFERENCES items (slug, shop) ON DELETE SET NULL (item))"
    )
    three = [{"shop": 1, "slug": "x"}, {"shop": 2, "slug": "x"}, {"shop": 1, "slug": "y"}]
    seeds.write(table("items", key="shop slug", **PRUNE), items=three).run()
    seeds.do("INSERT INTO orders VALUES (2, 'x')")
    seeds.source("items", [])
    assert left(seeds.run()) == {
        "2 x": "in_use: 1 row of orders refers to it (by item, tenant, ON DELETE SET NULL)"
    }
    assert seeds.rows("SELECT * FROM orders") == [(2, "x")]


def test_rows_that_the_role_may_not_see(items: Seeds) -> None:
    """Nobody can tell, so the row stays."""
    items.do(ORDERS.format("CASCADE"))
    items.do("DROP ROLE IF EXISTS seeder; CREATE ROLE seeder")
    items.do("GRANT ALL ON items TO seeder; GRANT ALL ON SCHEMA compose_init TO seeder")
    items.do("GRANT ALL ON ALL TABLES IN SCHEMA compose_init TO seeder")
    items.source("items", BOTH[:1])
    items.do("SET ROLE seeder")
    done = items.run()
    items.do("RESET ROLE; DROP OWNED BY seeder; DROP ROLE seeder")
    assert left(done) == {
        "b": "in_use: rows of orders, which the role may not see, may refer to it (by slug, ON DELETE CASCADE)"
    }


def test_a_row_that_moves_away_in_the_same_run_holds_nothing(seeds: Seeds) -> None:
    """Of its own dataset or of a later one: the parent is deleted, and the child is not."""
    seeds.do(
        "CREATE TABLE items (slug text PRIMARY KEY, parent text REFERENCES items ON DELETE CASCADE);"
        " CREATE TABLE parts (slug text PRIMARY KEY, item text REFERENCES items ON DELETE CASCADE)"
    )
    manifest = table("items", **PRUNE) + "\n" + table("parts")
    tree = [
        {"slug": "a", "parent": None},
        {"slug": "b", "parent": None},
        {"slug": "c", "parent": "b"},
    ]
    seeds.write(manifest, items=tree, parts=[{"slug": "p", "item": "b"}]).run_all()
    seeds.source("items", [tree[0], {"slug": "c", "parent": "a"}])
    seeds.source("parts", [{"slug": "p", "item": "a"}])
    planned = seeds.run_all(plan=True)
    done = seeds.run_all()
    assert [shown(plan) for plan in planned] == [shown(plan) for plan in done]
    assert [counts(plan) for plan in done] == [{"updated": 1, "unchanged": 1}, {"updated": 1}]
    assert done[0].counts.deleted == 1
    assert seeds.rows("SELECT * FROM items ORDER BY 1") == [("a", None), ("c", "a")]
    assert seeds.rows("SELECT * FROM parts") == [("p", "a")]


def test_rows_in_use_do_not_count_for_max_prune(items: Seeds) -> None:
    """They are not deleted, in no run."""
    items.do(ORDERS.format("CASCADE"))
    items.do("INSERT INTO orders (slug) VALUES ('b')")
    items.write(table("items", prune=True, max_prune=0.1), items=BOTH[:1])
    assert left(items.run()).keys() == {"b"}


ON_DELETE = st.sampled_from(["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"])
SIZE = 5
REFERENCES = {
    "t": ["t"],
    "u": ["t", "u"],
    "a": ["t", "u"],
    "b": ["a", "t"],
}
"""Tables, and those that they refer to: t and u are seeded, a and b are the application's."""


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Return foreign keys' actions, rows by table (id -> what it refers to), and ids that leave the files."""
    ids = st.one_of(st.none(), st.integers(0, SIZE - 1))
    rows: dict[str, list[dict[str, int | None]]] = {}
    for name, others in REFERENCES.items():
        known = {other: len(rows[other]) for other in others if other in rows}
        number = draw(st.integers(0, SIZE))
        rows[name] = []
        for n in range(number):
            values = {other: draw(ids) for other in others}
            rows[name].append(
                {
                    # References within a table lead back, so that no order of INSERT matters.
                    other: value if value is not None and value < known.get(other, n) else None
                    for other, value in values.items()
                }
            )
    return {
        "actions": {(n, o): draw(ON_DELETE) for n, others in REFERENCES.items() for o in others},
        "rows": rows,
        "gone": {n: draw(st.sets(st.integers(0, SIZE - 1))) for n in "tu"},
        "order": draw(st.permutations("tu")),
    }


def deletable(graph: dict[str, Any]) -> dict[str, set[int]]:
    """Return what may go: the model. A row stays where a row that stays refers to it."""
    rows = graph["rows"]
    gone = {n: {i for i in graph["gone"][n] if i < len(rows[n])} for n in "tu"}
    while True:
        held = {
            (other, value)
            for name, found in rows.items()
            for i, row in enumerate(found)
            if i not in gone.get(name, set())
            for other, value in row.items()
        }
        smaller = {n: {i for i in gone[n] if (n, i) not in held} for n in "tu"}
        if smaller == gone:
            return gone
        gone = smaller


@pytest.fixture(scope="module", name="graph_seeds")
def _graph_seeds(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeds]:
    """One database for all graphs."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS graphs")
        admin.execute("CREATE DATABASE graphs")
    folder: Path = tmp_path_factory.mktemp("graphs")
    with psycopg.connect(server.url("graphs"), autocommit=True) as connection:
        yield Seeds(folder, connection)


def contents(seeds: Seeds) -> dict[str, dict[int, tuple[Any, ...]]]:
    """Return the rows of all tables by their ids."""
    return {
        name: {row[0]: row[1:] for row in seeds.rows(f"SELECT * FROM {name}")}
        for name in REFERENCES
    }


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(graph=graphs())
def test_what_goes_is_what_the_model_says(graph_seeds: Seeds, graph: dict[str, Any]) -> None:
    """Of any graph of rows and foreign keys: no other row is gone or changed, and the plan says the same."""
    seeds = graph_seeds
    forget_seeds(seeds.connection)
    seeds.do("DROP TABLE IF EXISTS t, u, a, b")
    for name, others in REFERENCES.items():
        columns = [
            f"ref_{other} int REFERENCES {other} ON DELETE {graph['actions'][name, other]}"
            for other in others
        ]
        seeds.do(f"CREATE TABLE {name} (id int PRIMARY KEY, {', '.join(columns)})")
    files = {
        name: [
            {"id": i, **{f"ref_{other}": value for other, value in row.items()}}
            for i, row in enumerate(graph["rows"][name])
        ]
        for name in REFERENCES
    }
    entries = {name: table(name, key="id", **PRUNE) for name in "tu"}
    seeds.write(entries["t"] + "\n" + entries["u"], t=files["t"], u=files["u"]).run_all()
    for name in "ab":
        for row in files[name]:
            seeds.do(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(row))})", *row.values())
    before = contents(seeds)
    for name in "tu":
        seeds.source(name, [row for row in files[name] if row["id"] not in graph["gone"][name]])
    seeds.write("\n".join(entries[name] for name in graph["order"]))
    planned = seeds.run_all(plan=True)
    done = seeds.run_all()
    gone = deletable(graph)
    assert contents(seeds) == {
        name: {i: row for i, row in found.items() if i not in gone.get(name, set())}
        for name, found in before.items()
    }
    assert [shown(plan) for plan in planned] == [shown(plan) for plan in done]
    assert [plan.counts for plan in planned] == [plan.counts for plan in done]
    assert {plan.name: plan.counts.deleted for plan in done} == {n: len(gone[n]) for n in "tu"}
    again = seeds.run_all(verify=True)
    assert [plan.counts.written for plan in again] == [0, 0]


def test_what_triggers_fill_is_nobodys_edit(seeds: Seeds) -> None:
    """Neither by our INSERT nor by our UPDATE; what somebody fills is an edit, before an update and after it."""
    seeds.do(
        "CREATE TABLE items (slug text, v int, note text, search text, changed timestamptz);"
        " CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.search = NEW.slug || NEW.v; NEW.changed = clock_timestamp(); RETURN NEW; END $$;"
        " CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION fill()"
    )
    records = [{"slug": slug, "v": 1} for slug in "abcd"]
    seeds.write(table("items", **PRUNE), items=records).run()
    seeds.do("SET session_replication_role = replica")
    seeds.do("UPDATE items SET note = 'mine' WHERE slug = 'b'")
    seeds.do("SET session_replication_role = DEFAULT")
    seeds.source("items", [{**record, "v": 2} for record in records])
    assert seeds.run().counts.updated == 4
    assert seeds.run(verify=True).counts.written == 0
    seeds.do("UPDATE items SET search = 'mine' WHERE slug = 'c'")
    seeds.source("items", [])
    planned, done = seeds.plan(), seeds.run()
    assert shown(planned) == shown(done)
    assert left(done) == {"b": "kept: edited by hand: note", "c": "kept: edited by hand: changed"}
    assert seeds.rows("SELECT slug FROM items ORDER BY 1") == [("b",), ("c",)]
