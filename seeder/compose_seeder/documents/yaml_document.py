"""A YAML document: read as the JSON that it means, with lines and columns in messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

from compose_seeder.documents.batch import Batch, RawRecord
from compose_seeder.documents.elements import Elements, Layout
from compose_seeder.documents.json_document import JsonDocument
from compose_seeder.documents.yaml_to_json import Converted, to_json
from compose_seeder.errors import RecordError
from compose_seeder.sources.content import Pieces


@dataclass(frozen=True)
class YamlDocument:
    """One YAML document.

    Attributes:
        name: for messages.
        pieces: the text.
    """

    name: str
    pieces: Pieces

    @cached_property
    def _converted(self) -> Converted:
        return to_json(self.name, b"".join(self.pieces()))

    @cached_property
    def _json(self) -> JsonDocument:
        text = self._converted.text
        return JsonDocument(self.name, lambda: iter([text]))

    def array(self, pointer: str) -> list[RawRecord]:
        """Return the array's elements as records, as `Documents.array`."""
        try:
            found = self._json.array(pointer)
        except RecordError as error:
            raise self._placed(error) from None
        return [replace(record, where=self._place(record.where)) for record in found]

    def batches(self, pointer: str) -> Iterator[Batch]:
        """Yield the array's elements, as `Documents.batches`."""
        try:
            for batch in self._json.batches(pointer):
                yield self._batch(batch)
        except RecordError as error:
            raise self._placed(error) from None

    def elements(self, layout: Layout) -> Iterator[Elements]:
        """Yield the elements, as `Document.elements`."""
        try:
            for elements in self._json.elements(layout):
                yield replace(elements, batch=self._batch(elements.batch))
        except RecordError as error:
            raise self._placed(error) from None

    def _batch(self, batch: Batch) -> Batch:
        return replace(batch, place=partial(_place_of, self._place, batch.place))

    def _place(self, where: str) -> str:
        name, sign, pointer = where.partition("#")
        place = self._converted.places.get(pointer)
        return f"{self.name}:{place}" if sign and pointer and name == self.name and place else where

    def _placed(self, error: RecordError) -> RecordError:
        faults = [replace(fault, where=self._place(fault.where)) for fault in error.faults]
        return RecordError(error.what, faults, error.count)


def _place_of(place: Callable[[str], str], inner: Callable[[int], str], n: int) -> str:
    return place(inner(n))
