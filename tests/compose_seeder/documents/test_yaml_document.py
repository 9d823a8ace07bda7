"""YAML as the JSON that it means, and nothing that surprises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from compose_seeder.documents.yaml_to_json import ALIAS_BYTES, to_json
from compose_seeder.errors import RecordError
from tests.support.seed_folder import Seeds, counts, table


def text_of(text: str) -> str:
    return to_json("f.yaml", text.encode()).text.decode()


def value_of(text: str) -> Any:
    return json.loads(text_of(text))


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("1.10", "1.10"),
        ("12345678901234567890.12345678901234567890", "12345678901234567890.12345678901234567890"),
        ("-0", "-0"),
        ("+1", "1"),
        (".5", "0.5"),
        ("1.", "1"),
        ("-1.5e+3", "-1.5e+3"),
        ("0x1F", "31"),
        ("0o17", "15"),
        ("~", "null"),
        ("", "null"),
        ("Null", "null"),
        ("True", "true"),
        ("FALSE", "false"),
        ("no", '"no"'),
        ("on", '"on"'),
        ("y", '"y"'),
        ("0123", '"0123"'),
        ("-01", '"-01"'),
        ("1_000", '"1_000"'),
        ("1:30", '"1:30"'),
        ("2024-01-31", '"2024-01-31"'),
        ("2024-01-31 10:00:00", '"2024-01-31 10:00:00"'),
        (".", '"."'),
        ("-", '"-"'),
        ("1.2.3", '"1.2.3"'),
        ('"1"', '"1"'),
        ("'true'", '"true"'),
        ("|\n   a\n   b\n", '"a\\nb\\n"'),
    ],
)
def test_values(written: str, means: str) -> None:
    """To the digit; what the versions of YAML read differently is text."""
    if written == "-":
        assert text_of("a: '-'") == '{"a":"-"}'
        return
    assert text_of(f"a: {written}") == f'{{"a":{means}}}'


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_what_is_written_as_yaml_is_read(value: Any) -> None:
    """As another library writes it."""
    written = yaml.safe_dump(value)
    assert value_of(written) == value


def test_anchors_are_copies() -> None:
    text = "base: &b {x: 1, y: [&n two, *n]}\nother: *b\n"
    assert value_of(text) == {
        "base": {"x": 1, "y": ["two", "two"]},
        "other": {"x": 1, "y": ["two", "two"]},
    }


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1", "a occurs twice in one object, first in line 1"),
        ("a: !!python/object:os.system x", "f.yaml:1:4", "the tag tag:yaml.org,2002:python/object"),
        ("a: !!str 1", "f.yaml:1:4", "is not supported; remove it, or write a text in quotes"),
        ("a: !x {}", "f.yaml:1:4", "the tag !x is not supported"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n", "f.yaml:3:3", "a merge key (<<) is not supported"),
        ("a: &a [*a]", "f.yaml:1:8", "the alias *a stands within its own anchor, or before it"),
        ("a: *b", "f.yaml:1:4", "the alias *b stands within its own anchor, or before it"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1", "a second document begins here"),
        ("? [1]\n: 2", "f.yaml:1:3", "a key must be a text, and not a list or an object"),
        ("&a x: 1\n*a : 2", "f.yaml:2:1", "a key must be a text, and not the alias *a"),
        ("a: .nan", "f.yaml:1:4", "JSON has no NaN and no infinity"),
        ("a: [1", "f.yaml:2:1", "is not valid YAML"),
        ("a:\n\tb: 1", "f.yaml:2:1", "the line is indented with a tab"),
        ("a: b: c", "f.yaml:1:5", "is not valid YAML: mapping values are not allowed"),
        ("# nothing\n", "f.yaml", "is empty; write [] for no records"),
        ("[" * 300, "f.yaml:1:201", "is nested too deeply"),
        ("a: \x01", "f.yaml", "is not valid YAML"),
        (
            "a:\n  - x\u2028y",
            "f.yaml:2",
            "has the character U+2028, which the versions of YAML read",
        ),
    ],
)
def test_what_is_wrong_is_said(text: str, where: str, said: str) -> None:
    with pytest.raises(RecordError) as raised:
        to_json("f.yaml", text.encode())
    (fault,) = raised.value.faults
    assert fault.where == where
    assert said in fault.problem


def test_anchors_that_multiply_are_refused() -> None:
    """Ten lines would be gigabytes."""
    lines = ["a0: &a0 [" + ", ".join(["lol"] * 10) + "]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(RecordError, match=f"more than {ALIAS_BYTES >> 20} MiB"):
        to_json("f.yaml", "\n".join(lines).encode())


def test_records_are_seeded_with_their_lines(seeds: Seeds) -> None:
    """`records`, compression and messages are as for JSON; a record is named by line and column."""
    seeds.do("CREATE TABLE creatures (slug text, hp int, born date, data jsonb)")
    seeds.write(table(records="/creatures").replace(".json", ".yaml"))
    path = Path(seeds.folder / "creatures.yaml")
    path.write_text(
        "creatures:\n"
        "  # the first\n"
        "  - slug: goblin\n    hp: 7\n    born: 2024-01-31\n"
        "  - {slug: ogre, hp: 1.5, data: {x: 1.10}}\n"
    )
    with pytest.raises(RecordError, match=r"creatures.yaml:6:5 \(slug ogre\), field hp: expected"):
        seeds.run()
    path.write_text(path.read_text().replace("1.5", "59"))
    assert counts(seeds.run()) == {"created": 2}
    rows = seeds.rows("SELECT slug, hp, born::text, data::text FROM creatures ORDER BY slug")
    assert rows == [("goblin", 7, "2024-01-31", None), ("ogre", 59, None, '{"x": 1.10}')]
    assert counts(seeds.run(verify=True)) == {"unchanged": 2}
    path.write_text("creatures:\n  - slug: a\n  - slug: a\n")
    with pytest.raises(RecordError, match=r"creatures.yaml:3:5 \(slug a\): the key .*yaml:2:5 has"):
        seeds.run()


def test_a_shape_of_yaml(seeds: Seeds) -> None:
    seeds.do("CREATE TABLE creatures (slug text, hp int)")
    seeds.write(table(key_as="slug").replace(".json", ".yml"))
    (seeds.folder / "creatures.yml").write_text("goblin:\n  hp: 7\nogre: 3\n")
    with pytest.raises(RecordError, match=r"creatures.yml:3:7: is a number, but must be an object"):
        seeds.run()
    (seeds.folder / "creatures.yml").write_text("goblin:\n  hp: 7\nogre: {}\n")
    assert counts(seeds.run()) == {"created": 2}
