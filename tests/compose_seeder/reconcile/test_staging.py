"""From raw records to desired ones: children, references, keys; every fault before anything is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compose_seeder.documents.children import with_children
from compose_seeder.documents.open_document import open_document
from compose_seeder.errors import RecordError
from compose_seeder.manifest.parse import parse
from compose_seeder.reconcile.staging import PENDING, Desired, stage
from tests.support.seed_folder import Seeds, counts, table

HEAD = '[[dataset]]\nname = "m"\nsource = "m.json"\ntable = "m"\nrecords = "/m"\nkey = ["slug"]\n'
NEST = 'nest.t = { records = "/t", match = { m_slug = "slug" }, by = "lang" }\n'


def staged(options: str, document: Any, lookup: Any = lambda ref, values: {}) -> list[Desired]:  # noqa: ARG005
    (dataset,) = parse(HEAD + options, "seeds.toml").datasets
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    found = open_document("m.json", lambda: iter([data]))
    return stage(dataset, with_children(dataset, found).array(dataset.records), lookup)


def documents(records: list[Desired]) -> list[Any]:
    return [{k: json.loads(bytes(v)) for k, v in record.document.items()} for record in records]


def faults(options: str, document: Any, lookup: Any = lambda ref, values: {}) -> list[str]:  # noqa: ARG005
    with pytest.raises(RecordError) as raised:
        staged(options, document, lookup)
    return [str(fault) for fault in raised.value.faults]


def test_children_by_a_field() -> None:
    """An object by language, without the field that matched; a record without children has none."""
    found = staged(
        NEST,
        {
            "m": [{"slug": "a"}, {"slug": "b"}],
            "t": [
                {"m_slug": "a", "lang": "en", "name": "A"},
                {"m_slug": "a", "lang": "ru", "name": None},
            ],
        },
    )
    assert documents(found) == [
        {"slug": "a", "t": {"en": {"name": "A"}, "ru": {"name": None}}},
        {"slug": "b", "t": {}},
    ]


def test_children_as_a_list() -> None:
    """Without `by`, in the file's order."""
    nest = NEST.replace(', by = "lang"', "")
    found = staged(
        nest, {"m": [{"slug": "a"}], "t": [{"m_slug": "a", "n": 2}, {"m_slug": "a", "n": 1}]}
    )
    assert documents(found) == [{"slug": "a", "t": [{"n": 2}, {"n": 1}]}]


def test_children_at_fault() -> None:
    """Orphans, and two for one place: all of them, by file and pointer."""
    found = faults(
        NEST,
        {
            "m": [{"slug": "a"}],
            "t": [
                {"m_slug": "x", "lang": "en"},
                {"m_slug": "a", "lang": "en"},
                {"m_slug": "a", "lang": "en"},
                {"m_slug": "a", "lang": 7},
            ],
        },
    )
    assert len(found) == 3
    assert any("m.json#/t/0" in fault and "no record has slug x" in fault for fault in found)
    assert any("m.json#/t/2" in fault and "twice for one parent" in fault for fault in found)
    assert any("m.json#/t/3" in fault and "must be text" in fault for fault in found)


def test_a_child_that_names_no_parent() -> None:
    """Missing, null or no scalar: a record that has no such value either is not its parent."""
    nest = NEST.replace('"slug" }', '"of" }')
    children = [{"lang": "a"}, {"m_slug": None, "lang": "b"}, {"m_slug": [1], "lang": "c"}]
    found = faults(nest, {"m": [{"slug": "a"}, {"slug": "b", "of": None}], "t": children})
    assert len(found) == 3
    assert all("names no parent: m_slug must be text or a number" in fault for fault in found)


@pytest.mark.parametrize("by", [', by = "lang"', ""])
def test_children_of_several_records(by: str) -> None:
    """What they match need not be the key: all that have the value have the children."""
    nest = NEST.replace('"slug" }', '"of" }').replace(', by = "lang"', by)
    child = {"m_slug": 1, "lang": "en", "n": 2}
    document = {"m": [{"slug": "a", "of": 1}, {"slug": "b", "of": 1}], "t": [child]}
    first, second = documents(staged(nest, document))
    assert first["t"] == second["t"] == ({"en": {"n": 2}} if by else [{"lang": "en", "n": 2}])
    if by:
        assert len(faults(nest, {**document, "t": [child, child]})) == 1


def test_null_may_mean_not_there() -> None:
    """With drop_null, children included; without it, null is a value."""
    document = {"m": [{"slug": "a", "x": None}], "t": [{"m_slug": "a", "lang": "en", "y": None}]}
    assert documents(staged(NEST + "drop_null = true\n", document)) == [
        {"slug": "a", "t": {"en": {}}}
    ]
    assert documents(staged(NEST, document)) == [{"slug": "a", "x": None, "t": {"en": {"y": None}}}]


def test_ignored_fields_are_not_there() -> None:
    """Neither compared nor written."""
    assert documents(staged('ignore = ["x"]\n', {"m": [{"slug": "a", "x": 1}]})) == [{"slug": "a"}]


def test_keys_at_fault() -> None:
    """Missing, null, not a scalar, and twice: each by its place."""
    found = faults(
        "",
        {"m": [{"x": 1}, {"slug": None}, {"slug": []}, {"slug": "a"}, {"slug": "a"}]},
    )
    assert len(found) == 4
    assert "m.json#/m/0, field slug: is missing" in found[0]
    assert "found null" in found[1]
    assert "found []" in found[2]
    assert "m.json#/m/4 (slug a)" in found[3]
    assert "m.json#/m/3 has it as well" in found[3]


REF = 'refs.h_id = { from = "h", table = "h", match = "slug", take = "id" }\n'


def test_references() -> None:
    """A natural key becomes an id; null stays null; absent stays absent."""
    document = {"m": [{"slug": "a", "h": "x"}, {"slug": "b", "h": None}, {"slug": "c"}]}
    found = staged(REF, document, lambda _, values: {value: [7] for value in values})
    assert documents(found) == [
        {"slug": "a", "h_id": 7},
        {"slug": "b", "h_id": None},
        {"slug": "c"},
    ]


def test_references_at_fault() -> None:
    """Not there, there twice, and no value that can be looked up."""
    document = {"m": [{"slug": "a", "h": "x"}, {"slug": "b", "h": "y"}, {"slug": "c", "h": {}}]}
    found = faults(REF, document, lambda *_: {"y": [1, 2]})
    assert "no row has it" in found[0]
    assert "2 rows have it" in found[1]
    assert "must be text or a number" in found[2]


def test_a_key_that_waits_for_an_id() -> None:
    """In a plan: told apart by the natural key, and marked as one that can only be new."""
    options = REF.replace("refs.h_id", "refs.slug")
    document = {"m": [{"h": "x"}, {"h": "y"}]}
    found = staged(options, document, lambda _, values: {value: [PENDING] for value in values})
    assert [(record.key, record.pending) for record in found] == [(("x",), True), (("y",), True)]


def test_an_endpoints_reference_that_waits_is_shown_by_its_natural_key() -> None:
    """In a plan: null would be taken for what is live, where that is null."""
    through = HEAD.replace(
        'table = "m"', 'endpoint = "/m"\nhttp = { list = "GET /m", create = "POST /m" }'
    )
    (dataset,) = parse(through + REF, "seeds.toml").datasets
    found = open_document("m.json", lambda: iter([b'{"m": [{"slug": "a", "h": "x"}]}']))
    made = stage(dataset, found.array("/m"), lambda _, values: {v: [PENDING] for v in values})
    assert documents(made) == [{"slug": "a", "h_id": "x"}]


PARENTS_AND_CHILDREN = (
    table("parents")
    + "\n"
    + table("children")
    + """
[dataset.refs]
parent = { from = "of", table = "parents", match = "slug", take = "id" }
"""
)


def test_a_plan_moves_children_to_new_parents(seeds: Seeds) -> None:
    """It counts what the run does, also where nothing is live; and names the parent by its natural key."""
    seeds.do(
        "CREATE TABLE parents (id serial PRIMARY KEY, slug text);"
        "CREATE TABLE children (slug text, parent int REFERENCES parents)"
    )
    children: list[dict[str, Any]] = [
        {"slug": "x", "of": None},
        {"slug": "y", "of": "a"},
        {"slug": "z", "of": "a"},
    ]
    seeds.write(PARENTS_AND_CHILDREN, parents=[{"slug": "a"}], children=children).run()
    seeds.source("parents", [{"slug": "a"}, {"slug": "b"}])
    seeds.source("children", [{**child, "of": "b"} for child in children[:2]] + children[2:])
    plan = seeds.plan()
    assert counts(plan) == {"updated": 2, "unchanged": 1}
    assert [one.fields["parent"]["desired"] for one in plan.records] == ["b", "b"]
    assert counts(seeds.run()) == counts(plan)


def test_a_plan_of_parents_and_children(seeds: Seeds) -> None:
    """More parents than a plan shows, and children whose key holds their id: planned as they come."""
    seeds.do(
        "CREATE TABLE p (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, slug text);"
        " CREATE TABLE c (p_id int REFERENCES p, lang text, PRIMARY KEY (p_id, lang))"
    )
    seeds.write(
        '[[dataset]]\nname = "p"\nsource = "p.json"\ntable = "p"\nkey = ["slug"]\n'
        '[[dataset]]\nname = "c"\nsource = "c.json"\ntable = "c"\nkey = ["p_id", "lang"]\n'
        'refs.p_id = { from = "p", table = "p", match = "slug", take = "id" }\n',
        p=[{"slug": f"s{n}"} for n in range(1500)],
        c=[{"p": f"s{n}", "lang": "en"} for n in range(1500)],
    )
    assert [plan.counts.created for plan in seeds.run_all(plan=True)] == [1500, 1500]
    assert seeds.rows("SELECT count(*) FROM p") == [(0,)]
    assert [plan.counts.created for plan in seeds.run_all()] == [1500, 1500]
    assert [plan.counts.created for plan in seeds.run_all(plan=True)] == [0, 0]
