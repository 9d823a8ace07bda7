"""What is ours stays ours, whatever a release does to the manifest and the files."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder.errors import RecordError
from tests.support.endpoint_seeds import Through
from tests.support.seed_folder import Seeds, counts, table
from tests.support.small_api import Api

ALL: dict[str, Any] = {"prune": True, "max_prune": 1.0}


def things(*names: str, **more: Any) -> str:
    """Return a manifest of datasets that all fill the table `things`."""
    entries = (table(name, **more) for name in names)
    return "\n".join(
        entry.replace(f'table = "{name}"', 'table = "things"')
        for name, entry in zip(names, entries, strict=True)
    )


@pytest.fixture(name="table_of_things")
def _table_of_things(seeds: Seeds) -> Seeds:
    """Create a table with an id, a key, and two values with a default."""
    seeds.do(
        "CREATE TABLE things (id serial, slug text, v int, w int NOT NULL DEFAULT 0, made timestamptz DEFAULT now())"
    )
    return seeds


def rows(seeds: Seeds, columns: str = "slug, v") -> list[tuple[Any, ...]]:
    """Return the rows of the table."""
    return seeds.rows(f"SELECT {columns} FROM things ORDER BY slug")


def test_a_field_that_leaves_the_file_and_comes_back(table_of_things: Seeds) -> None:
    """It is known as it was applied: the file decides, where nobody edited it meanwhile."""
    seeds = table_of_things
    seeds.write(things("a"), a=[{"slug": "x", "v": 1}, {"slug": "y", "v": 1}]).run()
    seeds.source("a", [{"slug": "x"}, {"slug": "y"}])
    assert counts(seeds.run()) == {"unchanged": 2}
    seeds.do("UPDATE things SET v = 9 WHERE slug = 'y'")
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}
    seeds.source("a", [{"slug": "x", "v": 2}, {"slug": "y", "v": 2}])
    assert counts(seeds.run()) == {"updated": 1, "unchanged": 1, "conflicts": 1}
    assert rows(seeds) == [("x", 2), ("y", 9)]


def test_a_trigger_does_not_hide_an_edit_of_a_field_that_has_left(table_of_things: Seeds) -> None:
    """What a row shows after a write is ours only where we wrote it."""
    seeds = table_of_things
    seeds.do(
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.made := now(); RETURN new; END$$;"
        " CREATE TRIGGER touch BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION touch()"
    )
    seeds.write(things("a"), a=[{"slug": "x", "v": 1, "w": 1}]).run()
    seeds.source("a", [{"slug": "x", "w": 1}])
    seeds.run()
    seeds.do("UPDATE things SET v = 9")
    seeds.source("a", [{"slug": "x", "w": 2}])
    assert counts(seeds.run()) == {"updated": 1}
    seeds.source("a", [{"slug": "x", "w": 2, "v": 3}])
    assert counts(seeds.run()) == {"unchanged": 1, "conflicts": 1}


def test_an_endpoints_field_that_leaves_the_file_and_comes_back(through: Through, api: Api) -> None:
    """As in a table."""
    through.run([{"slug": "x", "v": 1}, {"slug": "y", "v": 1}])
    through.run([{"slug": "x"}, {"slug": "y"}])
    api.find("y")["v"] = 9
    done = through.run([{"slug": "x", "v": 2}, {"slug": "y", "v": 2}])
    assert counts(done) == {"updated": 1, "unchanged": 1, "conflicts": 1}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("int DEFAULT 0", 5),
        ("int NOT NULL DEFAULT -1", 5),
        ("numeric(9, 2) DEFAULT 1.50", 5),
        ("text DEFAULT 'it''s ours'", "text"),
        ("varchar(8) DEFAULT 'none'::varchar", "text"),
        ("boolean DEFAULT false", True),
        ("jsonb DEFAULT '{\"a\": 1.0}'", {"b": 2}),
        ("text[] DEFAULT '{}'", ["x"]),
        ("text[] DEFAULT ARRAY[]::text[]", ["x"]),
        ("date DEFAULT '2020-01-01'", "2021-01-01"),
        ("\"Mood\" DEFAULT 'calm'", "wild"),
        ("whole DEFAULT 7", 8),
    ],
)
def test_a_field_whose_column_has_the_value_of_its_default(
    seeds: Seeds, column: str, value: Any
) -> None:
    """Nobody has chosen it: our own INSERT left it, or a migration. A value that somebody has chosen stays."""
    seeds.do("CREATE TYPE \"Mood\" AS ENUM ('calm', 'wild'); CREATE DOMAIN whole AS int")
    seeds.do(f"CREATE TABLE things (slug text, f {column})")
    seeds.write(things("a"), a=[{"slug": "x"}, {"slug": "y"}]).run()
    seeds.source("a", [{"slug": "x", "f": value}, {"slug": "y"}])
    assert counts(seeds.run()) == {"updated": 1, "unchanged": 1}
    seeds.do("UPDATE things SET f = (SELECT f FROM things WHERE slug = 'x') WHERE slug = 'y'")
    seeds.do(f"CREATE TABLE other (f {column}); INSERT INTO other DEFAULT VALUES")
    seeds.do("UPDATE things SET f = (SELECT f FROM other) WHERE slug = 'x'")
    seeds.source("a", [{"slug": "x", "f": value}, {"slug": "y", "f": value}])
    assert counts(seeds.run(verify=True)) == {"unchanged": 2, "drifted": 1}


@pytest.mark.parametrize(
    "other",
    [
        "ALTER TABLE things ADD PRIMARY KEY (id)",
        "ALTER TABLE things ADD UNIQUE (id); CREATE TABLE parts (thing int REFERENCES things (id))",
    ],
)
def test_an_id_that_others_may_refer_to_stays_as_it_is(table_of_things: Seeds, other: str) -> None:
    """It is our own default, and no other value is chosen for it; nothing is called to find out."""
    seeds = table_of_things
    seeds.do(other)
    seeds.write(things("a"), a=[{"slug": "x"}]).run()
    seeds.source("a", [{"slug": "x", "id": 7}])
    assert counts(seeds.run()) == {"unchanged": 1, "drifted": 1}
    assert seeds.rows("SELECT last_value FROM things_id_seq") == [(1,)]


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
def test_a_record_that_moves_takes_its_history_along(
    table_of_things: Seeds, order: tuple[str, str]
) -> None:
    """The value that the file changes is written, and an edit stays one."""
    seeds = table_of_things
    before = [{"slug": "x", "v": 1}, {"slug": "y", "v": 1}, {"slug": "z", "v": 1}]
    seeds.write(things(*order, **ALL), old=before, new=[]).run_all()
    seeds.do("UPDATE things SET v = 9 WHERE slug = 'z'")
    ids = rows(seeds, "slug, id")
    seeds.source("old", before[:1])
    seeds.source("new", [{"slug": "y", "v": 2}, {"slug": "z", "v": 2}])
    planned = {plan.name: counts(plan) for plan in seeds.run_all(plan=True)}
    done = {plan.name: counts(plan) for plan in seeds.run_all()}
    assert planned["new"] == done["new"] == {"updated": 1, "unchanged": 1, "conflicts": 1}
    assert rows(seeds) == [("x", 1), ("y", 2), ("z", 9)]
    assert rows(seeds, "slug, id") == ids


def test_a_dataset_with_another_name_takes_over_the_records(table_of_things: Seeds) -> None:
    """What has left its file meanwhile is pruned, what was edited stays, and what the file changes is written."""
    seeds = table_of_things
    first = [{"slug": slug, "v": 1} for slug in "wxyz"]
    seeds.write(things("before", **ALL), before=first).run()
    seeds.do("UPDATE things SET v = 9 WHERE slug IN ('w', 'x')")
    seeds.write(things("after", **ALL), after=[{"slug": slug, "v": 2} for slug in "xy"])
    planned, done = seeds.plan(), seeds.run()
    assert counts(planned) == counts(done)
    assert (done.counts.updated, done.counts.deleted, done.counts.conflicts) == (1, 1, 2)
    assert rows(seeds) == [("w", 9), ("x", 9), ("y", 2)]
    assert counts(seeds.run(verify=True)) == {"unchanged": 2, "conflicts": 1}
    assert seeds.rows("SELECT name FROM compose_init.dataset") == [("after",)]


@pytest.mark.parametrize("more", [{"key": "v"}, {}])
def test_a_name_that_is_gone_is_taken_over_only_with_its_target_and_key(
    table_of_things: Seeds, more: dict[str, Any]
) -> None:
    """Else it was another dataset, and its rows are adopted."""
    seeds = table_of_things
    seeds.write(things("before"), before=[{"slug": "x", "v": 1}]).run()
    if not more:
        seeds.do("CREATE TABLE others AS TABLE things")
        manifest = table("after").replace('table = "after"', 'table = "others"')
    else:
        manifest = things("after", **more)
    seeds.write(manifest, after=[{"slug": "x" if not more else "q", "v": 1 if more else 2}])
    assert counts(seeds.run()) == {"unchanged": 1, "drifted": 1}


def test_two_datasets_become_one_and_one_becomes_two(table_of_things: Seeds) -> None:
    """Each record keeps its history, wherever it goes."""
    seeds = table_of_things
    seeds.write(things("a", "b"), a=[{"slug": "x", "v": 1}], b=[{"slug": "y", "v": 1}]).run_all()
    seeds.write(things("c"), c=[{"slug": "x", "v": 2}, {"slug": "y", "v": 2}])
    assert counts(seeds.run()) == {"updated": 2}
    seeds.write(things("d", "e"), d=[{"slug": "x", "v": 3}], e=[{"slug": "y", "v": 3}])
    assert [counts(plan) for plan in seeds.run_all()] == [
        {"updated": 1, "released": 1},
        {"updated": 1},
    ]


def test_an_endpoints_dataset_with_another_name(through: Through, api: Api) -> None:
    """As for a table."""
    through.run([{"slug": "x", "v": 1}, {"slug": "y", "v": 1}])
    api.find("y")["v"] = 9
    manifest = (through.seeds.folder / "seeds.toml").read_text()
    (through.seeds.folder / "seeds.toml").write_text(manifest.replace('name = "', 'name = "new-'))
    assert counts(through.run([{"slug": "x", "v": 2}, {"slug": "y", "v": 2}])) == {
        "updated": 1,
        "unchanged": 1,
        "conflicts": 1,
    }


def test_an_endpoints_record_that_moves(through: Through, api: Api) -> None:
    """Nested values included: the dataset that has it now knows what the other one applied."""
    seeds, client = through.seeds, through.client
    entry = (seeds.folder / "seeds.toml").read_text()
    both = entry.replace('"things"', '"new"').replace("things.json", "new.json")
    first = [{"slug": "x", "v": 1, "n": {"a": 1, "b": 1}}, {"slug": "y", "v": 1}]
    seeds.write(both + entry, things=first, new=[]).run_all(api=lambda: client)
    api.find("x")["n"]["b"] = 9
    seeds.source("things", [])
    seeds.source("new", [{"slug": "x", "v": 2, "n": {"a": 2, "b": 1}}, {"slug": "y", "v": 2}])
    done, _ = seeds.run_all(api=lambda: client)
    assert (done.counts.updated, done.counts.created) == (2, 0)
    assert api.find("x")["v"] == 2
    assert api.find("x")["n"] == {"a": 2, "b": 9}
    assert len(api.rows) == 2


@pytest.mark.parametrize("plan", [True, False])
@pytest.mark.parametrize("keys", [("slug", "slug"), ("slug", "id"), ("id", "slug")])
@pytest.mark.parametrize("new_is_known", [True, False])
def test_a_record_that_has_left_is_in_another_file(
    table_of_things: Seeds, keys: tuple[str, str], *, plan: bool, new_is_known: bool
) -> None:
    """Only the dataset that it left is run: its row stays, whether the other one has ever been seeded."""
    seeds = table_of_things
    old, new = keys
    records = [{"id": 1, "slug": "x", "v": 1}, {"id": 2, "slug": "y", "v": 1}]
    seeds.write(things("old", key=old, **ALL) + "\n" + things("new", key=new, **ALL))
    seeds.source("old", records)
    seeds.source("new", [{"id": 3, "slug": "z", "v": 1}] if new_is_known else [])
    seeds.run_all(only=() if new_is_known else ("old",))
    seeds.source("old", records[:1])
    seeds.source("new", [{"id": 2.0, "slug": "y", "v": 2}])
    done = seeds.run_all(plan=True)[0] if plan else seeds.run(only=("old",))
    assert (done.counts.deleted, done.counts.released) == (0, 1)
    assert ("y", 1) in rows(seeds)
    done = seeds.run()
    assert done.counts.created == 0
    assert done.counts.updated == (1 if old == new else 0)
    assert (("y", 2) in rows(seeds)) == (old == new)


def test_a_file_that_cannot_be_read_deletes_nothing(table_of_things: Seeds) -> None:
    """Nobody can tell whether it has the records that have left."""
    seeds = table_of_things
    seeds.write(things("old", "new", **ALL), old=[{"slug": "x"}, {"slug": "y"}], new=[]).run_all()
    seeds.source("old", [{"slug": "x"}])
    for broken in ("[", [{"v": 1}]):
        seeds.source("new", broken)
        with pytest.raises(RecordError, match="new"):
            seeds.run(only=("old",))
    assert len(rows(seeds)) == 2


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("timestamptz DEFAULT now()", "2020-01-01T00:00:00Z"),
        ("float8 DEFAULT random()", 0.5),
        ("uuid DEFAULT gen_random_uuid()", "00000000-0000-0000-0000-000000000001"),
        ("bigint GENERATED BY DEFAULT AS IDENTITY", 77),
        ("int DEFAULT 1 + 1", 5),
        ("jsonb DEFAULT '{}'", {"a": 1}),
    ],
)
def test_a_default_in_the_column_of_another_dataset(seeds: Seeds, column: str, value: Any) -> None:
    """Our own INSERT gave it, whatever makes it; what somebody has written since stays."""
    seeds.do(f"CREATE TABLE things (slug text, v int, f {column})")
    seeds.write(things("one", "two"))
    seeds.source("one", [{"slug": slug, "v": 1} for slug in "xyz"])
    seeds.source("two", [{"slug": "x", "f": value}])
    assert [counts(plan) for plan in seeds.run_all()] == [{"created": 3}, {"updated": 1}]
    seeds.do("UPDATE things SET f = (SELECT f FROM things WHERE slug = 'x') WHERE slug = 'z'")
    others: dict[Any, Any] = {5: 6, 0.5: 0.25, 77: 78}
    other = others.get(str(value) if isinstance(value, dict) else value, value)
    if other == value:
        return
    seeds.source("two", [{"slug": slug, "f": other} for slug in "xyz"])
    assert counts(seeds.run()) == {"updated": 2, "unchanged": 1, "drifted": 1}
    assert [counts(plan) for plan in seeds.run_all(verify=True)] == [
        {"unchanged": 3},
        {"unchanged": 3, "drifted": 1},
    ]
