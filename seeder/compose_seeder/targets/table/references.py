"""References: a natural key in the file, an id in a table.

values of a batch, or of the whole file ─▶ one query a reference ─▶ ids, by value
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec
import psycopg
from msgspec import Raw
from psycopg import sql

from compose_seeder.documents.batch import Documents
from compose_seeder.documents.record_values import ExactValue, json_of, text_of
from compose_seeder.errors import ManifestError, RecordError, did_you_mean
from compose_seeder.exact_json import decode, encode
from compose_seeder.manifest.models import Dataset, Ref
from compose_seeder.postgres import Connection, Name, Text, statements
from compose_seeder.reconcile.staging import PENDING, Lookup, everything_pending
from compose_seeder.reconcile.target import DatasetRun
from compose_seeder.targets.table.bisect import find_failing
from compose_seeder.targets.table.columns import Column, columns, table_name, why_no_table
from compose_seeder.targets.table.csv_encoder import Ids, NotPlainError, check_field_names
from compose_seeder.targets.table.whole_numbers import INTEGERS, as_integers


@dataclass(frozen=True, slots=True)
class FileReferences:
    """The ids that the references of a file lead to.

    Attributes:
        ids: by reference, the ids by natural key.
        salt: the digest of everything but a record's own text that decides what becomes of the record.
    """

    ids: Mapping[str, Ids]
    salt: bytes


def find_file_references(run: DatasetRun, document: Documents) -> FileReferences | None:
    """Look up what all references of a file lead to.

    Returns:
        None where the records are not plain: their text alone does not say what becomes of them.
    """
    without = {"source", "sha256", "on_drift", *run.dataset.told_by_texts}
    entry = run.dataset.model_dump(mode="json", exclude=without)
    salt = hashlib.sha256(msgspec.json.encode(entry, order="deterministic"))
    found: dict[str, Ids] = {}
    try:
        values_by_ref = distinct_values(run.dataset, document) if run.dataset.refs else {}
        for name, values in values_by_ref.items():
            ref = run.dataset.refs[name]
            found[name] = find_ids(run, ref, values) if values else {}
            if not run.dataset.is_referred_to(ref):  # it has not found yet what this run makes
                salt.update(repr(sorted(found[name].items(), key=repr)).encode())
    except (NotPlainError, RecordError):
        return None  # the comparison names every fault
    return FileReferences(found, salt.digest())


def lookup_of(run: DatasetRun, references: FileReferences | None = None) -> Lookup:
    """Return the lookup of a dataset: in what was found for the whole file, or else in the database."""
    if references is None:
        return lambda ref, values: find_ids(run, ref, values)
    found = {run.dataset.refs[name]: ids for name, ids in references.ids.items()}
    return lambda ref, values: {value: list(found[ref].get(value, [])) for value in values}


def find_ids(
    run: DatasetRun, ref: Ref, values: list[ExactValue]
) -> Mapping[ExactValue, list[object]]:
    """Find the ids for natural keys, those included that an earlier dataset of the same plan creates.

    Raises:
        ManifestError: the table or a column of the reference is not there.
    """
    if run.options.schema_behind and not columns(run.connection, ref.table):
        return everything_pending(ref, values)
    try:
        found = query_ids(run.connection, ref, values)
    except ManifestError as error:
        raise ManifestError(f"dataset {run.dataset.name}: {error}") from None
    missing = [value for value in values if value not in found]
    return found | {value: [PENDING] for value in _find_pending(run, ref, missing)}


def query_ids(
    connection: Connection, ref: Ref, values: list[ExactValue]
) -> dict[ExactValue, list[object]]:
    """Query the ids that a table has for natural keys.

    Raises:
        ManifestError: the table or a column of the reference is not there.
    """
    known = columns(connection, ref.table)
    if not known:
        raise ManifestError(f"refs: {why_no_table(connection, ref.table)}")
    for name in (ref.match, ref.take):
        if name not in known:
            raise ManifestError(
                f"refs: table {ref.table} has no column {name}{did_you_mean(name, list(known))}"
            )
    column = known[ref.match]
    query = sql.SQL(statements("table")["find_references"]).format(
        match=Name(ref.match),
        name=Text(ref.match),
        type=column.definition,
        take=Name(ref.take),
        table=table_name(ref.table),
    )
    try:
        answers = _ask(connection, column, values, query)
    except psycopg.errors.UndefinedFunction:
        raise ManifestError(
            f"refs: column {ref.match} of table {ref.table} has type {column.type}, whose values cannot"
            " be compared"
        ) from None
    found: dict[ExactValue, list[object]] = {}
    for value, taken in answers:
        found.setdefault(value, []).append(None if taken is None else decode(taken.encode()))
    return found


def remember_key_hashes(run: DatasetRun) -> None:
    """Remember the hashes of the keys that a plan creates, beside their texts: equal where the columns say equal."""
    known = columns(run.connection, run.dataset.table or "")
    key = [known[name] for name in run.dataset.key]
    query = sql.SQL(statements("table")["hash_created_keys"]).format(
        hashes=sql.SQL(", ").join(column.hashed("p", 0, key=True) for column in key),
        typed=sql.SQL(", ").join(
            sql.SQL("{} {}").format(Name(column.name), column.definition) for column in key
        ),
    )
    run.pending.update(hash_ for (hash_,) in run.connection.execute(query, {}))


def _find_pending(run: DatasetRun, ref: Ref, values: list[ExactValue]) -> set[ExactValue]:
    """Return the values that are keys of records which an earlier dataset of the same plan creates."""
    found = {value for value in values if text_of(value) in run.pending}
    others = [value for value in values if value not in found]
    if not run.pending or not others:
        return found
    column = columns(run.connection, ref.table)[ref.match]
    query = sql.SQL(statements("table")["hash_references"]).format(
        match=Name(ref.match),
        name=Text(ref.match),
        type=column.definition,
        hash=column.hashed("p", 0, key=True),
    )
    hashes = _ask(run.connection, column, others, query)
    return found | {value for value, hash_ in hashes if hash_ in run.pending}


def _ask(
    connection: Connection, column: Column, values: Sequence[ExactValue], query: sql.Composed
) -> list[tuple[ExactValue, Any]]:
    """Return what a query about values of a column's type answers, each with its value.

    What the column's type does not take is in no row of it, and has no answer.
    """

    def rows(some: Sequence[int]) -> list[tuple[int, Any]]:
        parts = [json_of(values[n]) for n in some]
        if column.base in INTEGERS:
            parts = list(map(as_integers, parts))
        texts = encode(list(map(Raw, parts))).decode()
        return connection.execute(query, {"values": texts}).fetchall()

    places: list[int] = list(range(len(values)))
    try:
        with connection.transaction():
            answers = rows(places)
    except (psycopg.DataError, psycopg.IntegrityError):
        untyped = {n for n, _ in find_failing(connection, places, rows)}
        places = [n for n in places if n not in untyped]
        answers = rows(places)
    return [(values[places[n - 1]], answer) for n, answer in answers]


def distinct_values(dataset: Dataset, document: Documents) -> dict[str, list[ExactValue]]:
    """Return the distinct values of each reference, in one quick pass over the file.

    Raises:
        NotPlainError: an element is not an object, or a value is neither text nor an integer.
    """
    names = {ref.from_ for ref in dataset.refs.values()}
    check_field_names(names)
    fields = {name: f"f{n}" for n, name in enumerate(sorted(names))}
    record = msgspec.defstruct(
        "References",
        [(field, str | int | None, None) for field in fields.values()],
        rename={field: name for name, field in fields.items()},
        gc=False,
    )
    decoder = msgspec.json.Decoder(list[record])  # type: ignore[valid-type]
    found: dict[str, dict[str | int | None, None]] = {name: {} for name in names}
    for batch in document.batches(dataset.records):
        try:
            records = decoder.decode(b"[" + b",".join(batch.texts) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise NotPlainError from None
        for name, field in fields.items():
            found[name].update(dict.fromkeys(map(attrgetter(field), records)))
    return {
        name: [
            value if isinstance(value, str) else str(value).encode()
            for value in found[ref.from_]
            if value is not None
        ]
        for name, ref in dataset.refs.items()
    }
