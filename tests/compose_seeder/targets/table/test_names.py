"""Names that a schema may have: quoted ones, SQL's own, and those that this program's statements use."""

from __future__ import annotations

import json

import pytest

from compose_seeder.errors import ManifestError, RecordError
from tests.support.seed_folder import Seeds, counts

NAMES = [
    "position", "id", "key", "t", "p", "d", "w", "r", "n", "new", "fields", "document", "hashes", "desired", "live",
    "referred", "user", "select", "Upper Case", "it's", "a.b", "{x}", "100%", "a%sb", "%(positions)s",
    'we"ird', "back\\slash", "two\nlines", "tab\t",
]  # fmt: skip
TABLES = ["plan", "raw", "live", "desired", "applied", "open", "Upper", "user", "100%", "%s", "{x}"]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def manifest(table: str, key: str = "slug") -> str:
    lines = ["[[dataset]]", 'name = "x"', 'source = "x.json"']
    return "\n".join([*lines, f"table = {json.dumps(table)}", f"key = {json.dumps([key])}"])


def follow(seeds: Seeds, key: str, *fields: str) -> None:
    """Seeded, verified, edited and at fault."""
    one, two, three, four = (dict.fromkeys(fields, value) for value in range(1, 5))
    seeds.source("x", [{key: "a", **one}, {key: "b", **two}])
    assert counts(seeds.plan()) == {"created": 2}
    assert counts(seeds.run()) == {"created": 2}
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}
    seeds.source("x", [{key: "a", **three}, {key: "b", **two}, {key: "c", **four}])
    assert counts(seeds.run()) == {"created": 1, "updated": 1, "unchanged": 1}
    assert counts(seeds.run(verify=True)) == {"unchanged": 3}
    seeds.source("x", [{key: "a", **dict.fromkeys(fields, "none")}])
    with pytest.raises(RecordError) as raised:
        seeds.run()
    assert {fault.field for fault in raised.value.faults} == set(fields)


def test_columns_may_have_any_names(seeds: Seeds) -> None:
    """Each with a rule of its own, and all in one statement."""
    columns = [f"{quoted(name)} int CHECK ({quoted(name)} > -5)" for name in NAMES]
    seeds.do(f"CREATE TABLE x (slug text, {', '.join(columns)})")
    seeds.write(manifest("x"))
    follow(seeds, "slug", *NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_key_may_have_any_name(seeds: Seeds, name: str) -> None:
    seeds.do(f"CREATE TABLE y ({quoted(name)} text, hp int)")
    seeds.write(manifest("y", name))
    follow(seeds, name, "hp")


def test_names_within_values_may_be_any(seeds: Seeds) -> None:
    """In records of one shape too, and a reference may be from each."""
    refs = [f"ref_{number}" for number in range(len(NAMES))]
    columns = ", ".join(f"{ref} int" for ref in refs)
    seeds.do(f"CREATE TABLE x (slug text, v jsonb, {columns}); CREATE TABLE p (slug text, id int)")
    seeds.do("INSERT INTO p VALUES ('a', 5)")
    lines = [manifest("x")]
    for ref, name in zip(refs, NAMES, strict=True):
        lines += [f"[dataset.refs.{ref}]", f"from = {json.dumps(name)}"]
        lines += ['table = "p"', 'match = "slug"', 'take = "id"']
    values = [dict.fromkeys(NAMES, number) | {"b": 1} for number in range(3)]
    named = dict.fromkeys(NAMES, "a")
    records = [{"slug": str(number), "v": v, **named} for number, v in enumerate(values)]
    seeds.write("\n".join(lines), x=records)
    assert counts(seeds.run()) == {"created": 3}
    found = seeds.rows(f"SELECT v, ARRAY[{', '.join(refs)}] FROM x ORDER BY slug")
    assert found == [(v, [5] * len(refs)) for v in values]
    assert counts(seeds.run(verify=True)) == {"unchanged": 3}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_may_have_any_name(seeds: Seeds, name: str) -> None:
    """Those of this program's temporary tables as well."""
    table = quoted(name)
    seeds.do(f"CREATE TABLE {table} (slug text, v int CHECK (v > -5), id serial PRIMARY KEY)")
    seeds.write(manifest(name))
    follow(seeds, "slug", "v")


@pytest.mark.parametrize("name", ['"a.b"', '"we""ird"', "S.T", 'S."T.x"', '"S.x"."T"'])
def test_a_table_is_named_as_sql_has_it(seeds: Seeds, name: str) -> None:
    """What has a dot or a quote in it stands in double quotes; letters stay as they are."""
    sql = {"S.T": '"S"."T"', 'S."T.x"': '"S"."T.x"'}.get(name, name)
    seeds.do(f'CREATE SCHEMA "S"; CREATE SCHEMA "S.x"; CREATE TABLE {sql} (slug text, v int)')
    seeds.write(manifest(name))
    follow(seeds, "slug", "v")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x.y.z", "table must be name or schema.name"),
        ('a"b', "table must be name or schema.name"),
        ('"x"; DROP TABLE x', "table must be name or schema.name"),
        ("shown", "shown is not a table; name the table whose rows it shows"),
        ("none", "there is no table none; does a migration create it?"),
        ("a.b", 'there is no table a.b (did you mean "a.b"?); does a migration create it?'),
    ],
)
def test_a_name_that_is_no_table(seeds: Seeds, name: str, said: str) -> None:
    seeds.do(
        'CREATE TABLE x (slug text); CREATE MATERIALIZED VIEW shown AS TABLE x; CREATE TABLE "a.b" ()'
    )
    seeds.write(manifest(name), x=[])
    with pytest.raises(ManifestError) as raised:
        seeds.run()
    assert said in str(raised.value)


def test_a_key_may_be_empty(seeds: Seeds) -> None:
    """The only record of a first run as well."""
    seeds.do("CREATE TABLE x (slug text, v int)")
    seeds.write(manifest("x"))
    for records in ([{"slug": "", "v": 1}], [{"slug": "", "v": 2}, {"slug": "b", "v": 1}]):
        seeds.source("x", records)
        seeds.run()
        assert counts(seeds.run(verify=True)) == {"unchanged": len(records)}
