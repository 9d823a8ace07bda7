"""The values of variables in records: `${env:NAME}`, where a dataset lists NAME in its `env`.

`$${env:NAME}` stands for the text itself. The names are listed in the manifest, so that a changed
variable is noticed without reading a file, and a seed file cannot read any other variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import DecodeError, Raw
from msgspec.json import decode, encode

from compose_seeder.documents.batch import Batch, Documents, RawRecord, fields_of
from compose_seeder.documents.cell_variables import CellSyntax, cell_problems, fill_cell
from compose_seeder.errors import Fault, ManifestError, RecordError
from compose_seeder.sources.environment_variable import EnvironmentVariable

PLACEHOLDER = re.compile(rb'(\$?)\$\{env:([^}"\\]*)\}')
"""A variable in a text, after the `$` that escapes it, if there is one."""

IN_NAME = re.compile(rb'"(?:[^"\\]|\\.)*\$\{env:[^"]*"\s*:')
"""A field's name with a variable in it."""


def values_of(variables: Sequence[EnvironmentVariable]) -> dict[str, str]:
    """Return the values of the variables that a dataset lists, by name.

    Raises:
        ManifestError: variables are not set, with all their names; or the value of one is not text.
    """
    found = {variable.name: variable.value() for variable in variables}
    missing = [name for name, text in found.items() if text is None]
    if missing:
        raise ManifestError(
            f"env names {', '.join(missing)}, which the environment does not have;"
            " set it, or NAME_FILE with a file that holds it"
        )
    return {name: text for name, text in found.items() if text is not None}


@dataclass(frozen=True)
class Substituted:
    """A document with the values of variables in its records.

    Attributes:
        source: the document as it was read.
        values: of the variables, by name.
        cells: the fields of a CSV file whose columns have a structure, such as JSON.
    """

    source: Documents
    values: Mapping[str, str]
    cells: Mapping[str, CellSyntax] = field(default_factory=dict)

    def array(self, pointer: str) -> list[RawRecord]:
        """Return the records, as `Documents.array`.

        Raises:
            RecordError: as there; or variables in records are not listed, or cannot be put in.
        """
        found, faults = [], []
        for record in self.source.array(pointer):
            wrong = self._record_faults(record)
            faults += wrong
            found.append(record if wrong else self._filled(record))
        if faults:
            raise RecordError("records have variables that cannot be put in", faults)
        return found

    def batches(self, pointer: str) -> Iterator[Batch]:
        """Yield the records, as `Documents.batches`.

        Raises:
            RecordError: as `array`.
        """
        for batch in self.source.batches(pointer):
            texts = [bytes(text) for text in batch.texts]
            for n, text in enumerate(texts):
                if b"${env:" in text:
                    texts[n] = self._filled_text(text, pointer)
            yield replace(batch, texts=texts)

    def _filled_text(self, text: bytes, pointer: str) -> bytes:
        try:
            # Before the values are in it: a variable outside of a text is no JSON.
            record = RawRecord("", fields_of(text))
        except (DecodeError, RecursionError):
            self.array(pointer)  # raises with all faults
            raise
        if self._record_faults(record):
            self.array(pointer)
        return encode(self._filled(record).fields) if self.cells else self._substitute(text)

    def _record_faults(self, record: RawRecord) -> list[Fault]:
        return [
            Fault(record.where, "", name, problem)
            for name, raw in record.fields.items()
            for problem in self._problems(name, bytes(raw))
        ]

    def _problems(self, name: str, text: bytes) -> list[str]:
        if "${env:" in name or IN_NAME.search(text):
            return ["has a variable in a name; only values may have variables"]
        if b"${env:" not in text:
            return []
        names = (name.decode() for dollar, name in PLACEHOLDER.findall(text) if not dollar)
        unlisted = [
            f"names ${{env:{name}}}, which the dataset's env does not list; add {name} to env,"
            f" or write $${{env:{name}}} for the text itself"
            for name in names
            if name not in self.values
        ]
        if name in self.cells:
            unlisted += cell_problems(decode(text, type=str), self.cells[name], self.values)
        return unlisted

    def _filled(self, record: RawRecord) -> RawRecord:
        fields = {name: self._filled_field(name, raw) for name, raw in record.fields.items()}
        return replace(record, fields=fields)

    def _filled_field(self, name: str, raw: Raw) -> Raw:
        text = bytes(raw)
        if b"${env:" not in text:
            return raw
        if name in self.cells:
            return Raw(encode(fill_cell(decode(text, type=str), self.cells[name], self.values)))
        return Raw(self._substitute(text))

    def _substitute(self, text: bytes) -> bytes:
        def value_of(found: re.Match[bytes]) -> bytes:
            if found[1]:
                return found[0][1:]
            return encode(self.values[found[2].decode()])[1:-1]

        return PLACEHOLDER.sub(value_of, text)
