"""The rows that left a dataset's file, and that another dataset's file has."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
from psycopg import sql

from compose_seeder.errors import Fault, RecordError
from compose_seeder.exact_json import encode
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, statements
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.staging import Desired
from compose_seeder.targets.table.columns import equal_columns
from compose_seeder.targets.table.expressions import Expressions
from compose_seeder.targets.table.whole_numbers import integer_columns, with_whole_numbers


def find_moved_rows(
    connection: Connection,
    expressions: Expressions,
    sibling: Dataset,
    records: Iterable[list[Desired]],
) -> None:
    """Write the sibling's name to `plan.moved_to` of each record that its file has; see `Finds`.

    Raises:
        RecordError: keys of that file are no values of their columns.
    """
    integers = integer_columns(expressions.columns)
    keys = (
        {field: record.document[field] for field in sibling.key}
        for some in records
        for record in some
    )
    documents = (encode(with_whole_numbers(key, integers)).decode() for key in keys)
    working_tables.fill_sibling_keys(connection, documents)
    query = sql.SQL(statements("moved_records")["rows_that_moved"]).format(
        id=expressions.id("t"),
        table=expressions.identifier,
        typed=expressions.typed(sibling.key),
        match=equal_columns("t", "k", sibling.key),
    )
    try:
        connection.execute(query, {"sibling": sibling.name})
    except psycopg.DataError as error:
        problem = error.diag.message_primary or ""
        raise RecordError(
            f"dataset {expressions.dataset.name}: records have left its file, and those of dataset {sibling.name}"
            " cannot be read, so that nobody can tell whether they are there now",
            [Fault(sibling.target, "", ", ".join(sibling.key), problem)],
        ) from None
