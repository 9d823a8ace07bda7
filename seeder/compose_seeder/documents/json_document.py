"""A JSON document: decoded only as far as a JSON Pointer leads, then read in batches.

bytes ─▶ the whole text ─▶ follow the pointer ─▶ the array's text ─▶ its elements, some at a time
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

from msgspec import DecodeError, Raw, ValidationError
from msgspec.json import decode

from compose_seeder.documents import json_errors, strict_json
from compose_seeder.documents.batch import BATCH_RECORDS, Batch, RawRecord, check_strictly
from compose_seeder.documents.elements import Elements, Layout, json_elements
from compose_seeder.documents.json_array import elements
from compose_seeder.documents.pointer_pattern import NoSuchPlaceError
from compose_seeder.documents.shape_hint import hint_for_document, hint_for_elements
from compose_seeder.documents.wrong_format import other_format
from compose_seeder.errors import Fault, RecordError
from compose_seeder.json_pointer import join_pointer, split_pointer
from compose_seeder.sources.content import Pieces


@dataclass(frozen=True)
class JsonDocument:
    """One JSON document; arrays are read from it by JSON Pointer (RFC 6901).

    Attributes:
        name: for messages.
        pieces: the text.
    """

    name: str
    pieces: Pieces

    @cached_property
    def data(self) -> bytes | bytearray:
        """The whole text; it grows in place, so that it is never in memory twice."""
        found = bytearray()
        for piece in self.pieces():
            found += piece
        return found

    def array(self, pointer: str) -> list[RawRecord]:
        """Return the array's elements as records, as `Documents.array`."""
        raw = self._follow(pointer)
        prefix = f"{self.name}#{pointer}"
        try:
            objects = decode(raw, type=list[dict[str, Raw]])
        except ValidationError:
            raise self._not_records(raw, prefix) from None
        except (DecodeError, RecursionError) as error:
            raise self._malformed(error) from None
        records = [
            RawRecord(f"{prefix}/{position}", fields) for position, fields in enumerate(objects)
        ]
        check_strictly(self.name, records, decode(raw, type=list[Raw]))
        return records

    def batches(self, pointer: str) -> Iterator[Batch]:
        """Yield the array's elements, as `Documents.batches`."""
        prefix = f"{self.name}#{pointer}"
        raw = self._follow(pointer)
        first = 0
        try:
            for some in elements(raw):
                for start in range(0, len(some), BATCH_RECORDS):
                    texts = some[start : start + BATCH_RECORDS]
                    yield Batch(first, texts, partial(_element, prefix, first))
                    first += len(texts)
        except ValidationError:
            raise self._not_records(raw, prefix) from None

    def elements(self, layout: Layout) -> Iterator[Elements]:
        """Yield the elements, as `Document.elements`."""
        try:
            decode(self.data, type=Raw)
            yield from json_elements(self.name, Raw(self.data), layout)
        except NoSuchPlaceError as error:
            pointer = join_pointer(error.path)
            place = f"#{pointer}" if error.path else ""
            reason = error.reason
            if not (layout.keyed or layout.single):
                reason += f"; {hint_for_document(self.data, layout.pattern.text)}"
            fault = Fault(f"{self.name}{place}", "", "", reason)
            raise RecordError("the manifest does not fit", [fault]) from None
        except (DecodeError, RecursionError) as error:
            raise self._malformed(error) from None

    def _follow(self, pointer: str) -> Raw:
        raw = Raw(self.data)
        try:
            decode(self.data, type=Raw)  # all of the text, so that positions count from its start
            for name in split_pointer(pointer):
                fields = decode(raw, type=dict[str, Raw])
                if strict_json.has_twice(raw, fields, name):
                    problem = f"{name} occurs twice in one object; remove one of them"
                    fault = Fault(f"{self.name}#{pointer}", "", "", problem)
                    raise RecordError("a seed file cannot be read", [fault])
                raw = fields[name]
        except (ValidationError, KeyError):
            raise RecordError(
                "the manifest's pointer does not fit", [self._no_array(pointer)]
            ) from None
        except (DecodeError, RecursionError) as error:
            raise self._malformed(error) from None
        return raw

    def _no_array(self, pointer: str) -> Fault:
        problem = f"there is no array of records; {hint_for_document(self.data, pointer)}"
        return Fault(f"{self.name}#{pointer}", "", "", problem)

    def _not_records(self, raw: Raw, prefix: str) -> RecordError:
        try:
            found = decode(raw, type=list[Raw])
        except ValidationError:
            faults = [self._no_array(prefix.partition("#")[2])]
        else:
            hint = hint_for_elements(found)
            problem = f"{json_errors.NOT_AN_OBJECT}; {hint}" if hint else json_errors.NOT_AN_OBJECT
            faults = [
                Fault(f"{prefix}/{position}", "", "", problem)
                for position, element in enumerate(found)
                if not bytes(element).lstrip().startswith(b"{")
            ]
        return RecordError(f"{self.name} does not hold an array of objects", faults)

    def _malformed(self, error: DecodeError | RecursionError) -> RecordError:
        other = "" if isinstance(error, RecursionError) else other_format(bytes(self.data), "json")
        fault = (
            Fault(self.name, "", "", other)
            if other
            else json_errors.fault(self.name, self.data, error)
        )
        return RecordError("a seed file cannot be read", [fault])


def _element(prefix: str, first: int, n: int) -> str:
    return f"{prefix}/{first + n}"
