"""The first run into an empty table: COPY, and nothing else in its way.

    texts ─▶ CSV ─▶ COPY into the table ─▶ hashes from it ─▶ the ledger

Nothing may be there before, and no trigger may change rows. Whatever does not fit is left to the comparison.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import psycopg
from psycopg import sql

from compose_seeder.documents.batch import Documents
from compose_seeder.documents.record_values import Scalar
from compose_seeder.errors import RecordError
from compose_seeder.postgres import Connection, kind_of, statements
from compose_seeder.reconcile.digest_matcher import digests_of
from compose_seeder.reconcile.plan import Change, Counts, Plan
from compose_seeder.reconcile.source_digests import record_sources
from compose_seeder.reconcile.target import DatasetRun
from compose_seeder.targets.table.bulk_ledger import hash_keys, record_rows
from compose_seeder.targets.table.csv_encoder import Columns, CsvEncoder, Ids, NotPlainError
from compose_seeder.targets.table.expressions import Expressions
from compose_seeder.targets.table.load import read_as_json
from compose_seeder.targets.table.references import FileReferences
from compose_seeder.targets.table.sides import TableSides


def bulk_load(
    run: DatasetRun,
    sides: TableSides,
    document: Documents,
    references: FileReferences,
    fingerprint: str,
) -> Plan | None:
    """Copy all records into an empty table, and write the ledger.

    Args:
        run: of a dataset that owns nothing yet, in a transaction.
        sides: of the dataset's table.
        document: where the records are, each with its children in it.
        references: what the file's references lead to.
        fingerprint: of the dataset's inputs.

    Returns:
        The plan as it came out; None, and nothing is done, where the records or the table do not allow it.

    Raises:
        psycopg.Error: the database went away, or the role lacks a privilege.
    """
    expressions = sides.expressions
    if run.dataset.drop_null or read_as_json(expressions):
        return None
    if not _can_bulk_load(run.connection, expressions):
        return None
    try:
        with run.connection.transaction():
            count, keys = _load(run, sides, document, references, fingerprint)
    except (NotPlainError, RecordError):
        return None  # the comparison names every fault
    except psycopg.DatabaseError as error:
        if kind_of(error) in {"denied", "interrupted", "conflict"}:
            raise
        return None
    created = tuple(
        Change(n, "create", dict(zip(run.dataset.key, key, strict=True)), {})
        for n, key in enumerate(keys)
    )
    return Plan(
        run.dataset.name, run.dataset.target, Counts(created=count), created, differing=count
    )


def _can_bulk_load(connection: Connection, expressions: Expressions) -> bool:
    """Return whether the table is empty, and rows stay in it as they are put there."""
    query = statements("bulk_load")["can_bulk_load"]
    row = connection.execute(query, {"table": expressions.table}).fetchone()
    return bool(row and row[0])


def _load(
    run: DatasetRun,
    sides: TableSides,
    document: Documents,
    references: FileReferences,
    fingerprint: str,
) -> tuple[int, list[list[Scalar]]]:
    """Copy, and write the ledger; return the number of records, and the keys of the first ones."""
    expressions = sides.expressions
    fields, ids, keys = _copy_records(
        run.connection,
        expressions,
        document,
        references.ids,
        lambda done: run.progress(done, done),
        run.options.limit,
    )
    dataset_id = run.ledger.begin_dataset(run.dataset, fields)
    run.ledger.forget_records(dataset_id)
    with ThreadPoolExecutor(1, "digest") as thread:
        found = thread.submit(digests_of, document, run.dataset.records, references.salt)
        unnamed = [name for name in sides.varying_defaults if name not in fields]
        record_rows(run.connection, expressions, dataset_id, fields, unnamed, len(ids))
    record_sources(run.connection, dataset_id, found.result(), ids)
    run.ledger.record_dataset(run.dataset.name, dataset_id, fingerprint, len(ids))
    return len(ids), keys


def _copy_records(
    connection: Connection,
    expressions: Expressions,
    document: Documents,
    references: Mapping[str, Ids],
    progress: Callable[[int], None],
    limit: int | None,
) -> tuple[list[str], array[int], list[list[Scalar]]]:
    """Copy all records into the table.

    Args:
        connection: in a transaction that is rolled back where this fails.
        expressions: of the dataset's table, which is empty.
        document: where the records are, each with its children in it.
        references: for each of `dataset.refs`, the ids by natural key.
        progress: called with the number of records that are done.
        limit: how many keys are wanted; all without.

    Returns:
        The columns, the ids of the records in their order, and the keys of the first ones.

    Raises:
        NotPlainError: not all of them fit.
        psycopg.Error: the table does not take them.
    """
    columns: list[str] = []
    ids = array("q")
    keys: list[list[Scalar]] = []
    encoded = _encode_all(expressions, document, references)
    with ThreadPoolExecutor(1, "encode") as thread:
        coming = thread.submit(next, encoded, None)
        while (ready := coming.result()) is not None:
            coming = thread.submit(next, encoded, None)
            columns, text, key = ready
            _copy(connection, expressions.identifier, columns, text, len(key[0]))
            ids.extend(hash_keys(connection, expressions, key))
            wanted = None if limit is None else limit - len(keys)
            keys += [list(one) for one in zip(*(column[:wanted] for column in key), strict=True)]
            progress(len(ids))
    if not columns:
        raise NotPlainError
    return columns, ids, keys


def _encode_all(
    expressions: Expressions, document: Documents, references: Mapping[str, Ids]
) -> Iterator[tuple[list[str], str, Columns]]:
    """Yield, batch by batch, the columns, the records as CSV, and the values of the key's fields."""
    encoder: CsvEncoder | None = None
    for batch in document.batches(expressions.dataset.records):
        if batch.texts:
            encoder = encoder or CsvEncoder(
                expressions.dataset, expressions.columns, batch, references
            )
            yield encoder.columns, *encoder.encode(batch)


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
            raise NotPlainError
