"""The working tables: one owner, one description, and none where there is nothing to compare."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compose_seeder.reconcile import working_tables
from tests.support.seed_folder import Connection, Seeds, counts, table

ROOT = Path(__file__).parents[3]
SQL = ROOT / "seeder" / "compose_seeder" / "sql"
COLUMNS = """
SELECT c.relname, string_agg(a.attname, ', ' ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relpersistence = 't' AND c.relkind = 'r' GROUP BY c.relname
"""


def created(connection: Connection) -> dict[str, str]:
    """Return the columns of each temporary table that exists."""
    return dict(connection.execute(COLUMNS).fetchall())


def documented() -> dict[str, str]:
    """Return the columns of each working table, as docs/architecture.md lists them."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition("### The working tables\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", section, re.MULTILINE))


def test_the_architecture_lists_every_working_table(connection: Connection) -> None:
    working_tables.create(connection, "table", salt=7)
    working_tables.fill_ids_to_compare(connection, [1, 2, 2])
    working_tables.create_written_rows(connection)
    working_tables.create_deletes(connection)
    working_tables.fill_sibling_keys(connection, [])
    found = created(connection)
    working_tables.reset(connection)
    assert created(connection) == {}
    working_tables.create(connection, "endpoint", salt=7)
    assert found | created(connection) == documented()


def test_no_other_file_creates_a_temporary_table() -> None:
    creating = [
        path.name
        for path in SQL.rglob("*.sql")
        if re.search(r"CREATE (TEMP|TEMPORARY)\b", path.read_text(encoding="utf-8"))
    ]
    assert creating == ["working_tables.sql"]


def test_a_run_that_finds_nothing_creates_no_working_table(
    seeds: Seeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even temporary tables write to the catalog, and with it to the WAL."""
    seeds.do("CREATE TABLE creatures (slug text PRIMARY KEY, hp int)")
    seeds.write(table(), creatures=[{"slug": "a", "hp": 1}, {"slug": "b", "hp": 2}]).run()

    def create(*arguments: object) -> None:
        pytest.fail(f"created working tables: {arguments}")

    monkeypatch.setattr(working_tables, "create", create)
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}
