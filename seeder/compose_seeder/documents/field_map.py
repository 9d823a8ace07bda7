"""`map`: which members of a record become which fields, and back.

map = { name = "/name/common", "*" = "/fields/*" }

the record ─▶ a tree of the names that the pointers go through ─▶ fields
fields, and the record as it was ─▶ the same tree ─▶ the record as it is to be
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from msgspec import Raw, ValidationError
from msgspec.json import Decoder

from compose_seeder.documents.pointer_pattern import STAR, kind_of
from compose_seeder.documents.record_values import NULL
from compose_seeder.exact_json import encode
from compose_seeder.json_pointer import join_pointer, split_pointer

Fields = dict[str, Raw]
"""Raw JSON by name."""

members_of = Decoder(Fields).decode

elements_of = Decoder(list[Raw]).decode

MAX_OWNERS = 10_000
"""How many names are remembered with their rules: records may have members of any name."""


class NotInvertibleError(Exception):
    """A field's value cannot be written back into the file."""


@dataclass
class Node:
    """What is read from one place of a record.

    Attributes:
        path: to the place.
        fields: which get the value there.
        members: what is read from its members.
        lifted: the field's name, with `*`, of each member that nothing else is read from.
    """

    path: tuple[str, ...] = ()
    fields: list[str] = field(default_factory=list)
    members: dict[str, Node] = field(default_factory=dict)
    lifted: str = ""

    @property
    def is_array(self) -> bool:
        """Return whether its members are 0, 1, 2, …, so that a new one is an array."""
        return [*self.members] != [] and not self.lifted and all(map(str.isdigit, self.members))

    def all(self) -> Iterator[Node]:
        """Yield this node and all below it."""
        yield self
        for one in self.members.values():
            yield from one.all()


@dataclass(frozen=True)
class FieldMap:
    """The rules of one `map`.

    Attributes:
        rules: field -> JSON Pointer; both end with `*` where all members are lifted.
    """

    rules: Mapping[str, str]

    @cached_property
    def root(self) -> Node:
        """The rules as a tree."""
        root = Node()
        for name, pointer in self.rules.items():
            node = root
            *names, last = split_pointer(pointer) or [""]
            lifts = STAR in name
            for part in names if lifts or not pointer else [*names, last]:
                node = node.members.setdefault(part, Node((*node.path, part)))
            if lifts:
                node.lifted = name
            else:
                node.fields.append(name)
        return root

    @cached_property
    def exact(self) -> frozenset[str]:
        """The fields that a rule names."""
        return frozenset(name for name in self.rules if STAR not in name)

    @cached_property
    def patterns(self) -> list[str]:
        """The names with `*`, the longest first: it decides whose a field is."""
        return sorted((name for name in self.rules if STAR in name), key=len, reverse=True)

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with the rules themselves."""
        lifted: dict[str, str] = {}
        for name, pointer in self.rules.items():
            *_, last = split_pointer(pointer) or [""]
            stars = (name.count(STAR), pointer.count(STAR), int(last == STAR))
            if stars not in {(0, 0, 0), (1, 1, 1)}:
                yield (
                    f'map.{name} reads {pointer}: "*" lifts all members, as in "*" = "/fields/*" or'
                    f' "name_*" = "/names/*"; it is the last part of the pointer, and once in the name'
                )
            elif STAR in name and pointer in lifted:
                yield f"map.{lifted[pointer]} and map.{name} both lift {pointer}; remove one of them"
            lifted.setdefault(pointer, name)

    def overlap(self) -> str:
        """Return two rules that read the same value as a whole and in part, or ""."""
        for node in self.root.all():
            if node.fields and (node.members or node.lifted):
                return f"map.{node.fields[0]} reads a value that other rules read parts of"
        return ""

    def owner(self, name: str) -> str:
        """Return the rule that writes a field; "" where none does."""
        found = self._owners.get(name)
        if found is None:
            found = name if name in self.exact else self._pattern_of(name)
            if len(self._owners) < MAX_OWNERS:
                self._owners[name] = found
        return found

    def _pattern_of(self, name: str) -> str:
        return next((rule for rule in self.patterns if fits(rule, name)), "")

    @cached_property
    def _owners(self) -> dict[str, str]:
        """The answers of `owner` so far."""
        return {}


def fits(rule: str, name: str) -> bool:
    """Tell if a name is one that a name with `*` stands for."""
    before, _, after = rule.partition(STAR)
    return (
        len(name) >= len(before) + len(after) and name.startswith(before) and name.endswith(after)
    )


def member_of(rule: str, name: str) -> str:
    """Return the member that became a field by a rule with `*`."""
    before, _, after = rule.partition(STAR)
    return name[len(before) : len(name) - len(after)]


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
        parts = _parts(raw, lifts=bool(node.lifted))
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


def _parts(raw: Raw | bytes, *, lifts: bool) -> Mapping[str, Raw] | None:
    """Return the members of an object, or the elements of an array by their numbers; None of all else."""
    try:
        return members_of(raw)
    except ValidationError:
        if lifts or kind_of(raw) != "an array":
            return None
        return {str(n): one for n, one in enumerate(elements_of(raw))}


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
    parts = dict(_parts(before, lifts=bool(node.lifted)) or {}) if before is not None else {}
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
