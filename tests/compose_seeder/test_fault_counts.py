"""What is wrong with a file is counted alike by `check`, a plan, a first run and a later one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compose_seeder import check
from compose_seeder.errors import RecordError
from compose_seeder.sources import Sources
from tests.support.seed_folder import Seeds, table

GOOD = [{"slug": f"s{n}", "n": n} for n in range(5000)]
"""More than one batch."""

NEST = '[dataset.nest]\nkids = { records = "/kids", match = { of = "slug" } }\n'


def text(*records: str) -> str:
    return "[" + ", ".join([*records, *map(json.dumps, GOOD)]) + "]"


CASES: dict[str, tuple[str, Any, int]] = {
    "keys that are missing": ("", [{"n": 1}] * 30 + GOOD, 30),
    "and one that is there twice": ("", [{"n": 1}, *GOOD, {"slug": "s1"}], 2),
    "what is no object, in the last batch": ("", [{"n": 1}, *GOOD, 1, "x"], 2),
    "what is no object, in the first": ("", [1, {"n": 1}, *GOOD], 1),
    "a name twice": ("", text('{"slug": "a", "n": 1, "n": 2}', '{"n": 1}'), 1),
    "two names twice": ("", text('{"n": 1, "n": 2, "m": 1, "m": 2}', '{"n": 1}'), 2),
    "children without a parent": (
        f'records = "/all"\n{NEST}',
        {"all": [{"n": 1}, *GOOD], "kids": [{"of": "s1"}, {"of": "zz"}, {"of": "yy"}]},
        3,
    ),
    "children that are no objects": (
        f'records = "/all"\n{NEST}',
        {"all": [{"n": 1}, *GOOD], "kids": [1, 2]},
        2,
    ),
    "a schema": ('schema = "s.json"', [{"slug": 1}, {"n": 1}, *GOOD], 2),
    "a schema, and what is no object": ('schema = "s.json"', [{"slug": 1}, 3, 4, *GOOD], 2),
    "a map": ('map = { slug = "/slug", n = "/a/n" }', [{"slug": "a", "a": 1}] * 25 + GOOD, 25),
    "a map, and a key": ('map = { slug = "/slug", n = "/a/n" }', [{"n": 1}, {"a": 1}, *GOOD], 1),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_number_everywhere(name: str, seeds: Seeds) -> None:
    options, content, number = CASES[name]
    seeds.do("CREATE TABLE creatures (slug text, n int, kids jsonb)")
    seeds.write(f"{table()}\n{options}", creatures=content)
    seeds.source("s", {"properties": {"slug": {"type": "string"}}})
    found = []
    for act in (lambda: check(seeds.manifest, Sources()), seeds.plan, seeds.run):
        with pytest.raises(RecordError) as raised:
            act()
        found.append((raised.value.count, [str(fault) for fault in raised.value.faults[:20]]))
    assert found[0][0] == number
    assert found[1:] == found[:1] * 2
    good: Any = {"all": GOOD, "kids": []} if "/all" in options else GOOD
    if "map" in options:
        good = [{**record, "a": {"n": 1}} for record in GOOD]
    seeds.source("creatures", good)
    seeds.run()
    seeds.source("creatures", content)
    with pytest.raises(RecordError) as raised:
        seeds.run()
    assert raised.value.count == number
