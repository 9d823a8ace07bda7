"""Fields back into the record that a `map` reads them from.

fields, and the record as it was ─▶ the tree of the rules ─▶ the record as it is to be
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from compose_seeder.documents.field_reading import Reading, parts_of
from compose_seeder.documents.pointer_pattern import kind_of
from compose_seeder.documents.record_values import NULL
from compose_seeder.exact_json import encode
from compose_seeder.json_pointer import STAR, join_pointer
from compose_seeder.manifest.field_map import FieldMap, Fields, Node


class NotInvertibleError(Exception):
    """A field's value cannot be written back into the file."""


def write_back(map_: FieldMap, fields: Mapping[str, Raw], before: Raw | None) -> Raw:
    """Return the record that a map reads as some fields.

    Args:
        map_: the rules.
        fields: as the record is to have them.
        before: the record as it was, whose other members stay; None for a new one.

    Raises:
        NotInvertibleError: there is no such record.
    """
    if reason := map_.overlap():
        raise NotInvertibleError(reason)
    for name in fields:
        if not map_.owner(name):
            raise NotInvertibleError(f"no rule of map reads {name}")
    found = _write(map_, map_.root, fields, before)
    return Raw(b"{}") if found is None else found


def _write(map_: FieldMap, node: Node, fields: Mapping[str, Raw], before: Raw | None) -> Raw | None:
    """Return what is to be at a node; None where nothing is."""
    wanted = _fields_of(map_, node, fields)
    if before is not None:
        reading = Reading(map_)
        reading.read(node, before)
        if not reading.problems and reading.fields == wanted:
            return before
    if not node.members and not node.lifted:
        return _one_value(node, fields)
    parts = dict(parts_of(before, lifts=bool(node.lifted)) or {}) if before is not None else {}
    for name, below in node.members.items():
        value = _write(map_, below, fields, parts.get(name))
        if value is None:
            parts.pop(name, None)
        else:
            parts[name] = value
    if node.lifted:
        lifted = {
            member_of(node.lifted, name): raw
            for name, raw in wanted.items()
            if map_.owner(name) == node.lifted
        }
        kept = {name: raw for name, raw in parts.items() if name in node.members or name in lifted}
        parts = kept | lifted
    if not parts:
        return None if node.path else Raw(b"{}")
    was_array = before is not None and kind_of(before) == "an array"
    if was_array or (node.is_array and (before is None or before == NULL)):
        return _array(node, parts)
    return Raw(encode(parts))


def _fields_of(map_: FieldMap, node: Node, fields: Mapping[str, Raw]) -> Fields:
    """Return those of some fields that are read from a node."""
    rules = {name for below in node.all() for name in [*below.fields, below.lifted] if name}
    return {name: raw for name, raw in fields.items() if map_.owner(name) in rules}


def _one_value(node: Node, fields: Mapping[str, Raw]) -> Raw | None:
    values = [fields.get(name) for name in node.fields]
    if any(value != values[0] for value in values):
        raise NotInvertibleError(
            f"{' and '.join(node.fields)} are read from one member, {join_pointer(node.path)}, and differ"
        )
    return values[0] if values else None


def _array(node: Node, parts: Mapping[str, Raw]) -> Raw:
    names = [str(n) for n in range(len(parts))]
    if set(names) != set(parts):
        place = join_pointer(node.path)
        raise NotInvertibleError(f"the array {place} would lack an element before its last one")
    return Raw(encode([parts[name] for name in names]))


def member_of(rule: str, name: str) -> str:
    """Return the member that became a field by a rule with `*`."""
    before, _, after = rule.partition(STAR)
    return name[len(before) : len(name) - len(after)]
