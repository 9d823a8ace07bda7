"""What a migration changes is no edit by hand: looked at before and after, the file decides, and edits stay edits."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder.around_migration import carry_over, look
from tests.support.seed_folder import Seeds, counts, table


def migrate(seeds: Seeds, *statements: str) -> list[str]:
    """Run the statements as a migration; return the datasets that it changed."""
    changed: list[str] = []
    look(seeds.connection, lambda _: None)
    for statement in statements:
        seeds.do(statement)
    carry_over(seeds.connection, changed.append)
    return changed


def values(
    seeds: Seeds, query: str = "SELECT slug, v::text FROM creatures ORDER BY 1"
) -> dict[str, Any]:
    """Return what the table holds, by slug."""
    return dict(seeds.rows(query))


TYPES = {
    "int to bigint": ("int", "bigint", "v::bigint", 1, 2, 77, "2", "77"),
    "int to numeric": ("int", "numeric(10,2)", "v::numeric", 19, 19.9, 77, "19.90", "77.00"),
    "numeric to int": ("numeric", "int", "v::int", 19, 20, 77, "20", "77"),
    "int to text": ("int", "text", "v::text", 1, "2", 77, "2", "77"),
    "text to int": ("text", "int", "v::int", "1", 2, "77", "2", "77"),
    "timestamp to timestamptz": (
        *("timestamp", "timestamptz", "v AT TIME ZONE 'UTC'"),
        *("2024-01-01", "2024-01-02", "2024-05-05"),
        *("2024-01-02 00:00:00+00", "2024-05-05 00:00:00+00"),
    ),
    "text to citext": ("text", "varchar(9)", "v::varchar", "a", "b", "hand", "b", "hand"),
    "json to jsonb": (
        "json",
        "jsonb",
        "v::jsonb",
        {"a": 1},
        {"a": 2},
        '{"a": 7}',
        '{"a": 2}',
        '{"a": 7}',
    ),
    "text to an array": ("text", "text[]", "ARRAY[v]", "a", ["b"], "hand", "{b}", "{hand}"),
    "bool to int": ("bool", "int", "v::int", True, 5, False, "5", "0"),
    "text to uuid": (
        *("text", "uuid", "v::uuid"),
        *(f"{'a' * 8}-aaaa-aaaa-aaaa-{'a' * 12}", f"{'b' * 8}-bbbb-bbbb-bbbb-{'b' * 12}"),
        f"{'c' * 8}-cccc-cccc-cccc-{'c' * 12}",
        *(f"{'b' * 8}-bbbb-bbbb-bbbb-{'b' * 12}", f"{'c' * 8}-cccc-cccc-cccc-{'c' * 12}"),
    ),
    "cents to units": (
        "int",
        "numeric",
        "v / 100.0",
        1900,
        19.9,
        7700,
        "19.9",
        "77.0000000000000000",
    ),
}


@pytest.mark.parametrize("name", TYPES)
def test_a_column_of_another_type(seeds: Seeds, name: str) -> None:
    """The file's new value is written, an edit from before stays one, and a second run has nothing to do."""
    old, new, using, first, then, edited, written, kept = TYPES[name]
    seeds.do(f"CREATE TABLE creatures (slug text PRIMARY KEY, v {old})")
    seeds.write(table(), creatures=[{"slug": s, "v": first} for s in "abc"]).run()
    seeds.do("UPDATE creatures SET v = %s WHERE slug = 'b'", edited)
    migrate(seeds, f"ALTER TABLE creatures ALTER v TYPE {new} USING {using}")
    seeds.source("creatures", [{"slug": s, "v": then} for s in "abc"])
    seeds.run()
    assert values(seeds) == {"a": written, "b": kept, "c": written}
    assert seeds.run(verify=True).counts.written == 0


def test_types_change_and_the_file_does_not(seeds: Seeds) -> None:
    """Nothing is written where the value is the file's still; what left the file is pruned, unless it was edited."""
    seeds.do("CREATE TABLE creatures (slug text PRIMARY KEY, v int)")
    seeds.write(
        table(prune=True, max_prune=1.0), creatures=[{"slug": s, "v": 1} for s in "abcd"]
    ).run()
    seeds.do("UPDATE creatures SET v = 7 WHERE slug = 'b'")
    assert migrate(seeds, "ALTER TABLE creatures ALTER v TYPE numeric(10,2)") == ["creatures"]
    assert counts(seeds.run()) == {"unchanged": 4, "drifted": 1}
    migrate(seeds, "ALTER TABLE creatures ALTER v TYPE int")
    seeds.source("creatures", [{"slug": "a", "v": 1}])
    seeds.run()
    assert values(seeds) == {"a": "1", "b": "7"}
