"""What a migration changes is no edit by hand: the two looks at seeded tables, before its revisions and after them.

    look ─▶ revisions ─▶ carry_over ─▶ the file decides

What other sessions commit between the two looks cannot be told from what the revisions do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from compose_seeder.postgres import Connection, prepare_session, statements
from compose_seeder.reconcile import ledger_schema
from compose_seeder.reconcile.ledger import Ledger
from compose_seeder.targets.table import carry_over as tables
from compose_seeder.targets.table.before_migration import note_seeded_tables

Changing = Callable[[str], None]
"""Called with a dataset before it changes, in the transaction that changes it."""


def _tell_nobody(dataset: str) -> None:
    del dataset


def look(connection: Connection, changing: Changing = _tell_nobody) -> None:
    """Write to the ledger how the seeded tables are, right before the first pending revision.

    Where an earlier run ended before it carried the ledger over, that is done first.

    Args:
        connection: in autocommit, to a database with a ledger.
        changing: called for each dataset of a table.

    Raises:
        psycopg.Error: the tables cannot be read; nothing was written.
    """
    if not _is_seeded(connection):
        return
    prepare_session(connection)
    with Ledger.open(connection, create=True) as ledger, _transaction(ledger):
        if tables.is_open(connection):
            tables.carry_over(ledger)
        for name in note_seeded_tables(ledger):
            changing(name)


def carry_over(connection: Connection, changing: Changing = _tell_nobody) -> None:
    """Carry the ledger over to the seeded tables as they are now; nothing, where nobody has looked before.

    Args:
        connection: as for `look`.
        changing: called for each dataset in which something changed.

    Raises:
        psycopg.Error: the tables cannot be read; the next run carries the ledger over.
    """
    if not _is_seeded(connection):
        return
    prepare_session(connection)
    with Ledger.open(connection, create=True) as ledger, carried_over(ledger, changing):
        pass


@contextmanager
def carried_over(ledger: Ledger, changing: Changing, *, change: bool = True) -> Iterator[None]:
    """Carry the ledger over where a run was ended before it did; as `carry_over`.

    Args:
        ledger: of a connection in autocommit that `prepare_session` has prepared.
        changing: called for each dataset in which something changed.
        change: false for a plan: for as long as the block runs.
    """
    if not ledger.present or not tables.is_open(ledger.connection):
        yield
        return
    with _transaction(ledger) as transaction:
        for name in tables.carry_over(ledger):
            if change:
                changing(name)
        if not change:
            yield
            raise psycopg.Rollback(transaction)
    if change:
        yield


def _is_seeded(connection: Connection) -> bool:
    """Return whether the ledger has a record of anything, or may have: one of an earlier format is upgraded first."""
    found = ledger_schema.read_format(connection)
    if found != ledger_schema.FORMAT:
        return found is not None
    row = connection.execute(statements("carry_over")["is_seeded"]).fetchone()
    return bool(row and row[0])


@contextmanager
def _transaction(ledger: Ledger) -> Iterator[psycopg.Transaction]:
    with ledger.connection.transaction() as transaction:
        ledger.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        ledger.wait_for_others()
        yield transaction
