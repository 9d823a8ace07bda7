"""The first run into an empty table: COPY, and nothing else in its way.

    texts ─▶ msgspec, by the columns' types ─▶ CSV ─▶ COPY into the table ─▶ hashes from it ─▶ the ledger

Only what needs no second thought goes this way: one shape, scalars and JSON, nothing there before,
no trigger that changes rows. Whatever does not fit, a fault in a record included, is left to the
comparison, which knows how to name it.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Raw
from psycopg import sql

from compose_seeder.documents import strict_json
from compose_seeder.documents.json_document import Arrays, Batch, fields_of
from compose_seeder.exact_json import decode
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, statements
from compose_seeder.reconcile.staging import Scalar
from compose_seeder.targets.table.columns import Column
from compose_seeder.targets.table.expressions import Parts
from compose_seeder.targets.table.modified_rows import ids_of

Strings = list[str]
Columns = list[Sequence[Any]]
Ids = Mapping[Scalar, Sequence[object]]


class UnfitError(Exception):
    """This dataset has to go through the comparison."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One column to write: the record's field, and how its values become CSV."""

    column: str
    write: Callable[[Sequence[Any], bool], Strings]


def fill(
    connection: Connection,
    parts: Parts,
    document: Arrays,
    references: Mapping[str, Ids],
    progress: Callable[[int], None],
    limit: int | None,
) -> tuple[list[str], array[int], list[list[Scalar]]]:
    """Copy all records into the table.

    Args:
        connection: in a transaction that is rolled back where this fails.
        parts: of the dataset's table, which is empty.
        document: where the records are, each with its children in it.
        references: for each of `dataset.refs`, the ids by natural key.
        progress: told how many are done.
        limit: how many keys are wanted; all without.

    Returns:
        The columns, the ids of the records in their order, and the keys of the first ones.

    Raises:
        UnfitError: not all of them fit.
        psycopg.Error: the table does not take them.
    """
    encoder: _Encoder | None = None
    ids = array("q")
    keys: list[list[Scalar]] = []
    dataset = parts.dataset
    batches = document.batches(dataset.records)
    with ThreadPoolExecutor(1, "encode") as thread:

        def encode() -> tuple[str, Columns] | None:
            nonlocal encoder
            batch = next(batches, None)
            while batch is not None and not batch.texts:
                batch = next(batches, None)
            if batch is None:
                return None
            if encoder is None:
                encoder = _Encoder(dataset, parts.columns, batch, references)
            return encoder.encode(batch)

        coming = thread.submit(encode)
        while (ready := coming.result()) is not None:
            coming = thread.submit(encode)
            text, key = ready
            _copy(
                connection, parts.identifier, encoder.columns if encoder else [], text, len(key[0])
            )
            ids.extend(ids_of(connection, parts, key))
            room = None if limit is None else limit - len(keys)
            keys += [list(one) for one in zip(*(column[:room] for column in key), strict=True)]
            progress(len(ids))
    if encoder is None:
        raise UnfitError
    return encoder.columns, ids, keys


def _copy(
    connection: Connection, table: sql.SQL, columns: list[str], text: str, records: int
) -> None:
    query = sql.SQL(statements("bulk_load")["copy_rows"]).format(
        table=table, columns=sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            copy.write(text)
        if cursor.rowcount != records:
            raise UnfitError


class _Encoder:
    """Records' texts to CSV, column by column, by the shape of the first one."""

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
            raise UnfitError from None
        sources: dict[str, list[str]] = {}
        for name, ref in dataset.refs.items():
            sources.setdefault(ref.from_, []).append(name)
        types: list[tuple[str, Any]] = []
        parts: list[_Part] = []
        names: list[str] = []
        for name in first:
            if name in dataset.ignore:
                types.append((f"f{len(types)}", Raw))
                continue
            if name in sources:
                type_: Any = str | int | None
                some = [_Part(ref, _by_reference(references[ref])) for ref in sources[name]]
            else:
                type_, write = _of(columns.get(name))
                some = [_Part(name, write)]
            names += [f"f{len(types)}"] * len(some)
            parts += some
            types.append((f"f{len(types)}", type_))
        if not parts or len({part.column for part in parts}) < len(parts):
            raise UnfitError
        rename = {f"f{n}": name for n, name in enumerate(first)}
        _check_renamed(first)
        record = msgspec.defstruct(
            "Record", types, rename=rename, forbid_unknown_fields=True, gc=False
        )
        self.columns = [part.column for part in parts]
        self._parts = parts
        self._decoder = msgspec.json.Decoder(list[record])  # type: ignore[valid-type]
        self._get = attrgetter(*names)
        if not set(dataset.key) <= set(self.columns) - set(dataset.refs):
            raise UnfitError
        self._names = len(types)
        self._nested = [n for n, part in enumerate(parts) if part.write is _json]
        self._key = [self.columns.index(name) for name in dataset.key]

    def encode(self, batch: Batch) -> tuple[str, Columns]:
        """The records as CSV, and a column of values for each field of the key.

        Raises:
            UnfitError: a record has another shape, or no key.
        """
        text = b"[" + b",".join(batch.texts) + b"]"
        try:
            records = self._decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise UnfitError from None
        rows = map(self._get, records)
        values = list(zip(*rows, strict=True)) if len(self._parts) > 1 else [tuple(rows)]
        key = [self._values(values[n], n) for n in self._key]
        if any(None in column for column in key):
            raise UnfitError
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
        """A name that stands twice in a record is left to the comparison, which names it."""
        nested = sum(b"".join(values[n]).count(strict_json.END_OF_NAME) for n in self._nested)
        if strict_json.is_plain(text, len(batch.texts) * self._names + nested) and not any(
            strict_json.any_repeats(values[n]) for n in self._nested
        ):
            return
        if any(strict_json.faults("", bytes(one), fields_of(one)) for one in batch.texts):
            raise UnfitError


def _check_renamed(names: Iterable[str]) -> None:
    """Msgspec gives a field no such name."""
    if any(map(strict_json.ODD.search, names)):
        raise UnfitError


NUMBERS = b"0123456789.+-eEnul"
"""What JSON's numbers and null are written with."""

QUOTED = re.compile(r'"-?[0-9]+(\.[0-9]+)?"')


def _of(column: Column | None) -> tuple[Any, Callable[[Sequence[Any], bool], Strings]]:
    """The type that a column's values have in the file, and how they become CSV."""
    if column is None or column.generated or column.category in "ACP":
        raise UnfitError
    match column.base:
        case "int2" | "int4" | "int8":
            return int | None, _plain
        case "bool":
            return bool | None, _plain
        case "numeric" | "float4" | "float8":
            return Raw, _number
        case "json":  # what is compared has been jsonb, which writes it in another way
            raise UnfitError
        case "jsonb":
            return Raw, _json
        case _:
            return str | None, _text


def _plain(values: Sequence[Any], escaped: bool) -> Strings:  # noqa: FBT001
    del escaped
    return ["" if value is None else str(value) for value in values]


def _number(values: Sequence[Raw], escaped: bool) -> Strings:  # noqa: FBT001
    """To the letter, also one that stands in quotes; any other text is PostgreSQL's to judge."""
    del escaped
    texts = _texts(values)
    if b"".join(values).translate(None, NUMBERS):  # there is something else
        if not all(text[0] in "-0123456789n" or QUOTED.fullmatch(text) for text in texts):
            raise UnfitError
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
    """The values as they are written, with their quotes doubled or not.

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
            raise UnfitError from None

    found = {}
    for value, taken in ids.items():
        if len(taken) != 1 or taken[0] is None or isinstance(taken[0], dict | list):
            raise UnfitError
        found[value] = _text([str(taken[0])], True)[0]
    return write


def referred(dataset: Dataset, document: Arrays) -> dict[str, list[Scalar]]:
    """The distinct values of each reference, in one quick pass.

    Raises:
        UnfitError: a record is none, or a value is neither text nor an integer.
    """
    names = {ref.from_ for ref in dataset.refs.values()}
    _check_renamed(names)
    fields = {name: f"f{n}" for n, name in enumerate(sorted(names))}
    record = msgspec.defstruct(
        "References",
        [(field, str | int | None, None) for field in fields.values()],
        rename={field: name for name, field in fields.items()},
        gc=False,
    )
    decoder = msgspec.json.Decoder(list[record])  # type: ignore[valid-type]
    found: dict[str, dict[Scalar, None]] = {name: {} for name in names}
    for batch in document.batches(dataset.records):
        try:
            records = decoder.decode(b"[" + b",".join(batch.texts) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise UnfitError from None
        for name, field in fields.items():
            found[name].update(dict.fromkeys(map(attrgetter(field), records)))
    return {
        name: [value for value in found[ref.from_] if value is not None]
        for name, ref in dataset.refs.items()
    }
