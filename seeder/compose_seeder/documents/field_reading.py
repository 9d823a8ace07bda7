"""A record to fields, by the rules of a `map`.

the record ─▶ the tree of the rules ─▶ fields
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Raw, ValidationError
from msgspec.json import Decoder

from compose_seeder.documents.pointer_pattern import kind_of
from compose_seeder.documents.record_values import NULL
from compose_seeder.json_pointer import STAR, join_pointer
from compose_seeder.manifest.field_map import FieldMap, Fields, Node

members_of = Decoder(Fields).decode

elements_of = Decoder(list[Raw]).decode


@dataclass
class Reading:
    """One record as it is read.

    Attributes:
        fields: what is read so far.
        problems: what is wrong, each by the field or the pointer that it is about.
        used: the rules that found something.
    """

    map_: FieldMap
    fields: Fields = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def read(self, node: Node, raw: Raw) -> None:
        """Read the fields of a node from what is there."""
        for name in node.fields:
            self.fields[name] = raw
            self.used.add(name)
        if not node.members and not node.lifted:
            return
        if raw == NULL:
            # Nothing is there, in the file's own words.
            for below in node.all():
                for name in below.fields:
                    self.fields[name] = NULL
                    self.used.add(name)
            return
        parts = parts_of(raw, lifts=bool(node.lifted))
        if parts is None:
            self._no_members(node, raw)
        else:
            self.read_members(node, parts)

    def read_members(self, node: Node, parts: Mapping[str, Raw]) -> None:
        """Read what comes from the members of an object, or the elements of an array."""
        for name, below in node.members.items():
            if name in parts:
                self.read(below, parts[name])
        if node.lifted:
            self._lift(node, parts)

    def _lift(self, node: Node, parts: Mapping[str, Raw]) -> None:
        rule = node.lifted
        self.used.add(rule)
        for member, raw in parts.items():
            if member in node.members:
                continue
            name = member if rule == STAR else rule.replace(STAR, member)
            owner = self.map_.owner(name)
            if owner == rule and name not in self.fields:
                self.fields[name] = raw
                continue
            source = join_pointer((*node.path, member))
            by = self.map_.rules[owner] if owner != rule else "another member"
            problem = (
                f"map lifts {source} to {name}, which is also the field of {by}; give one of them another name in"
                f' map, as in {name}_2 = "{source}"'
            )
            self.problems.append((name, problem))

    def _no_members(self, node: Node, raw: Raw) -> None:
        rules = [name for below in node.all() for name in below.fields]
        rule = rules[0] if rules else node.lifted
        place = join_pointer(node.path)
        problem = f"map.{rule} reads {self.map_.rules[rule]}, but {place or 'the record'} is {kind_of(raw)}"
        self.problems.append((rule, problem))


def parts_of(raw: Raw | bytes, *, lifts: bool) -> Mapping[str, Raw] | None:
    """Return the members of an object, or the elements of an array by their numbers; None of all else."""
    try:
        return members_of(raw)
    except ValidationError:
        if lifts or kind_of(raw) != "an array":
            return None
        return {str(n): one for n, one in enumerate(elements_of(raw))}
