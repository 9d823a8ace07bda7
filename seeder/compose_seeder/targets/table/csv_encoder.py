"""Records' texts to CSV for COPY, column by column.

    texts ─▶ msgspec, by the columns' types ─▶ columns of values ─▶ CSV

Only records that need no second thought: one field set, scalars and JSON. Whatever does not fit, a fault in a record
included, is left to the comparison, which knows how to name it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Raw

from compose_seeder.documents import strict_json
from compose_seeder.documents.batch import Batch, fields_of
from compose_seeder.documents.record_values import ExactValue, Scalar, from_exact
from compose_seeder.exact_json import decode
from compose_seeder.manifest.models import Dataset
from compose_seeder.targets.table.columns import Column

Strings = list[str]
Columns = list[Sequence[Any]]
Ids = Mapping[ExactValue, Sequence[object]]


class NotPlainError(Exception):
    """The records have to go through the comparison."""


@dataclass(frozen=True, slots=True)
class _CsvColumn:
    """One column to write: the record's field, and how its values become CSV."""

    column: str
    write: Callable[[Sequence[Any], bool], Strings]


class CsvEncoder:
    """Records' texts to CSV, column by column, by the field set of the first one."""

    def __init__(
        self,
        dataset: Dataset,
        columns: Mapping[str, Column],
        batch: Batch,
        references: Mapping[str, Ids],
    ) -> None:
        try:
            first = msgspec.json.decode(bytes(batch.texts[0]), type=dict[str, Raw])
        except msgspec.DecodeError:
            raise NotPlainError from None
        sources: dict[str, list[str]] = {}
        for name, ref in dataset.refs.items():
            sources.setdefault(ref.from_, []).append(name)
        types: list[tuple[str, Any]] = []
        parts: list[_CsvColumn] = []
        names: list[str] = []
        ignored = dataset.ignored(first)
        for name in first:
            if name in ignored:
                types.append((f"f{len(types)}", Raw))
                continue
            if name in sources:
                type_: Any = str | int | None
                some = [_CsvColumn(ref, _by_reference(references[ref])) for ref in sources[name]]
            else:
                type_, write = _field_type(columns.get(name))
                some = [_CsvColumn(name, write)]
            names += [f"f{len(types)}"] * len(some)
            parts += some
            types.append((f"f{len(types)}", type_))
        if not parts or len({part.column for part in parts}) < len(parts):
            raise NotPlainError
        rename = {f"f{n}": name for n, name in enumerate(first)}
        check_field_names(first)
        record = msgspec.defstruct(
            "Record", types, rename=rename, forbid_unknown_fields=True, gc=False
        )
        self.columns = [part.column for part in parts]
        self._parts = parts
        self._decoder = msgspec.json.Decoder(list[record])  # type: ignore[valid-type]
        self._get = attrgetter(*names)
        if not set(dataset.key) <= set(self.columns) - set(dataset.refs):
            raise NotPlainError
        self._names = len(types)
        self._nested = [n for n, part in enumerate(parts) if part.write is _json]
        self._key = [self.columns.index(name) for name in dataset.key]

    def encode(self, batch: Batch) -> tuple[str, Columns]:
        """Return the records as CSV, and a column of values for each field of the key.

        Raises:
            NotPlainError: a record has another field set, or no key.
        """
        text = b"[" + b",".join(batch.texts) + b"]"
        try:
            records = self._decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise NotPlainError from None
        rows = map(self._get, records)
        values = list(zip(*rows, strict=True)) if len(self._parts) > 1 else [tuple(rows)]
        key = [self._values(values[n], n) for n in self._key]
        if any(None in column for column in key):
            raise NotPlainError
        self._check_names(batch, text, values)
        escaped = b"\\" in text
        written = [
            part.write(column, escaped) for part, column in zip(self._parts, values, strict=True)
        ]
        lines = map("\t".join, zip(*written, strict=True))
        return "\n".join(lines) + "\n", key

    def _values(self, column: Sequence[Any], n: int) -> Sequence[Any]:
        if self._parts[n].write is not _number:
            return column
        return [decode(bytes(value)) for value in column]

    def _check_names(self, batch: Batch, text: bytes, values: Sequence[Sequence[Any]]) -> None:
        """Raise `NotPlainError` where a record may have a name twice: the comparison names it."""
        nested = sum(b"".join(values[n]).count(strict_json.END_OF_NAME) for n in self._nested)
        if strict_json.is_plain(text, len(batch.texts) * self._names + nested) and not any(
            strict_json.any_repeats(values[n]) for n in self._nested
        ):
            return
        if any(strict_json.faults("", bytes(one), fields_of(one)) for one in batch.texts):
            raise NotPlainError


def check_field_names(names: Iterable[str]) -> None:
    """Raise `NotPlainError` where msgspec cannot give a field one of the names."""
    if any(map(strict_json.ODD.search, names)):
        raise NotPlainError


NUMBERS = b"0123456789.+-eEnul"
"""What JSON's numbers and null are written with."""

QUOTED = re.compile(r'"-?[0-9]+(\.[0-9]+)?"')


def _field_type(column: Column | None) -> tuple[Any, Callable[[Sequence[Any], bool], Strings]]:
    """Return the type that a column's values have in the file, and how they become CSV."""
    if column is None or column.generated or column.category in "ACP":
        raise NotPlainError
    match column.base:
        case "int2" | "int4" | "int8":
            return int | None, _plain
        case "bool":
            return bool | None, _plain
        case "numeric" | "float4" | "float8":
            return Raw, _number
        case "json":  # what is compared has been jsonb, which writes it in another way
            raise NotPlainError
        case "jsonb":
            return Raw, _json
        case _:
            return str | None, _text


def _plain(values: Sequence[Any], escaped: bool) -> Strings:  # noqa: FBT001
    del escaped
    return ["" if value is None else str(value) for value in values]


def _number(values: Sequence[Raw], escaped: bool) -> Strings:  # noqa: FBT001
    """Write numbers as they are in the file, in quotes or not; any other text is left to PostgreSQL."""
    del escaped
    texts = _texts(values)
    if b"".join(values).translate(None, NUMBERS):  # there is something else
        if not all(text[0] in "-0123456789n" or QUOTED.fullmatch(text) for text in texts):
            raise NotPlainError
        texts = [text.strip('"') for text in texts]
    return ["" if text == "null" else text for text in texts]


def _text(values: Sequence[str | None], escaped: bool) -> Strings:  # noqa: FBT001
    if not escaped:  # then no value has a quote: JSON would have escaped it
        return ["" if value is None else f'"{value}"' for value in values]
    return ["" if value is None else '"' + value.replace('"', '""') + '"' for value in values]


def _json(values: Sequence[Raw], escaped: bool) -> Strings:  # noqa: FBT001
    del escaped
    texts = _texts(values, doubled=True)
    return ["" if text == "null" else f'"{text}"' for text in texts]


def _texts(values: Sequence[Raw], *, doubled: bool = False) -> Strings:
    """Return the values as they are written, with their quotes doubled or not.

    All at once where none of them has a newline, which is quicker than one by one.
    """
    together = b"\n".join(values)
    whole = together.count(b"\n") < len(values)
    texts = [together.decode()] if whole else [bytes(value).decode() for value in values]
    if doubled:
        texts = [text.replace('"', '""') for text in texts]
    return texts[0].split("\n") if whole else texts


def _by_reference(ids: Ids) -> Callable[[Sequence[Any], bool], Strings]:
    def write(values: Sequence[Any], escaped: bool) -> Strings:  # noqa: FBT001
        del escaped
        try:
            return ["" if value is None else found[value] for value in values]
        except KeyError:  # one that nothing has: the comparison names all of them
            raise NotPlainError from None

    found: dict[Scalar, str] = {}
    for value, taken in ids.items():
        if len(taken) != 1 or taken[0] is None or isinstance(taken[0], dict | list):
            raise NotPlainError
        found[from_exact(value)] = _text([str(taken[0])], True)[0]
    return write
