"""JSON Pointer through objects."""

from __future__ import annotations

from compose_seeder.json_pointer import follow_pointer, leads_to_null

DOCUMENT = {"a": {"b/c": {"~": 1}}, "n": None, "x/y": None}


def test_a_pointer_is_followed() -> None:
    """With its escapes; None where it leads nowhere."""
    assert follow_pointer(DOCUMENT, "") == DOCUMENT
    assert follow_pointer(DOCUMENT, "/a/b~1c/~0") == 1
    assert follow_pointer(DOCUMENT, "/a/b") is None
    assert follow_pointer([1], "/0") is None


def test_a_null_is_told_from_nothing() -> None:
    """Some APIs write an empty list so."""
    assert leads_to_null(DOCUMENT, "/n")
    assert leads_to_null(DOCUMENT, "/x~1y")
    assert not leads_to_null(DOCUMENT, "/a")
    assert not leads_to_null(DOCUMENT, "/z")
    assert not leads_to_null(DOCUMENT, "")
