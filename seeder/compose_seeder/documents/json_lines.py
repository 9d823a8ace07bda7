"""Newline-delimited JSON: one object on each line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec import DecodeError

from compose_seeder.documents import json_errors
from compose_seeder.documents.batch import (
    Batch,
    RawRecord,
    check_strictly,
    fields_of,
    places_by_line,
)
from compose_seeder.documents.elements import Elements, Layout, flat_elements
from compose_seeder.documents.wrong_format import other_format
from compose_seeder.errors import Fault, RecordError
from compose_seeder.sources.content import Pieces

NEWLINE = b"\n"


@dataclass(frozen=True)
class JsonLines:
    """A file of lines; they are its only array.

    Attributes:
        name: for messages.
        pieces: the text.
    """

    name: str
    pieces: Pieces

    def array(self, pointer: str) -> list[RawRecord]:
        """Return the lines as records, as `Documents.array`."""
        records, texts, faults = [], [], []
        for batch in self.batches(pointer):
            for n, text in enumerate(batch.texts):
                where = batch.where(n)
                try:
                    fields = fields_of(text)
                except (DecodeError, RecursionError) as error:
                    number = int(where.rpartition(":")[2])
                    faults.append(json_errors.fault(self.name, bytes(text), error, number))
                else:
                    records.append(RawRecord(where, fields))
                    texts.append(text)
        if faults:
            if other := other_format(b"".join(self.pieces()), "lines"):
                faults = [Fault(self.name, "", "", other)]
            raise RecordError(f"{self.name} has lines that are wrong", faults)
        check_strictly(self.name, records, texts)
        return records

    def batches(self, pointer: str) -> Iterator[Batch]:
        """Yield the lines, as `Documents.batches`; empty lines are no records, but a file of no bytes is an error.

        Such a file is what is left of one that was not written to its end.
        """
        if pointer:
            problem = "there is no array of records; lines of JSON objects have no pointer"
            fault = Fault(f"{self.name}#{pointer}", "", "", problem)
            raise RecordError("the manifest's pointer does not fit", [fault])
        first, number = 0, 1
        if not any(self.pieces()):
            problem = "the file is empty; write an empty line for no records"
            raise RecordError(f"{self.name} holds nothing", [Fault(self.name, "", "", problem)])
        for block in _blocks_of_lines(self.pieces()):
            lines = block.split(NEWLINE)
            numbers: Sequence[int] = range(number, number + len(lines))
            if b"" in lines or any(map(bytes.isspace, lines)):
                kept = [(n, line) for n, line in zip(numbers, lines, strict=True) if line.strip()]
                numbers, texts = [n for n, _ in kept], [line for _, line in kept]
            else:
                texts = lines
            yield Batch(first, texts, places_by_line(self.name, numbers))
            first, number = first + len(texts), number + len(lines)

    def elements(self, layout: Layout) -> Iterator[Elements]:
        """Yield the lines, as `Document.elements`."""
        return flat_elements(self.name, self, layout)


def _blocks_of_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut pieces at the ends of lines."""
    rest: list[bytes] = []
    for piece in pieces:
        cut = piece.rfind(NEWLINE)
        if cut < 0:
            rest.append(piece)
            continue
        yield b"".join([*rest, piece[:cut]])
        rest = [piece[cut + 1 :]]
    if last := b"".join(rest):
        yield last
