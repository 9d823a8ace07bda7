"""CSV with a header (RFC 4180) as records: every value is text, and an empty one is null.

The target decides what a value is: a table reads the text as its column's type, a `jsonb` column as JSON.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from msgspec.json import encode

from compose_seeder.documents.batch import (
    BATCH_RECORDS,
    Batch,
    RawRecord,
    check_strictly,
    fields_of,
    places_by_line,
)
from compose_seeder.documents.elements import Elements, Layout, flat_elements
from compose_seeder.errors import Fault, RecordError
from compose_seeder.sources.content import MAX_BYTES, PIECE_BYTES, Pieces
from compose_seeder.sources.decompress import PiecesFile

OTHER_SEPARATORS = {";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
"""What spreadsheets and databases put in place of commas."""

EXCEL_COMMA = ["sep=", ""]
"""A first line `sep=,`, by which Excel knows the separator."""


@dataclass(frozen=True)
class CsvDocument:
    """A CSV file; its rows are its only array.

    Attributes:
        name: for messages.
        pieces: the text.
    """

    name: str
    pieces: Pieces

    def array(self, pointer: str) -> list[RawRecord]:
        """Return the rows as records, as `Documents.array`."""
        records, texts = [], []
        for batch in self.batches(pointer):
            for n, text in enumerate(batch.texts):
                records.append(RawRecord(batch.where(n), fields_of(text)))
                texts.append(text)
        check_strictly(self.name, records, texts)
        return records

    def batches(self, pointer: str) -> Iterator[Batch]:
        """Yield the rows, as `Documents.batches`; `where` is the line in which a row ends.

        Raises:
            RecordError: the header or rows are wrong; all faults.
        """
        if pointer:
            problem = "there is no array of records; CSV has no pointer"
            raise self._wrong([Fault(f"{self.name}#{pointer}", "", "", problem)])
        csv.field_size_limit(MAX_BYTES)
        rows = csv.reader(self._text(), strict=True)
        try:
            yield from self._batches(rows)
        except csv.Error as error:
            problem = f"is not valid CSV: {error}"
            raise self._wrong([Fault(f"{self.name}:{rows.line_num}", "", "", problem)]) from None

    def elements(self, layout: Layout) -> Iterator[Elements]:
        """Yield the rows, as `Document.elements`."""
        return flat_elements(self.name, self, layout)

    def _text(self) -> io.TextIOWrapper:
        stream = io.BufferedReader(PiecesFile(self.pieces()), PIECE_BYTES)
        return io.TextIOWrapper(stream, encoding="utf-8", newline="")

    def _batches(self, rows: Any) -> Iterator[Batch]:
        names: list[str] = next(rows, [])
        if names == EXCEL_COMMA:
            names = next(rows, [])
        header = self._header(names)
        first, faults = 0, []
        while some := [(rows.line_num, row) for row in islice(rows, BATCH_RECORDS)]:
            kept = [(number, row) for number, row in some if row]
            faults += [
                self._wrong_length(number, row, header)
                for number, row in kept
                if len(row) != len(header)
            ]
            texts = [
                encode(dict(zip(header, [value or None for value in row], strict=False)))
                for _, row in kept
            ]
            if not faults:
                numbers = [number for number, _ in kept]
                yield Batch(first, texts, places_by_line(self.name, numbers))
            first += len(texts)
        if faults:
            raise self._wrong(faults)

    def _wrong_length(self, number: int, row: list[str], header: list[str]) -> Fault:
        problem = f"has {len(row)} values, but the header has {len(header)} names"
        return Fault(f"{self.name}:{number}", "", "", problem)

    def _header(self, names: list[str]) -> list[str]:
        where = f"{self.name}:1"
        if not names:
            raise self._wrong(
                [Fault(where, "", "", "is empty; the first line must hold the names")]
            )
        if len(names) == 1 and (other := next((s for s in OTHER_SEPARATORS if s in names[0]), "")):
            problem = (
                f"the separator is {OTHER_SEPARATORS[other]}, but must be a comma; save the file"
                " with commas, and with a point in decimal numbers"
            )
            raise self._wrong([Fault(where, "", "", problem)])
        faults = [
            Fault(where, "", name, "occurs twice in the header")
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ]
        faults += [
            Fault(where, "", "", f"column {number} has no name")
            for number, name in enumerate(names, start=1)
            if not name
        ]
        if faults:
            raise self._wrong(faults)
        return names

    def _wrong(self, faults: list[Fault]) -> RecordError:
        return RecordError(f"{self.name} has lines that are wrong", faults)
