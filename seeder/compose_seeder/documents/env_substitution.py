"""The values of variables in records: `${env:NAME}`, where a dataset lists NAME in its `env`.

`$${env:NAME}` stands for the text itself. The names are listed in the manifest, so that a changed
variable is noticed without reading a file, and a seed file cannot read any other variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import Raw
from msgspec.json import encode

from compose_seeder.documents.batch import Batch, Documents, RawRecord
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
    """

    source: Documents
    values: Mapping[str, str]

    def array(self, pointer: str) -> list[RawRecord]:
        """Return the records, as `Documents.array`.

        Raises:
            RecordError: as there; or records name variables that are not listed.
        """
        found, faults = [], []
        for record in self.source.array(pointer):
            fields = {}
            for name, raw in record.fields.items():
                text = bytes(raw)
                wrong = self._faults(record.where, name, text)
                if b"${env:" in name.encode() or IN_NAME.search(text):
                    wrong = [
                        Fault(
                            record.where,
                            "",
                            name,
                            "has a variable in a name; only values may have variables",
                        )
                    ]
                faults += wrong
                fields[name] = (
                    raw if wrong or b"${env:" not in text else Raw(self._substitute(text))
                )
            found.append(RawRecord(record.where, fields))
        if faults:
            raise RecordError("records name variables that are not listed", faults)
        return found

    def batches(self, pointer: str) -> Iterator[Batch]:
        """Yield the records, as `Documents.batches`.

        Raises:
            RecordError: as `array`.
        """
        for batch in self.source.batches(pointer):
            texts = [bytes(text) for text in batch.texts]
            named = [text for text in texts if b"${env:" in text]
            if any(IN_NAME.search(text) or self._faults("", "", text) for text in named):
                self.array(pointer)  # raises with all faults
            yield replace(batch, texts=[self._substitute(text) for text in texts])

    def _faults(self, where: str, field: str, text: bytes) -> list[Fault]:
        names = (name.decode() for dollar, name in PLACEHOLDER.findall(text) if not dollar)
        return [
            Fault(
                where,
                "",
                field,
                f"names ${{env:{name}}}, which the dataset's env does not list; add {name} to env,"
                f" or write $${{env:{name}}} for the text itself",
            )
            for name in names
            if name not in self.values
        ]

    def _substitute(self, text: bytes) -> bytes:
        def value_of(found: re.Match[bytes]) -> bytes:
            if found[1]:
                return found[0][1:]
            return encode(self.values[found[2].decode()])[1:-1]

        return PLACEHOLDER.sub(value_of, text) if b"${env:" in text else text
