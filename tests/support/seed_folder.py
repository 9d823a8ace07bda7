"""A folder of seeds and a database, as the tests of the engine use them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from compose_seeder import Options, seed
from compose_seeder.reconcile.plan import Plan
from compose_seeder.sources import Sources

Connection = psycopg.Connection[Any]
Rows = list[dict[str, Any]]


@dataclass
class Seeds:
    """Writes a manifest and its sources, and seeds the database with them."""

    folder: Path
    connection: Connection

    @property
    def manifest(self) -> str:
        """Where the manifest is."""
        return str(self.folder / "seeds.toml")

    def write(self, manifest: str, **sources: Any) -> Seeds:
        """Write the manifest, and JSON files by their names without the ending."""
        (self.folder / "seeds.toml").write_text(manifest)
        for name, content in sources.items():
            self.source(name, content)
        return self

    def source(self, name: str, content: Any) -> None:
        """One JSON file; text is written as it is."""
        text = content if isinstance(content, str) else json.dumps(content)
        (self.folder / f"{name}.json").write_text(text)

    def run(self, **options: Any) -> Plan:
        """Seed; the plan of the last dataset, as it came out."""
        return self.run_all(**options)[-1]

    def run_all(self, **options: Any) -> list[Plan]:
        """Seed; every plan as it came out."""
        return seed(self.connection, self.manifest, Sources(), Options(**options))[0]

    def plan(self, **options: Any) -> Plan:
        """Return the plan of the last dataset."""
        return self.run(plan=True, **options)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.connection.execute(query, values).fetchall()

    def do(self, statement: str, *values: Any) -> None:
        """Run statements, as somebody does by hand."""
        self.connection.execute(statement, values or None)


def counts(plan: Plan) -> dict[str, int]:
    """Return the counts of a plan that are not 0, except for the deleted records."""
    return {
        name: count for name, count in plan.counts.to_dict().items() if count and name != "deleted"
    }


def outcomes(plan: Plan) -> dict[str, dict[str, str]]:
    """Return the plan's outcomes by record (the values of its key) and field."""
    return {
        " ".join(str(value) for value in change.key.values()): {
            field: detail["outcome"] for field, detail in change.fields.items()
        }
        for change in plan.records
    }


def table(name: str = "creatures", key: str = "slug", **more: Any) -> str:
    """Return a manifest of one dataset that goes into a table, from the file of the same name."""
    lines = [f"{option} = {json.dumps(value)}" for option, value in more.items()]
    keys = json.dumps(key.split())
    return "\n".join(
        [
            "[[dataset]]",
            f'name = "{name}"',
            f'source = "{name}.json"',
            f'table = "{name}"',
            f"key = {keys}",
            *lines,
        ]
    )
