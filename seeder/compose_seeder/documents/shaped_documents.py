"""Documents whose elements have become records by a shape: everything after it sees ordinary records.

files ─▶ elements ─▶ shape ─▶ batches of records' texts, each with its place in the file
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from msgspec import DecodeError, Raw
from msgspec.json import encode

from compose_seeder.documents import json_errors, strict_json
from compose_seeder.documents.batch import (
    BATCH_RECORDS,
    Batch,
    JoinedDocuments,
    RawRecord,
    fields_of,
)
from compose_seeder.documents.elements import Document, Elements
from compose_seeder.documents.pointer_pattern import NoSuchPlaceError
from compose_seeder.documents.record_filter import Seen
from compose_seeder.documents.shape import Shape, WrongElementError
from compose_seeder.errors import Fault, RecordError, did_you_mean
from compose_seeder.json_pointer import join_pointer, split_pointer
from compose_seeder.manifest.field_map import Fields
from compose_seeder.manifest.models import Dataset


@dataclass(frozen=True)
class ShapedDocuments:
    """The documents of a dataset that has a shape.

    Attributes:
        dataset: whose they are.
        shape: of its records.
        parts: the path of each file, and its document.
    """

    dataset: Dataset
    shape: Shape
    parts: Sequence[tuple[str, Document]]

    def array(self, pointer: str) -> list[RawRecord]:
        """Return the records, as `Documents.array`."""
        if pointer != self.dataset.records:
            return self._as_they_are.array(pointer)
        return [
            RawRecord(batch.where(n), fields_of(text))
            for batch in self.batches(pointer)
            for n, text in enumerate(batch.texts)
        ]

    def batches(self, pointer: str) -> Iterator[Batch]:
        """Yield the records, as `Documents.batches`.

        Raises:
            RecordError: at the end: elements are wrong, or rules of the manifest find nothing.
        """
        if pointer != self.dataset.records:
            yield from self._as_they_are.batches(pointer)
            return
        shaping = Shaping(self.dataset, self.shape)
        texts: list[Raw | bytes] = []
        wheres: list[str] = []
        first = 0
        for where, text in self._records(shaping):
            texts.append(text)
            wheres.append(where)
            if len(texts) == BATCH_RECORDS:
                yield Batch(first, texts, wheres.__getitem__)
                first, texts, wheres = first + len(texts), [], []
        shaping.finish(self.parts[0][0])
        if texts:
            yield Batch(first, texts, wheres.__getitem__)

    @cached_property
    def _as_they_are(self) -> JoinedDocuments:
        return JoinedDocuments([document for _, document in self.parts])

    def _records(self, shaping: Shaping) -> Iterator[tuple[str, bytes]]:
        for file, document in self.parts:
            try:
                for elements in document.elements(self.shape.layout):
                    for where, text in shaping.shape_all(file, elements):
                        if not shaping.faults:
                            yield where, text
            except RecordError as error:
                shaping.faults += error.faults


@dataclass
class Shaping:
    """One pass over the files of a dataset.

    Attributes:
        dataset: whose they are.
        shape: of its records.
        faults: what is wrong so far.
        elements: how many there were.
        used: the fields whose rules found something.
        seen: what `where` looked at.
    """

    dataset: Dataset
    shape: Shape
    faults: list[Fault] = field(default_factory=list)
    elements: int = 0
    used: set[str] = field(default_factory=set)
    seen: Seen = field(default_factory=Seen)
    _members: dict[str, None] = field(default_factory=dict)

    def shape_all(self, file: str, elements: Elements) -> Iterator[tuple[str, bytes]]:
        """Yield the records that some elements become, each with its place."""
        batch = elements.batch
        added = self._added(file, elements)
        objects = self._objects(file, batch)
        for n, own in enumerate(objects):
            if own is None or (self.shape.where and not self.shape.where.accepts(own, self.seen)):
                continue
            extra = added
            if self.shape.key_as and elements.names is not None:
                extra = {self.shape.key_as: Raw(encode(elements.names[n])), **added}
            yield batch.where(n), encode(self._fields(batch, n, own, extra))

    def _objects(self, file: str, batch: Batch) -> list[Fields | None]:
        """Return the elements of a batch as objects; None for what is wrong."""
        found = [self._object(file, batch, n) for n in range(len(batch.texts))]
        if self.elements < MAX_MEMBERS:
            self._members |= dict.fromkeys(name for own in found if own for name in own)
        self.elements += len(found)
        pairs = [(n, own) for n, own in enumerate(found) if own is not None]
        has_names = bool(self.shape.columns or self.shape.value_as)
        texts = [encode(own) if has_names else batch.texts[n] for n, own in pairs]
        if strict_json.any_faults(texts, [own for _, own in pairs]):
            for (n, own), text in zip(pairs, texts, strict=True):
                for fault in strict_json.faults(batch.where(n), bytes(text), own):
                    self.faults.append(self._without_names(fault))
                    found[n] = None
        return found

    def finish(self, file: str) -> None:
        """Check that the rules found something.

        Args:
            file: the path of the first file.

        Raises:
            RecordError: they did not, or elements are wrong.
        """
        if not self.faults and self.elements:
            self.faults += [Fault(file, "", "", problem) for problem in self._idle_rules()]
        if self.faults:
            what = f"dataset {self.dataset.name} has records that are wrong"
            raise RecordError(what, self.faults)

    def _idle_rules(self) -> list[str]:
        shape = self.shape
        if shape.where and not self.seen.accepted:
            return [shape.where.problem(self.seen, shows_values=not self.dataset.secrets)]
        pointers = {f"map.{name}": pointer for name, pointer in self.dataset.map_.items()}
        pointers |= {f"outer.{name}": pointer for name, pointer in self.dataset.outer.items()}
        return [
            f"{rule} reads {pointer}, which no record has{self._near(pointer)}"
            for rule, pointer in pointers.items()
            if rule.partition(".")[2] not in self.used
        ]

    def _near(self, pointer: str) -> str:
        """Suggest a member of the records for one of a pointer that leads nowhere."""
        name, *rest = split_pointer(pointer) or [""]
        return "" if rest or name in self._members else did_you_mean(name, list(self._members))

    def _added(self, file: str, elements: Elements) -> Fields:
        try:
            added = self.shape.added(file, elements.match)
        except LookupError as error:
            problem = f"constants has {error.args[0]}, but the file is in no such folder of the manifest's"
            self.faults.append(Fault(file, "", "", problem))
            return {}
        except NoSuchPlaceError as error:
            self.faults.append(Fault(f"{file}#{join_pointer(error.path)}", "", "", error.reason))
            return {}
        self.used |= {name for name in self.shape.outer or {} if name in added}
        return added

    def _object(self, file: str, batch: Batch, n: int) -> Fields | None:
        text = batch.texts[n]
        try:
            return self.shape.object_of(text)
        except WrongElementError as error:
            self.faults.append(Fault(batch.where(n), "", "", str(error)))
        except (DecodeError, RecursionError) as error:
            line = batch.where(n).rpartition(":")[2]
            number = int(line) if line.isdigit() else 1
            self.faults.append(json_errors.fault(file, bytes(text), error, number))
        return None

    def _without_names(self, fault: Fault) -> Fault:
        """Return a fault that does not show the names within a value, which may be secret."""
        if not self.dataset.secrets:
            return fault
        return Fault(fault.where, "", fault.field.partition("/")[0], fault.problem)

    def _fields(self, batch: Batch, n: int, own: Fields, added: Mapping[str, Raw]) -> Fields:
        reading = self.shape.read(own, self.used)
        self.faults += [Fault(batch.where(n), "", name, why) for name, why in reading.problems]
        fields = reading.fields
        for name, value in added.items():
            if fields.setdefault(name, value) != value:
                problem = (
                    f"{self._source_of(name)} gives the record this field, but the record has it too, with another"
                    " value; rename one of them"
                )
                self.faults.append(Fault(batch.where(n), "", name, problem))
        return fields

    def _source_of(self, name: str) -> str:
        if name == self.shape.key_as:
            return "key_as"
        return f"outer.{name}" if name in (self.shape.outer or {}) else f"constants.{name}"


MAX_MEMBERS = 10_000
"""How many elements are looked at for suggestions."""
