"""The digests and ids of the records of a source, in the ledger: they tell the next run which records have not changed.

Some thousand records are in one row, in the order of the file.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from compose_seeder.postgres import Connection, statements
from compose_seeder.reconcile.digest_matcher import DIGEST_BYTES

RECORDS_PER_ROW = 1 << 13
"""The number of records whose digests and ids are in one row."""


def read_sources(connection: Connection, dataset_id: int) -> Iterator[tuple[bytes, array[int]]]:
    """Yield digests and ids of the last run's records, in the file's order, some thousand at a time."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(statements("source_digests")["source"], {"dataset": dataset_id})
        for digests, ids in cursor:
            yield bytes(digests), unpack_ids(ids)


def record_sources(
    connection: Connection, dataset_id: int, digests: bytes | bytearray, ids: array[int]
) -> None:
    """Write digests and ids of a file's records."""
    texts, packed = statements("source_digests"), _pack(ids)
    size = DIGEST_BYTES * RECORDS_PER_ROW
    batches = [
        {
            "dataset": dataset_id,
            "batch": batch,
            "digests": digests[start : start + size],
            "ids": packed[start : start + size],
        }
        for batch, start in enumerate(range(0, len(digests), size))
    ]
    forgotten = {"dataset": dataset_id, "batches": len(batches)}
    connection.execute(texts["forget_source"], forgotten)
    with connection.cursor() as cursor:
        cursor.executemany(texts["record_source"], batches)


def compare_again(connection: Connection, dataset_id: int, ids: AbstractSet[int]) -> None:
    """Have the next run compare records, whatever their texts are."""
    digests, found = bytearray(), array("q")
    for some, own in list(read_sources(connection, dataset_id)):
        digests += some
        found.extend(own)
    for place, id_ in enumerate(found):
        if id_ in ids:
            start = place * DIGEST_BYTES
            digests[start : start + DIGEST_BYTES] = bytes(DIGEST_BYTES)
    record_sources(connection, dataset_id, digests, found)


def compare_all_again(connection: Connection, dataset_id: int) -> None:
    """Have the next run compare all records of a dataset, which may have other ids than before."""
    query = statements("source_digests")["ids_of_records"]
    row = connection.execute(query, {"dataset": dataset_id}).fetchone()
    ids = unpack_ids(row[0] if row else b"")
    record_sources(connection, dataset_id, bytes(DIGEST_BYTES * len(ids)), ids)


def unpack_ids(data: bytes) -> array[int]:
    """Return the ids in what `int8send` wrote."""
    ids = array("q", bytes(data))
    if sys.byteorder == "little":
        ids.byteswap()
    return ids


def _pack(ids: array[int]) -> bytes:
    """Return ids as PostgreSQL's `int8send` writes them."""
    copy = array("q", ids)
    if sys.byteorder == "little":
        copy.byteswap()
    return copy.tobytes()
