"""CSV with a header (RFC 4180) as records: every value is text, and an empty one is null.

What a value is, the target says: a table reads the text as its column's type, a `jsonb` column as JSON.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from msgspec import Raw
from msgspec.json import decode, encode

from compose_seeder.documents.json_document import BATCH, Batch, Document, RawRecord, line
from compose_seeder.errors import Fault, RecordError
from compose_seeder.sources.content import MAX_BYTES, PIECE_BYTES
from compose_seeder.sources.decompress import PiecesFile


@dataclass(frozen=True)
class CsvDocument(Document):
    """A CSV file; its rows are its only array."""

    def array(self, pointer: str) -> list[RawRecord]:
        """The rows as records.

        Raises:
            RecordError: the header or rows are wrong; all of them.
        """
        records, texts = [], []
        for batch in self.batches(pointer):
            for n, text in enumerate(batch.texts):
                records.append(RawRecord(batch.where(n), decode(text, type=dict[str, Raw])))
                texts.append(text)
        self._check_strictly(records, texts)
        return records

    def batches(self, pointer: str) -> Iterator[Batch]:
        """The rows, some at a time; `where` is the line in which a row ends.

        Raises:
            RecordError: the header or rows are wrong; all of them.
        """
        if pointer:
            problem = "there is no array of records; CSV has no pointer"
            raise self._wrong([Fault(f"{self.name}#{pointer}", "", "", problem)])
        csv.field_size_limit(MAX_BYTES)
        rows = csv.reader(self._text(), strict=True)
        try:
            yield from self._batches(rows)
        except csv.Error as error:
            problem = f"is not CSV: {error}"
            raise self._wrong([Fault(f"{self.name}:{rows.line_num}", "", "", problem)]) from None

    def _text(self) -> io.TextIOWrapper:
        stream = io.BufferedReader(PiecesFile(self.pieces()), PIECE_BYTES)
        return io.TextIOWrapper(stream, encoding="utf-8", newline="")

    def _batches(self, rows: Any) -> Iterator[Batch]:
        header = self._header(next(rows, []))
        first, faults = 0, []
        while some := [(rows.line_num, row) for row in islice(rows, BATCH)]:
            kept = [(number, row) for number, row in some if row]
            faults += [
                Fault(
                    f"{self.name}:{number}",
                    "",
                    "",
                    f"has {len(row)} values, and the header has {len(header)} names",
                )
                for number, row in kept
                if len(row) != len(header)
            ]
            texts = [
                encode(dict(zip(header, [value or None for value in row], strict=False)))
                for _, row in kept
            ]
            if not faults:
                numbers = [number for number, _ in kept]
                yield Batch(first, texts, partial(line, self.name, numbers))
            first += len(texts)
        if faults:
            raise self._wrong(faults)

    def _header(self, names: list[str]) -> list[str]:
        where = f"{self.name}:1"
        if not names:
            raise self._wrong([Fault(where, "", "", "is empty: the first line has the names")])
        faults = [
            Fault(where, "", name, "is there twice in the header")
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
