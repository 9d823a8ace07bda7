"""An array's elements come some at a time, and are those of the array, however it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw, ValidationError

from compose_seeder.documents import json_array as one
from compose_seeder.documents.json_array import elements

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text('{}[]",:\\ aä', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=8,
)
RECORDS = st.fixed_dictionaries({"a": VALUES}, optional={"b": VALUES})


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(RECORDS | VALUES, max_size=30),
    indent=st.sampled_from([None, 0, 2]),
    part=st.integers(1, 200),
)
def test_they_are_those_of_the_array(
    monkeypatch: pytest.MonkeyPatch, records: list[Any], indent: int | None, part: int
) -> None:
    """Whatever is in it, and however it is cut."""
    monkeypatch.setattr(one, "PART_BYTES", part)
    text = json.dumps(records, indent=indent, ensure_ascii=False).encode()
    found = [element for some in elements(Raw(b" " + text)) for element in some]
    assert [json.loads(bytes(element)) for element in found] == records


def test_a_large_array_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no list of all of them is in memory."""
    monkeypatch.setattr(one, "PART_BYTES", 1000)
    records = [{"slug": f"c{n}", "parts": [{"slug": "x"}, {"slug": "y"}]} for n in range(500)]
    found = list(elements(Raw(json.dumps(records).encode())))
    assert len(found) > 20
    assert max(map(len, found)) < 50


def test_what_is_no_array_is_none() -> None:
    """An object, a text."""
    for text in (b'{"a": 1}', b'"a"', b"1"):
        with pytest.raises(ValidationError):
            list(elements(Raw(text)))
