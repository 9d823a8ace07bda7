"""Trees of hashes: equal where the values are equal as JSON, in any spelling, and different otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from compose_seeder.exact_json import decode
from compose_seeder.targets.endpoint.list_pairs import pair_elements
from compose_seeder.targets.endpoint.value_trees import ExactKey, covers, tree_of

SAME = [
    ("1.10", "1.1"),
    ("100", "1e2"),
    ("-0", "0"),
    ("0.0", "0"),
    ('{"a":1,"b":2}', '{"b":2,"a":1}'),
]
OTHER = [
    ("1", "true"),
    ("0", "false"),
    ("1", '"1"'),
    ("null", '""'),
    ("{}", "[]"),
    ("[1,2]", "[2,1]"),
    ("1", "-1"),
]


def tree(text: str, salt: int = 1) -> Any:
    return tree_of(decode(text.encode()), salt)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_as_json(one: str, other: str) -> None:
    assert tree(one) == tree(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_not_equal_as_json(one: str, other: str) -> None:
    """Though some of them are for Python."""
    assert tree(one) != tree(other)


def test_another_database_has_other_hashes() -> None:
    """A salt may be negative, as PostgreSQL makes it."""
    assert len({tree('"a"', salt) for salt in (-(2**63), -1, 0, 1)}) == 4


def test_keys() -> None:
    """As dictionaries need them, beside plain tuples too."""
    one, other = ExactKey((1, "a")), ExactKey((True, "a"))
    assert one != other
    assert {one: 1, other: 2}[ExactKey((decode(b"1.0"), "a"))] == 1
    assert one == (1, "a")
    assert one != (True, "a")


def test_a_tree_that_has_all_of_another() -> None:
    """More members, and not more elements."""
    assert covers(tree('[{"id": 1, "n": "x"}]'), tree('[{"n": "x"}]'))
    assert not covers(tree('[{"n": "x"}, {"n": "y"}]'), tree('[{"n": "x"}]'))


PAIRS = [
    ('[{"n":"x"},{"n":"y"}]', '[{"id":2,"n":"y"},{"id":1,"n":"x"}]', {0: 1, 1: 0}),
    ('[{"l":"en","t":"A"},{"l":"ru","t":"B"}]', '[{"l":"ru","t":"C"}]', {0: 1}),
    ("[1, 2, 3]", "[1, 9, 3]", {0: 0, 1: 1, 2: 2}),
    ("[1, 2]", "[0, 1, 2]", {1: 0, 2: 1}),
    ("[1, 1]", "[1]", {0: 0}),
    ("[]", "[1]", {}),
]


@pytest.mark.parametrize(("old", "new", "pairs"), PAIRS)
def test_which_element_is_which(old: str, new: str, pairs: dict[int, int]) -> None:
    """Equal ones, wherever they stand; then those with most in common; then those at the same place."""
    assert pair_elements(tree(old), tree(new)) == pairs
