"""Which records of a table somebody edited, told by groups of them; and the hashes that tell it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from compose_seeder.around_migration import carry_over, look
from compose_seeder.manifest.models import Dataset
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.targets.table import modified_rows
from compose_seeder.targets.table.columns import columns
from compose_seeder.targets.table.expressions import Expressions
from compose_seeder.targets.table.modified_rows import (
    EVERYTHING,
    Part,
    find_modified_part,
    find_modified_rows,
)
from tests.support.seed_folder import Seeds, counts, table

ROWS: list[dict[str, Any]] = [
    {"slug": f"c{n}", "a": n % 2 == 0, "b": n % 3 == 0, "n": n, "data": {"n": [n]}}
    for n in range(60)
]
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("swap fields"), st.integers(0, 59)),
        st.tuples(st.just("flip both"), st.integers(0, 59)),
        st.tuples(st.just("swap rows"), st.integers(0, 59), st.integers(0, 59)),
        st.tuples(st.just("write"), st.integers(0, 59), st.none() | st.integers(0, 99)),
        st.tuples(st.just("delete"), st.integers(0, 59)),
        st.tuples(st.just("double"), st.integers(0, 59)),
        st.tuples(st.just("own"), st.integers(100, 999)),
        st.tuples(st.just("nothing"), st.integers(0, 59)),
    ),
    max_size=8,
)
STATEMENTS = {
    "swap fields": "UPDATE creatures SET a = b, b = a WHERE slug = %s",
    "flip both": "UPDATE creatures SET a = NOT a, b = NOT b WHERE slug = %s",
    "swap rows": "UPDATE creatures t SET n = o.n, data = o.data FROM creatures o"
    " WHERE (t.slug, o.slug) IN ((%(one)s, %(other)s), (%(other)s, %(one)s))",
    "write": "UPDATE creatures SET n = %(value)s WHERE slug = %(one)s",
    "delete": "DELETE FROM creatures WHERE slug = %s",
    "double": "INSERT INTO creatures SELECT * FROM creatures WHERE slug = %s LIMIT 1",
    "own": "INSERT INTO creatures VALUES (%s, true, true, 1, '{}')",
    "nothing": "UPDATE creatures SET n = n WHERE slug = %s",
}


@dataclass
class Creatures:
    """A table that was seeded."""

    seeds: Seeds
    expressions: Expressions = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        connection = self.seeds.connection
        with Ledger.open(connection, create=False) as self.ledger:
            pass
        dataset = Dataset(name="creatures", source="x.json", table="creatures", key=("slug",))
        self.expressions = Expressions(dataset, columns(connection, "creatures"), self.ledger.salt)

    def edited(self) -> set[str]:
        """Return the keys of records that are reported as edited."""
        applied = self.ledger.applied("creatures")
        assert applied
        found = find_modified_rows(self.seeds.connection, self.expressions, applied)
        return {slug for slug, id_ in self.ids().items() if id_ in found}

    def ids(self) -> dict[str, int]:
        """Those of all records, in the table or not."""
        slugs = sql.SQL("(SELECT unnest(%s::text[]) AS slug) t")
        query = sql.SQL("SELECT slug, {} FROM {}").format(self.expressions.id("t"), slugs)
        return dict(
            self.seeds.connection.execute(query, [[row["slug"] for row in ROWS]]).fetchall()
        )

    def really(self) -> set[str]:
        """Return the keys of records whose rows differ, are missing, or are duplicated."""
        found: dict[str, list[dict[str, Any]]] = {}
        for slug, *values in self.seeds.rows("SELECT slug, a, b, n, data FROM creatures"):
            row = {"slug": slug, **dict(zip(("a", "b", "n", "data"), values, strict=True))}
            found.setdefault(slug, []).append(row)
        return {row["slug"] for row in ROWS if found.get(row["slug"]) != [row]}


@pytest.fixture
def creatures(seeds: Seeds) -> Creatures:
    """Seeded the direct way."""
    seeds.do("CREATE TABLE creatures (slug text, a bool, b bool, n int, data jsonb)")
    assert counts(seeds.write(table(), creatures=ROWS).run()) == {"created": 60}
    return Creatures(seeds)


@pytest.mark.parametrize("large", [True, False])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=EDITS, groups=st.sampled_from([1, 8, 4096]), few=st.sampled_from([0, 2, 4096]))
def test_what_was_edited_is_told(
    creatures: Creatures, large: bool, edits: list[Any], groups: int, few: int
) -> None:
    """Values of two fields, or of two rows, that changed places as well."""
    with (
        pytest.MonkeyPatch.context() as patch,
        creatures.seeds.connection.transaction(force_rollback=True),
    ):
        patch.setattr(modified_rows, "SMALL", 0 if large else 1000)
        patch.setattr(modified_rows, "GROUPS", groups)
        patch.setattr(modified_rows, "FEW", few)
        for what, number, *other in edits:
            slug = f"c{number}"
            values: Any = [slug]
            if other:
                values = {"one": slug, "other": f"c{other[0]}", "value": other[0]}
            creatures.seeds.connection.execute(STATEMENTS[what], values)
        assert creatures.edited() == creatures.really()


def test_groups_are_asked_only_where_they_can_tell(
    creatures: Creatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where records name different fields, or the table is mostly somebody else's."""
    monkeypatch.setattr(modified_rows, "SMALL", 0)
    monkeypatch.setattr(modified_rows, "FEW", 10)
    connection, expressions = creatures.seeds.connection, creatures.expressions

    def asked() -> bool:
        applied = creatures.ledger.applied("creatures")
        assert applied
        return bool(modified_rows._fields_of_groups(connection, expressions, applied))

    assert asked()
    creatures.seeds.do(
        "INSERT INTO creatures SELECT 'own' || n FROM generate_series(1, 50) n; ANALYZE creatures"
    )
    assert not asked()
    creatures.seeds.do("DELETE FROM creatures WHERE slug LIKE 'own%'; ANALYZE creatures")
    assert asked()
    fewer = [{name: row[name] for name in row if name != "n"} for row in ROWS[:10]]
    creatures.seeds.source("creatures", [*fewer, *ROWS[10:]])
    creatures.seeds.run()
    creatures.seeds.source("creatures", fewer)
    creatures.seeds.run()
    assert not asked()


def test_groups_leave_out_what_a_migration_filled(
    creatures: Creatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column that no file names, whatever people do to it; a record that names it is compared by itself."""
    parts: list[Part | None] = []

    def noted(*words: Any, **more: Any) -> Part | None:
        parts.append(find_modified_part(*words, **more))
        return parts[-1]

    monkeypatch.setattr(modified_rows, "SMALL", 0)
    monkeypatch.setattr(modified_rows, "find_modified_part", noted)
    connection = creatures.seeds.connection
    look(connection)
    creatures.seeds.do("ALTER TABLE creatures ADD note text DEFAULT 'none'; ANALYZE creatures")
    carry_over(connection)
    creatures = Creatures(creatures.seeds)
    creatures.seeds.run(verify=True)
    creatures.seeds.do("UPDATE creatures SET note = 'mine' WHERE n > 1")
    assert creatures.edited() == set()
    assert parts[-1] is None
    creatures.seeds.do("UPDATE creatures SET n = 77 WHERE slug = 'c5'")
    assert creatures.edited() == {"c5"}
    creatures.seeds.do("UPDATE creatures SET n = 5 WHERE slug = 'c5'")
    named = [*ROWS[:-1], {**ROWS[-1], "note": "ours"}]
    creatures.seeds.source("creatures", named)
    creatures.seeds.do("UPDATE creatures SET note = 'none' WHERE slug = 'c59'")
    assert counts(creatures.seeds.run()) == {"updated": 1, "unchanged": 59}
    # As where no record of the sample is the one that names it.
    monkeypatch.setattr(modified_rows, "_fields_of_groups", lambda *_: ["slug", "n"])
    assert creatures.edited() == set()
    assert parts[-1] != EVERYTHING
    creatures.seeds.do("UPDATE creatures SET note = 'theirs' WHERE slug = 'c59'")
    assert creatures.edited() == {"c59"}


def test_a_migration_sees_edits_of_what_an_earlier_one_filled(
    seeds: Seeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a value is somebody's choice: a file that names the column later does not overwrite it."""
    monkeypatch.setattr(modified_rows, "SMALL", 0)
    rows = [{"slug": f"c{n}", "n": n} for n in range(4)]
    seeds.do("CREATE TABLE creatures (slug text PRIMARY KEY, n int)")
    seeds.write(table(), creatures=rows).run()
    look(seeds.connection)
    seeds.do("ALTER TABLE creatures ADD note text DEFAULT 'none'; ANALYZE creatures")
    carry_over(seeds.connection)
    seeds.run()
    seeds.do("UPDATE creatures SET note = 'mine' WHERE slug = 'c1'")
    look(seeds.connection)
    seeds.do("UPDATE creatures SET note = upper(note)")
    carry_over(seeds.connection)
    seeds.source("creatures", [{**row, "note": "ours"} for row in rows])
    seeds.run()
    found = seeds.rows("SELECT slug, note FROM creatures ORDER BY slug")
    assert found == [("c0", "ours"), ("c1", "MINE"), ("c2", "ours"), ("c3", "ours")]


def test_a_key_of_several_fields_has_64_bits(seeds: Seeds) -> None:
    """PostgreSQL's hash of an array keeps 32 bits of each element: of so many keys, some would be taken for one."""
    seeds.do("CREATE TABLE parts (lot text, n int)")
    seeds.do("INSERT INTO parts SELECT 'a', n FROM generate_series(1, 150000) n")
    seeds.do("INSERT INTO parts SELECT 'b', n FROM generate_series(1, 150000) n")
    dataset = Dataset(name="parts", source="x.json", table="parts", key=("lot", "n"))
    expressions = Expressions(dataset, columns(seeds.connection, "parts"), salt=7)
    query = sql.SQL("SELECT count(DISTINCT {}) FROM parts t").format(expressions.id("t"))
    assert seeds.connection.execute(query).fetchone() == (300_000,)


def test_what_has_not_changed_in_the_ledger_is_not_written(seeds: Seeds) -> None:
    """Of a large file, the digests of the part that has changed, and no ids."""
    rows = [{"slug": f"c{n}", "n": n} for n in range(20_000)]
    seeds.do("CREATE TABLE creatures (slug text PRIMARY KEY, n int)")
    seeds.write(table(), creatures=rows).run()
    before = versions(seeds)
    seeds.source("creatures", [*rows[:15_000], {**rows[15_000], "n": -1}, *rows[15_001:]])
    assert counts(seeds.run()) == {"updated": 1, "unchanged": 19_999}
    assert [one == other for one, other in zip(before, versions(seeds), strict=True)] == [
        True,
        False,
        True,
    ]
    seeds.source("creatures", rows[:9_000])
    assert counts(seeds.run()) == {"unchanged": 9_000, "released": 11_000}
    assert len(versions(seeds)) == 2
    assert counts(seeds.run(verify=True)) == {"unchanged": 9_000}


def versions(seeds: Seeds) -> list[Any]:
    """Of the rows that have the digests of a file."""
    query = "SELECT batch, ctid::text, xmin::text FROM compose_init.source ORDER BY batch"
    return seeds.rows(query)
