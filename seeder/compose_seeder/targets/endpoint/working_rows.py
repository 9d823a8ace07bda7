"""The rows of an endpoint's working tables: records as JSON text, copied to PostgreSQL, which hashes them.

the file's records  ─▶ source_records  ─▶ desired
the API's records   ─▶ fetched_records ─▶ live
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from compose_seeder.documents.record_values import format_key
from compose_seeder.errors import Fault, RefusedError
from compose_seeder.exact_json import decode, encode
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, jsonb_text, statements
from compose_seeder.reconcile.staging import Desired
from compose_seeder.targets.endpoint.json_values import decode_fields
from compose_seeder.targets.endpoint.value_trees import tree_of

Row = tuple[str, ...]
"""JSON texts of a live record: its key, its fields, what is decided about them, and their trees."""


def fill_desired(
    connection: Connection, desired: Sequence[Desired], fields: Sequence[str], salt: int
) -> None:
    """Fill `pg_temp.desired`; `fields` are in the order of the hashes, and `salt` is the ledger's."""
    texts = statements("endpoint")
    with connection.cursor() as cursor, cursor.copy(texts["copy_source_records"]) as copy:
        for record in desired:
            trees = {name: tree_of(part, salt) for name, part in decode_fields(record).items()}
            document = jsonb_text(connection, encode(record.document))
            key, text = encode(record.key).decode(), encode(trees).decode()
            copy.write_row((record.position, key, document, text))
    connection.execute(texts["fill_desired"], {"fields": fields})


def fill_live(
    connection: Connection, dataset: Dataset, rows: Sequence[Row], fields: Sequence[str]
) -> None:
    """Fill `pg_temp.live`; `fields` are in the order of the hashes.

    Raises:
        RefusedError: a live record has a value that `jsonb` cannot hold: NUL in a text, an endless number.
    """
    texts = statements("endpoint")
    try:
        with connection.cursor() as cursor, cursor.copy(texts["copy_fetched_records"]) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.DataError as error:
        faults = _incomparable(connection, dataset, rows)
        said = f"dataset {dataset.name}: the API shows what cannot be compared"
        raise RefusedError(said, faults) from error
    connection.execute(texts["fill_live"], {"fields": fields})


def _incomparable(connection: Connection, dataset: Dataset, rows: Sequence[Row]) -> list[Fault]:
    faults = []
    for key, document, *_ in rows:
        try:
            connection.execute("SELECT %s::jsonb, %s::jsonb", (key, document))
        except psycopg.DataError as error:
            named = format_key(dataset.key, decode(key.encode()))
            problem = f"PostgreSQL cannot compare it: {error.diag.message_primary}"
            faults.append(Fault(dataset.target, named, "", problem))
    return faults
