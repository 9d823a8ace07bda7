"""`${env:NAME}` in the text of records, where a dataset lists NAME in its `env`.

`$${env:NAME}` stands for the text itself. The names are listed in the manifest, so that a changed
variable is noticed without reading a file, and a seed file cannot ask for whatever it likes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import Raw
from msgspec.json import encode

from compose_seeder.documents.json_document import Arrays, Batch, RawRecord
from compose_seeder.errors import Fault, ManifestError, RecordError
from compose_seeder.sources.variables import FaultKind, read_variable

NAMED = re.compile(rb'(\$?)\$\{env:([^}"\\]*)\}')


IN_NAME = re.compile(rb'"(?:[^"\\]|\\.)*\$\{env:[^"]*"\s*:')
"""A field's name with a variable in it."""


def value(variables: Mapping[str, str], name: str) -> str | None:
    """Return a variable's value, or that of the file which NAME_FILE names; None where it is empty.

    Raises:
        ManifestError: the file cannot be read, or the value is not UTF-8 text.
    """
    found = read_variable(variables, name)
    for fault in found.faults:
        if fault.kind is FaultKind.UNREADABLE:
            raise ManifestError(f"{fault.name}: {fault.problem}")
        if fault.kind is FaultKind.NOT_TEXT:
            raise ManifestError(f"env: {fault.name} {fault.problem}")
    return found.text or None


def values(variables: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """The values of the variables that a dataset lists.

    Raises:
        ManifestError: some are not set, with the names of all of them; or one of them is no text.
    """
    found = {name: value(variables, name) for name in names}
    missing = [name for name, text in found.items() if text is None]
    if missing:
        raise ManifestError(
            f"env names {', '.join(missing)}, which the environment does not have;"
            " set it, or NAME_FILE with a file that holds it"
        )
    return {name: text for name, text in found.items() if text is not None}


def fingerprint(variables: Mapping[str, str], name: str) -> str:
    """Of a variable's value: 64 bits of a hash, as the ledger has of other values."""
    text = value(variables, name) or ""
    key = hashlib.sha256(name.encode()).digest()
    return hashlib.blake2b(text.encode(), digest_size=8, key=key).hexdigest()


@dataclass(frozen=True)
class Filled:
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
