"""CSV as records: every value is text, or null.

The target decides what a value is: a table reads the text as its column's type, a `jsonb` column as JSON.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
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
from compose_seeder.documents.csv_dialect import (
    UncertainSeparatorError,
    declared_by_excel,
    recognise_separator,
    with_point,
)
from compose_seeder.documents.csv_rows import QuoteKeepingReader
from compose_seeder.documents.elements import Elements, Layout, flat_elements
from compose_seeder.documents.wrong_format import other_format
from compose_seeder.errors import Fault, RecordError, quote
from compose_seeder.manifest.csv_options import CsvOptions
from compose_seeder.manifest.name_pattern import select_names
from compose_seeder.sources.content import MAX_BYTES, PIECE_BYTES, Pieces
from compose_seeder.sources.decompress import PiecesFile

DEFAULTS = CsvOptions()

Row = Sequence[str | None]


@dataclass(frozen=True)
class CsvDocument:
    """A CSV file; its rows are its only array.

    Attributes:
        name: for messages.
        pieces: the text.
        options: how it is written.
        columns: the names, where it has no header.
    """

    name: str
    pieces: Pieces
    options: CsvOptions = DEFAULTS
    columns: tuple[str, ...] = ()

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
        rows, skipped = self._rows()
        try:
            yield from self._batches(rows, skipped)
        except csv.Error as error:
            number = rows.line_num + skipped
            problem = f"is not valid CSV: {error}"
            raise self._wrong([Fault(f"{self.name}:{number}", "", "", problem)]) from None

    def elements(self, layout: Layout) -> Iterator[Elements]:
        """Yield the rows, as `Document.elements`."""
        return flat_elements(self.name, self, layout)

    def _text(self) -> io.TextIOWrapper:
        stream = io.BufferedReader(PiecesFile(self.pieces()), PIECE_BYTES)
        return io.TextIOWrapper(stream, encoding="utf-8", newline="")

    def _rows(self) -> tuple[Any, int]:
        """Return the reader of the rows, and the number of lines before them."""
        first = self._text().readline()
        if first[:1] in set("[{<") and (other := other_format(b"".join(self.pieces()), "csv")):
            raise self._wrong([Fault(self.name, "", "", other)])
        text = self._text()
        skipped = 0
        separator = declared_by_excel(first)
        if separator:
            text.readline()
            skipped = 1
        else:
            try:
                separator = recognise_separator(first, self.options)
            except UncertainSeparatorError as error:
                problem = (
                    f"the separator may be {error}; name it in the manifest, as in csv = {{ separator"
                    ' = ";" }'
                )
                raise self._wrong([Fault(f"{self.name}:1", "", "", problem)]) from None
        if self.options.quoted_empty:
            return QuoteKeepingReader(text, separator, self.options.quote), skipped
        escape = self.options.escape
        reader = csv.reader(
            text,
            strict=True,
            delimiter=separator,
            quotechar=self.options.quote,
            escapechar=escape,
            doublequote=escape is None,
        )
        return reader, skipped

    def _batches(self, rows: Any, skipped: int) -> Iterator[Batch]:
        header = list(self.columns) or self._header(next(rows, []), 1 + skipped)
        values_of = _values(self.options)
        commas = [header.index(n) for n in select_names(self.options.decimal_comma, header)]
        first = 0
        faults = self._unknown_columns(header)
        while some := [(rows.line_num + skipped, row) for row in islice(rows, BATCH_RECORDS)]:
            kept = [(number, row) for number, row in some if row]
            faults += [
                self._wrong_length(number, row, header)
                for number, row in kept
                if len(row) != len(header)
            ]
            if commas:
                kept = [
                    (number, self._with_points(number, row, header, commas, faults))
                    for number, row in kept
                ]
            texts = [encode(dict(zip(header, values_of(row), strict=False))) for _, row in kept]
            if not faults:
                numbers = [number for number, _ in kept]
                yield Batch(first, texts, places_by_line(self.name, numbers))
            first += len(texts)
        if faults:
            raise self._wrong(faults)

    def _with_points(
        self, number: int, row: Row, header: list[str], commas: list[int], faults: list[Fault]
    ) -> Row:
        values = list(row)
        for n in commas:
            value = values[n] if n < len(values) else None
            if not value:
                continue
            values[n] = with_point(value)
            if values[n] is None:
                problem = (
                    f"found {quote(value)}, but csv.decimal_comma names this column: a point may only stand between"
                    " thousands"
                )
                faults.append(Fault(f"{self.name}:{number}", "", header[n], problem))
        return values

    def _unknown_columns(self, header: list[str]) -> list[Fault]:
        names = [n for n in self.options.decimal_comma if not select_names((n,), header)]
        return [
            Fault(
                f"{self.name}:1",
                "",
                "",
                f"csv.decimal_comma names {name}, but the file has no such column",
            )
            for name in names
        ]

    def _wrong_length(self, number: int, row: Row, header: list[str]) -> Fault:
        names = "columns has" if self.columns else "the header has"
        problem = f"has {len(row)} values, but {names} {len(header)} names"
        return Fault(f"{self.name}:{number}", "", "", problem)

    def _header(self, row: list[str | None], number: int) -> list[str]:
        where = f"{self.name}:{number}"
        names = [name or "" for name in row]
        if not names:
            raise self._wrong(
                [Fault(where, "", "", "is empty; the first line must hold the names")]
            )
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


def _values(options: CsvOptions) -> Callable[[Row], Row]:
    """Return what makes null of the values that stand for it."""
    nulls = options.nulls
    if options.quoted_empty:
        others = nulls - {""}
        return lambda row: [None if value in others else value for value in row]
    if nulls == {""}:
        return lambda row: [value or None for value in row]
    return lambda row: [None if value in nulls else value for value in row]
