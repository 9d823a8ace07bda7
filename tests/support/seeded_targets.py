"""The targets of tests that try any sequence of steps: a table, and the same records behind HTTP."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from tests.support.crash import crash_after
from tests.support.seed_folder import Seeds, table
from tests.support.small_api import Api

HTTP = """
[dataset.http]
create = "POST /things"
update = "PUT /things/{live.id}"
delete = "DELETE /things/{live.id}"
list = "GET /things"
"""


@dataclass
class Table:
    """The target, as hands and eyes see it."""

    seeds: Seeds
    options: dict[str, Any] = field(default_factory=dict)

    def manifest(self, **more: Any) -> str:
        return table(**more)

    def clear(self) -> None:
        self.seeds.do("TRUNCATE creatures")

    def rows(self) -> dict[str, dict[str, Any]]:
        found = self.seeds.rows("SELECT slug, x, y FROM creatures")
        rows = {slug: {"x": x, "y": y} for slug, x, y in found}
        assert len(rows) == len(found), "a record occurs twice"
        return rows

    def put(self, slug: str, row: dict[str, Any]) -> None:
        self.delete(slug)
        self.seeds.do("INSERT INTO creatures VALUES (%s, %s, %s)", slug, row["x"], row["y"])

    def delete(self, slug: str) -> None:
        self.seeds.do("DELETE FROM creatures WHERE slug = %s", slug)


@dataclass
class Endpoint:
    """The same behind HTTP."""

    api: Api
    options: dict[str, Any]

    def manifest(self, **more: Any) -> str:
        text = table(**more).replace('table = "creatures"', 'endpoint = "/things"')
        return text + HTTP

    def clear(self) -> None:
        self.api.rows.clear()

    def rows(self) -> dict[str, dict[str, Any]]:
        rows = {row["slug"]: {"x": row["x"], "y": row["y"]} for row in self.api.rows.values()}
        assert len(rows) == len(self.api.rows), "a record occurs twice"
        return rows

    def put(self, slug: str, row: dict[str, Any]) -> None:
        if slug in self.rows():
            self.api.find(slug).update(row)
        else:
            self.api.add(slug=slug, **row)

    def delete(self, slug: str) -> None:
        kept = {n: row for n, row in self.api.rows.items() if row["slug"] != slug}
        self.api.rows.clear()
        self.api.rows.update(kept)


def crash(seeds: Seeds, after: int, options: dict[str, Any]) -> None:
    """Run until a number of statements has been executed, then crash; end normally with fewer statements."""
    crash_after(seeds, after, lambda: seeds.run(verify=True, **options))
    # Requests that were under way have come to their end by the time of the next run.
    for thread in threading.enumerate():
        if thread.name.startswith("endpoint-"):
            thread.join()
