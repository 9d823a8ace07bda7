"""The records of a dataset with their children in them, from other arrays of the same document.

records ─┐
         ├─▶ records with one more field for each `nest`; later steps see no children
children ┘
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from msgspec import Raw

from compose_seeder.documents.batch import Batch, Documents, RawRecord, raw_records
from compose_seeder.documents.record_values import (
    NULL,
    SECRET,
    ExactValue,
    format_key,
    from_exact,
    to_exact,
    to_scalar,
)
from compose_seeder.errors import ChildrenError, Fault, quote
from compose_seeder.exact_json import encode
from compose_seeder.manifest.models import Dataset, Nest

Parent = tuple[ExactValue | None, ...]
"""The values by which a child names its parent."""

Child = tuple[RawRecord, Mapping[str, Raw]]
"""A record of the file, and its fields without those that name its parent."""


@dataclass
class NestedDocuments:
    """A document whose records have their children in them."""

    dataset: Dataset
    source: Documents

    def array(self, pointer: str) -> list[RawRecord]:
        """Return the records, as `Documents.array`.

        Raises:
            RecordError: as there.
            ChildrenError: children are wrong, with all faults.
        """
        records = self.source.array(pointer)
        if pointer == self.dataset.records:
            faults: list[Fault] = []
            seen: dict[str, set[Parent]] = defaultdict(set)
            nested = [self._with_children(record, seen, faults) for record in records]
            try:
                self._raise_faults(seen, faults)
            except ChildrenError as error:
                error.records = records
                raise
            return nested
        return records

    def batches(self, pointer: str) -> Iterator[Batch]:
        """Yield the records, as `Documents.batches`.

        Raises:
            RecordError: as there.
            ChildrenError: at the end: children are wrong, or have no parent.
        """
        if pointer != self.dataset.records:
            yield from self.source.batches(pointer)
            return
        faults: list[Fault] = []
        seen: dict[str, set[Parent]] = defaultdict(set)
        for batch in self.source.batches(pointer):
            records = raw_records(self.source, pointer, batch)
            nested = [self._with_children(record, seen, faults) for record in records]
            yield replace(batch, texts=[encode(record.fields) for record in nested])
        self._raise_faults(seen, faults)

    @cached_property
    def _children(self) -> dict[str, dict[Parent, list[Child]]]:
        return {name: self._families(nest) for name, nest in self.dataset.nest.items()}

    def _families(self, nest: Nest) -> dict[Parent, list[Child]]:
        families: dict[Parent, list[Child]] = defaultdict(list)
        for child in self.source.array(nest.records):
            fields = {
                field: value
                for field, value in child.fields.items()
                if field not in nest.match and not (self.dataset.drop_null and value == NULL)
            }
            families[_values(child, nest.match)].append((child, fields))
        return dict(families)

    def _with_children(
        self, record: RawRecord, seen: dict[str, set[Parent]], faults: list[Fault]
    ) -> RawRecord:
        fields = dict(record.fields)
        for name, nest in self.dataset.nest.items():
            own = _values(record, nest.match.values())
            # A missing value names no parent.
            family = [] if None in own else self._children[name].get(own, [])
            if nest.by is None:
                fields[name] = Raw(encode([child for _, child in family]))
            else:
                # Several records may have the same children, whose faults are reported once.
                its_faults = [] if own in seen[name] else faults
                fields[name] = Raw(encode(self._by(name, nest, nest.by, family, its_faults)))
            seen[name].add(own)
        return replace(record, fields=fields)

    def _by(
        self, name: str, nest: Nest, by: str, family: list[Child], faults: list[Fault]
    ) -> dict[str, dict[str, Raw]]:
        secret = name in self.dataset.secrets
        children: dict[str, dict[str, Raw]] = {}
        for child, given in family:
            fields = dict(given)
            value = to_scalar(fields.pop(by, NULL))
            shown = SECRET if secret else "null" if value is None else quote(value)
            if not isinstance(value, str):
                problem = f"must be text, since {nest.records} is nested by it; found {shown}"
                faults.append(Fault(child.where, "", by, problem))
            elif value in children:
                problem = f"{shown} occurs twice for one parent; remove one of them"
                faults.append(Fault(child.where, "", by, problem))
            else:
                children[value] = fields
        return children

    def _raise_faults(self, seen: Mapping[str, set[Parent]], faults: list[Fault]) -> None:
        for name, nest in self.dataset.nest.items():
            for parent, orphans in self._children[name].items():
                if None in parent:
                    problem = (
                        f"names no parent: {' and '.join(nest.match)} must be text or a number"
                    )
                elif parent not in seen[name] and not self.dataset.where:
                    shown = [from_exact(value) for value in parent if value is not None]
                    wanted = format_key(nest.match.values(), shown)
                    problem = f"the parent is missing: no record has {wanted}"
                else:
                    continue
                faults += [Fault(child.where, "", name, problem) for child, _ in orphans]
        if faults:
            raise ChildrenError(f"dataset {self.dataset.name} has records that are wrong", faults)


def with_children(dataset: Dataset, document: Documents) -> Documents:
    """Return the document with the dataset's children in its records."""
    return NestedDocuments(dataset, document) if dataset.nest else document


def _values(record: RawRecord, fields: Iterable[str]) -> Parent:
    return tuple(to_exact(record.fields.get(field, NULL)) for field in fields)
