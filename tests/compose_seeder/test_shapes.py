"""Every example of docs/shapes.md, against PostgreSQL."""

from __future__ import annotations

import pytest

from compose_seeder import check
from compose_seeder.sources import Sources
from tests.support.gallery import Example, examples
from tests.support.seed_folder import Seeds, counts


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.title)
def test_an_example_gives_its_rows(example: Example, seeds: Seeds) -> None:
    """As the page shows them: checked, planned, created; then unchanged, also for who compares everything."""
    for name, content in example.files.items():
        path = seeds.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    seeds.do("SET TimeZone = 'UTC'")
    seeds.do(example.sql)
    assert all(check(seeds.manifest, Sources()).values())
    assert counts(seeds.run_all(plan=True)[0]).keys() == {"created"}
    assert [*map(set, map(counts, seeds.run_all()))] == [{"created"}] * example.datasets
    columns = ", ".join(f"coalesce({name}::text, 'NULL')" for name in example.columns)
    assert sorted(seeds.rows(f"SELECT {columns} FROM {example.table}")) == sorted(example.rows)
    assert [*map(set, map(counts, seeds.run_all(verify=True)))] == [
        {"unchanged"}
    ] * example.datasets
    seeds.do("DROP SCHEMA compose_init CASCADE")
    assert [*map(set, map(counts, seeds.run_all()))] == [{"unchanged"}] * example.datasets
