"""The temporary tables of a comparison: created here, and nowhere else (`sql/working_tables.sql`).

    create ─▶ fill_applied ─▶ … the target fills desired and live … ─▶ diff ─▶ … ─▶ reset

They are created when a comparison begins: a run that finds nothing to compare must not write to the catalog.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Literal

from psycopg import sql

from compose_seeder.hashing import JSONB
from compose_seeder.postgres import Connection, statements

Kind = Literal["table", "endpoint"]
"""The kind of a target."""

Selection = Literal["all", "ids to compare", "intended ids to compare"]
"""Records of the ledger: all of a dataset; those of `ids_to_compare`; of these, only what a run was about to send."""

EVERY_TARGET = ("source_records", "desired", "live", "applied", "plan")
"""The tables that each comparison uses."""

IDS_PER_WRITE = 1 << 13
"""How many ids go into one piece of COPY's text."""


def create(connection: Connection, kind: Kind, salt: int) -> None:
    """Create the empty working tables of a comparison.

    Args:
        connection: to the application's database.
        kind: of the target.
        salt: of the ledger's hashes.
    """
    texts = statements("working_tables")
    own = "deferred_references" if kind == "table" else "fetched_records"
    for name in (*EVERY_TARGET, own):
        connection.execute(texts[name])
    if kind == "endpoint":
        value = sql.SQL("value"), sql.Literal(salt), sql.SQL("value::text")
        function = sql.SQL(texts["hash_function"]).format(hash=sql.SQL(JSONB).format(*value))
        connection.execute(function)


def fill_sibling_keys(connection: Connection, documents: Iterable[str]) -> None:
    """Create `sibling_keys` with the keys of another dataset's file, as JSON texts; an earlier one is dropped."""
    connection.execute("DROP TABLE IF EXISTS pg_temp.sibling_keys")
    connection.execute(statements("working_tables")["sibling_keys"])
    with (
        connection.cursor() as cursor,
        cursor.copy(statements("moved_records")["copy_keys"]) as copy,
    ):
        for document in documents:
            copy.write_row((document,))


def create_written_rows(connection: Connection) -> None:
    """Create the tables of rows as they were written, which only tables with triggers need."""
    for name in ("written_rows", "edited_columns"):
        connection.execute(statements("working_tables")[name])


def create_deletes(connection: Connection) -> None:
    """Create the tables of rows to delete, and of rows that refer to them."""
    for name in ("rows_to_change", "references_to_deletes"):
        connection.execute(statements("working_tables")[name])


def fill_ids_to_compare(connection: Connection, ids: Sequence[int] | array[int]) -> None:
    """Create `ids_to_compare`, and fill it with the ids of applied records."""
    texts = statements("working_tables")
    connection.execute(texts["ids_to_compare"])
    with connection.cursor() as cursor, cursor.copy(texts["copy_ids"]) as copy:
        for start in range(0, len(ids), IDS_PER_WRITE):
            copy.write("".join(f"{id_}\n" for id_ in ids[start : start + IDS_PER_WRITE]))
    connection.execute(texts["analyze_ids"])


def fill_applied(
    connection: Connection,
    dataset_id: int,
    which: Selection,
) -> None:
    """Fill `applied` with records of the ledger.

    Args:
        connection: to the application's database, which has a ledger.
        dataset_id: of the dataset in the ledger.
        which: of its records.
    """
    texts = statements("working_tables")
    some = sql.SQL("true" if which == "all" else texts["is_to_compare"])
    just_sent = which == "intended ids to compare"
    query = sql.SQL(texts["fill_applied"]).format(
        dataset=sql.Literal(dataset_id),
        records=sql.SQL("false") if just_sent else some,
        intents=some,
        unseen=sql.Literal("just sent" if just_sent else "unseen"),
    )
    connection.execute(query)


def fill_applied_elsewhere(
    connection: Connection, dataset_id: int | None, others: Sequence[int], fields: Sequence[str]
) -> None:
    """Add to `applied` the records of `desired` that other datasets applied, and this one has not.

    Args:
        connection: to the application's database, which has a ledger.
        dataset_id: of the dataset in the ledger; None where it is not there.
        others: the ids of the other datasets; of a record that several have, the first one counts.
        fields: in the order of the hashes.
    """
    values = {"own": dataset_id, "datasets": list(others), "fields": list(fields)}
    connection.execute(statements("working_tables")["fill_applied_elsewhere"], values)


def reset(connection: Connection) -> None:
    """Drop every working table."""
    connection.execute(statements("working_tables")["reset"])
