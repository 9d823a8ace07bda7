"""`map`: which members of a record become which fields.

map = { name = "/name/common", "*" = "/fields/*" }

the record ─▶ a tree of the names that the pointers go through ─▶ fields
fields, and the record as it was ─▶ the same tree ─▶ the record as it is to be
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from msgspec import Raw

from compose_seeder.json_pointer import STAR, split_pointer

Fields = dict[str, Raw]
"""Raw JSON by name."""

MAX_OWNERS = 10_000
"""How many names are remembered with their rules: records may have members of any name."""


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
