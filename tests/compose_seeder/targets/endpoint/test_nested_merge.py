"""The merge of nested values: examples with their right values, and any trees against a simple oracle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compose_seeder.targets.endpoint.merged import Merged, Part, Side
from compose_seeder.targets.endpoint.nested_merge import Merge
from compose_seeder.targets.endpoint.past import Past, masked
from compose_seeder.targets.endpoint.value_trees import ABSENT, FOREIGN, UNKNOWN, tree_of

SALT = 7
THEIRS = object()


def merge(
    applied: Any,
    live: Any,
    desired: Any,
    *,
    shown: Any = ABSENT,
    overwrite: bool = False,
    **past: Any,
) -> tuple[Merged, list[Part]]:
    """Merge values; `shown` is what the API showed after the write, as applied where it is not given."""
    seen = UNKNOWN if shown is UNKNOWN else tree_of(applied if shown is ABSENT else shown, SALT)
    tree = FOREIGN if applied is THEIRS else tree_of(applied, SALT)
    work = Merge(overwrite=overwrite)
    merged = work.merge(Past(tree, seen, **past), Side.of(live, SALT), Side.of(desired, SALT))
    return merged, work.parts


X, Y, Z = {"n": "x"}, {"n": "y"}, {"n": "z"}
X1, Y2 = {"id": 1, **X}, {"id": 2, **Y}
SIMPLE: dict[str, tuple[Any, Any, Any, Any]] = {
    # what: applied, live, desired, right
    "a member changes": ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}),
    "a member is added": ({"a": 1}, {"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}),
    "a member goes": ({"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1}, {"a": 1}),
    "a member is renamed": ({"a": 1}, {"a": 1}, {"b": 1}, {"b": 1}),
    "all members go": ({"a": 1}, {"a": 1}, {}, {}),
    "a member within a member goes": ({"a": {"x": 1, "y": 2}},) * 2 + ({"a": {"x": 3}},) * 2,
    "somebody added a member": ({"a": 1}, {"a": 1, "h": 9}, {"a": 2}, {"a": 2, "h": 9}),
    "one changes, one goes, one was added": ({"a": 1, "b": 2}, {"a": 1, "b": 2, "h": 9}, {"a": 3}, {"a": 3, "h": 9}),
    "one was edited, another changes": ({"a": 1, "b": 2}, {"a": 9, "b": 2}, {"a": 1, "b": 3}, {"a": 9, "b": 3}),
    "an edited member goes": ({"a": 1, "b": 2}, {"a": 9, "b": 2}, {"b": 3}, {"a": 9, "b": 3}),
    "a removed member stays removed": ({"a": 1, "b": 2}, {"b": 2}, {"a": 1, "b": 3}, {"b": 3}),
    "an edited part of what goes": ({"a": {"x": 1, "y": 2}}, {"a": {"x": 9, "y": 2}}, {}, {"a": {"x": 9}}),
    "a part added to what goes": ({"a": {"x": 1}}, {"a": {"x": 1, "h": 9}}, {}, {"a": {"h": 9}}),
    "an object becomes a text": ({"a": {"x": 1}}, {"a": {"x": 1}}, {"a": "t"}, {"a": "t"}),
    "an edited object does not": ({"a": {"x": 1}}, {"a": {"x": 9}}, {"a": "t"}, {"a": {"x": 9}}),
    "nor one with an addition": ({"a": {"x": 1}}, {"a": {"x": 1, "h": 9}}, {"a": []}, {"a": {"x": 1, "h": 9}}),
    "a text becomes an object": ({"a": "t"}, {"a": "t"}, {"a": {"x": 1}}, {"a": {"x": 1}}),
    "an object becomes a list": ({"x": 1}, {"x": 1}, [1], [1]),
    "a list becomes an object": ([1], [1], {"x": 1}, {"x": 1}),
    "a value becomes null": ({"a": {"x": 1}}, {"a": {"x": 1}}, {"a": None}, {"a": None}),
    "null becomes a value": ({"a": None}, {"a": None}, {"a": {"x": 1}}, {"a": {"x": 1}}),
    "a number is true": ({"a": 1}, {"a": 1}, {"a": True}, {"a": True}),
    "a list grows": ([1], [1], [1, 2], [1, 2]),
    "a list shrinks": ([1, 2, 3], [1, 2, 3], [1, 3], [1, 3]),
    "a list becomes empty": ([1, 2], [1, 2], [], []),
    "an empty list grows": ([], [], [1], [1]),
    "a list is sorted": ([1, 2, 3], [1, 2, 3], [3, 1, 2], [3, 1, 2]),
    "an element changes": ([1, 2], [1, 2], [1, 3], [1, 3]),
    "an edited element, and a new one": ([1, 2], [1, 9], [1, 2, 3], [1, 9, 3]),
    "an added element, and a new one": ([1], [1, 9], [1, 2], [1, 9, 2]),
    "a removed element stays removed": ([1, 2], [1], [1, 2, 3], [1, 3]),
    "an order by hand stays": ([1, 2, 3], [3, 1, 2], [1, 2, 3, 4], [3, 4, 1, 2]),
    "both added the same": ([1], [1, 2], [1, 2], [1, 2]),
    "an empty object": ({}, {}, {"a": {}}, {"a": {}}),
    "lists in lists": ([[1], [2]], [[1], [2]], [[1], [2, 3]], [[1], [2, 3]]),
}  # fmt: skip
WITH_IDS: dict[str, tuple[Any, Any, Any, Any]] = {
    "an element changes": ([X, Y], [X1, Y2], [X, Z], [X1, {"id": 2, **Z}]),
    "a list grows": ([X], [X1], [X, Y], [X1, Y]),
    "a list grows in front": ([X], [X1], [Y, X], [Y, X1]),
    "a list shrinks": ([X, Y], [X1, Y2], [Y], [Y2]),
    "a list becomes empty": ([X, Y], [X1, Y2], [], []),
    "a list is sorted": ([X, Y], [X1, Y2], [Y, X], [Y2, X1]),
    "a list becomes a text": ([X, Y], [X1, Y2], "t", "t"),
    "an object has one": ({"a": X}, {"a": X1}, {"a": Z}, {"a": {"id": 1, **Z}}),
    "an object with one goes": ({"a": X, "b": 1}, {"a": X1, "b": 1}, {"b": 1}, {"b": 1}),
    "an object with one becomes null": ({"a": X}, {"a": X1}, {"a": None}, {"a": None}),
    "a default that the file names now": (
        {"a": 1},
        {"a": 1, "d": 0},
        {"a": 1, "d": 5},
        {"a": 1, "d": 5},
    ),
    "defaults of the API": ({"a": 1}, {"a": 1, "d": 0}, {"a": 2}, {"a": 2, "d": 0}),
}


@pytest.mark.parametrize("case", SIMPLE.values(), ids=SIMPLE)
def test_simple(case: tuple[Any, Any, Any, Any]) -> None:
    """What the file changes is written where live is as applied; an edit stays, and an addition too."""
    applied, live, desired, right = case
    merged, parts = merge(applied, live, desired)
    assert merged.value == right
    assert merged.writes == any(part.write for part in parts) != same(right, live)


@pytest.mark.parametrize("case", WITH_IDS.values(), ids=WITH_IDS)
def test_members_that_the_api_gave(case: tuple[Any, Any, Any, Any]) -> None:
    """They travel with their element, and are no reason to keep what the file no longer has."""
    applied, live, desired, right = case
    assert merge(applied, live, desired, shown=live)[0].value == right
    assert {part.outcome for part in merge(applied, live, desired, shown=live)[1]} <= {"update"}
    if isinstance(applied, list):  # and where nobody looked after the write
        assert merge(applied, live, desired, shown=UNKNOWN)[0].value == right


def test_a_member_that_somebody_gave_to_an_element() -> None:
    """It is told from the API's own, and the element stays though the file no longer has it."""
    live = [X1, {**Y2, "note": "by hand"}]
    merged, parts = merge([X, Y], live, [X], shown=[X1, Y2])
    assert merged.value == live
    assert [part.outcome for part in parts] == ["conflict"]


def test_an_element_of_which_somebody_changed_what_the_api_gave() -> None:
    """A default that was edited is an edit, too."""
    live = [X1, {**Y2, "id": 99}]
    assert merge([X, Y], live, [X], shown=[X1, Y2])[0].value == live


DROPPED = {"a": "A", "b": ""}, {"a": "A"}
OTHERWISE: dict[str, tuple[Any, Any, Any, Any, str]] = {
    # what: applied, shown and live, desired, right, outcomes
    "dropped, and the file is the same": (*DROPPED, DROPPED[0], DROPPED[0], "unconfirmed"),
    "dropped, and changed": (*DROPPED, {"a": "A", "b": "B"}, {"a": "A", "b": "B"}, "update"),
    "dropped, and another changes": (*DROPPED, {"a": "C", "b": ""}, {"a": "C", "b": ""}, "unconfirmed update"),
    "another form": ({"a": 0.25}, {"a": "0.25"}, {"a": 0.5}, {"a": 0.5}, "update"),
    "sorted": ([3, 1], [1, 3], [3, 1], [3, 1], "unconfirmed"),
    "sorted, and changed": ([3, 1], [1, 3], [3, 1, 2], [3, 1, 2], "update"),
    "no doubles": ([1, 1], [1], [1, 2], [1, 2], "update"),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERWISE.values(), ids=OTHERWISE)
def test_what_the_api_showed_after_the_write_is_no_edit(
    case: tuple[Any, Any, Any, Any, str],
) -> None:
    applied, shown, desired, right, outcomes = case
    merged, parts = merge(applied, shown, desired, shown=shown)
    assert merged.value == right
    assert " ".join(sorted(part.outcome for part in parts)) == outcomes
    assert merged.writes == ("update" in outcomes)


def test_somebody_elses_value_stays() -> None:
    """Of an adopted record, whatever the file says later; with overwrite it gives way."""
    merged, parts = merge(THEIRS, {"a": 1}, {"a": 2, "b": 3}, shown=UNKNOWN)
    assert (merged.value, merged.writes) == ({"a": 1}, False)
    assert {part.outcome for part in parts} == {"drift"}
    assert merge(THEIRS, {"a": 1}, {"a": 2, "b": 3}, shown=UNKNOWN, overwrite=True)[0].value == {
        "a": 2,
        "b": 3,
    }


def test_what_a_killed_run_wrote_is_ours() -> None:
    """It had sent the change, and the file has changed again since."""
    intended = tree_of({"a": 2}, SALT)
    merged, parts = merge({"a": 1}, {"a": 2}, {"a": 3}, intended=intended)
    assert merged.value == {"a": 3}
    assert [part.outcome for part in parts] == ["update"]
    made, _ = merge({"a": [2]}, {"a": [7, 7]}, {"a": [3]}, shown=UNKNOWN, is_ours=True)
    assert made.value == {"a": [3]}


@pytest.mark.parametrize(
    ("applied", "live", "desired"),
    [({"a": 1}, {"a": 9, "h": 1}, {"a": 1}), ([1, 2], [9, 1], [1, 2]), ({"a": 1}, {}, {"a": 1})],
)
def test_overwrite(applied: Any, live: Any, desired: Any) -> None:
    """What the file names is as the file has it; a member that it does not name stays."""
    merged, parts = merge(applied, live, desired, overwrite=True)
    extra = {"h": 1} if "h" in live else {}
    assert merged.value == (desired | extra if isinstance(desired, dict) else desired)
    assert any(part.write and part.outcome == "drift" for part in parts)


SCALARS = st.sampled_from([None, True, 0, 1, 2, "x", "y"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
OBJECTS = st.recursive(
    SCALARS, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6
)


def same(one: Any, other: Any) -> bool:
    return bool(tree_of(one, SALT) == tree_of(other, SALT))


def oracle(applied: Any, live: Any, desired: Any) -> Any:
    """Return the merge of values without lists."""
    if same(live, desired):
        return live
    dicts = [value for value in (applied, live, desired) if isinstance(value, dict)]
    if isinstance(live, dict) and (len(dicts) == 3 or (desired is ABSENT and len(dicts) == 2)):
        names = dict.fromkeys([*live, *({} if desired is ABSENT else desired)])
        wanted = {} if desired is ABSENT else desired
        merged = {
            name: oracle(
                applied.get(name, ABSENT), live.get(name, ABSENT), wanted.get(name, ABSENT)
            )
            for name in names
        }
        there = {name: value for name, value in merged.items() if value is not ABSENT}
        return there if there or desired is not ABSENT else ABSENT
    if applied is ABSENT and isinstance(live, dict) and isinstance(desired, dict):
        return oracle({}, live, desired)
    if same(live, applied):
        return desired
    if applied is ABSENT and live is None and desired is not ABSENT:
        return desired
    return live


@settings(max_examples=150, deadline=None)
@given(OBJECTS, OBJECTS, OBJECTS)
def test_any_objects(applied: Any, live: Any, desired: Any) -> None:
    """As a simple three-way merge has it."""
    if isinstance(live, dict) and isinstance(desired, dict) and not isinstance(applied, dict):
        return  # three types in two steps: the next test holds what is promised
    merged, _ = merge(applied, live, desired)
    assert same(merged.value, oracle(applied, live, desired))


@settings(max_examples=250, deadline=None)
@given(VALUES, VALUES, VALUES, st.booleans())
def test_any_values(applied: Any, live: Any, desired: Any, overwrite: bool) -> None:
    """With lists too: untouched becomes the file's, unchanged stays, and merging again changes nothing."""
    if same(applied, live):
        assert same(merge(applied, live, desired)[0].value, desired)
    if same(applied, desired):
        merged, parts = merge(applied, live, desired)
        assert same(merged.value, live)
        assert {part.outcome for part in parts} <= {"drift"}
    merged, parts = merge(applied, live, desired, overwrite=overwrite)
    assert merged.writes == any(part.write for part in parts)
    assert merged.writes or same(merged.value, live)
    shown = masked(tree_of(merged.value, SALT), merged.by_hand)
    again = Merge(overwrite=overwrite)
    past = Past(merged.applied, shown)
    second = again.merge(past, Side.of(merged.value, SALT), Side.of(desired, SALT))
    assert not second.writes
    assert same(second.value, merged.value)


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES, VALUES, VALUES)
def test_an_edit_outlives_any_number_of_files(
    applied: Any, live: Any, first: Any, second: Any
) -> None:
    """A scalar of an object that somebody edited is there after two more releases."""
    before, edited = {"k": 1, "m": applied}, {"k": 99, "m": live}
    merged, _ = merge(before, edited, {"k": 2, "m": first})
    assert merged.value["k"] == 99
    shown = masked(tree_of(merged.value, SALT), merged.by_hand)
    work = Merge(overwrite=False)
    last = work.merge(
        Past(merged.applied, shown), Side.of(merged.value, SALT), Side.of({"m": second}, SALT)
    )
    assert last.value["k"] == 99
