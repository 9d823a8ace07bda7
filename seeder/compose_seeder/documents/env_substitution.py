"""`${env:NAME}` in the text of records, where a dataset lists NAME in its `env`.

`$${env:NAME}` stands for the text itself. The names are listed in the manifest, so that a changed
variable is noticed without reading a file, and a seed file cannot ask for whatever it likes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import Raw
from msgspec.json import encode

from compose_seeder.documents.json_document import Arrays, Batch, RawRecord
from compose_seeder.errors import Fault, ManifestError, RecordError
from compose_seeder.sources.environment_variable import EnvironmentVariable

NAMED = re.compile(rb'(\$?)\$\{env:([^}"\\]*)\}')


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
    """Documents with the values of variables in their text.

    Attributes:
        values: of the variables, by name.
    """

    source: Arrays
    values: Mapping[str, str]

    def array(self, pointer: str) -> list[RawRecord]:
        """The records of the array at `pointer`.

        Raises:
            RecordError: as of the document's own; a record names a variable that is not listed.
        """
        found, faults = [], []
        for record in self.source.array(pointer):
            fields = {}
            for name, raw in record.fields.items():
                text = bytes(raw)
                wrong = self._faults(record.where, name, text)
                if b"${env:" in name.encode() or IN_NAME.search(text):
                    wrong = [
                        Fault(record.where, "", name, "has a variable in a name: only values may")
                    ]
                faults += wrong
                fields[name] = raw if wrong or b"${env:" not in text else Raw(self._fill(text))
            found.append(RawRecord(record.where, fields))
        if faults:
            raise RecordError("records name variables that are not listed", faults)
        return found

    def batches(self, pointer: str) -> Iterator[Batch]:
        """The same, some at a time.

        Raises:
            RecordError: as `array`.
        """
        for batch in self.source.batches(pointer):
            texts = [bytes(text) for text in batch.texts]
            named = [text for text in texts if b"${env:" in text]
            if any(IN_NAME.search(text) or self._faults("", "", text) for text in named):
                self.array(pointer)  # names all of them
            yield replace(batch, texts=[self._fill(text) for text in texts])

    def _faults(self, where: str, field: str, text: bytes) -> list[Fault]:
        names = (name.decode() for dollar, name in NAMED.findall(text) if not dollar)
        return [
            Fault(
                where,
                "",
                field,
                f"names ${{env:{name}}}, which env of the dataset does not list; add {name} there,"
                f" or write $${{env:{name}}} for the text itself",
            )
            for name in names
            if name not in self.values
        ]

    def _fill(self, text: bytes) -> bytes:
        def one(found: re.Match[bytes]) -> bytes:
            if found[1]:
                return found[0][1:]
            return encode(self.values[found[2].decode()])[1:-1]

        return NAMED.sub(one, text) if b"${env:" in text else text
