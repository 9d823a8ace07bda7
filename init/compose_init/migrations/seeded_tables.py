"""The seeded tables before the first pending revision and after the last: what revisions change is no edit by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from logging import WARNING

import psycopg

from compose_init import ledger
from compose_init.database.connection import Connection
from compose_init.errors import one_line
from compose_init.logs import event
from compose_init.migrations.errors import LockedTableError
from compose_seeder.around_migration import carry_over, look
from compose_seeder.errors import SeedError

NOT_SEEN = "what the migration changes in seeded tables will count as edited by hand"


@dataclass
class SeededTables:
    """The two looks around one attempt to upgrade.

    Attributes:
        connection: our own, in autocommit.
        lock_timeout: seconds to wait for a table that another session has locked.
        is_noted: whether the first look was taken.
    """

    connection: Connection
    lock_timeout: float
    is_noted: bool = False

    def look(self) -> None:
        """Note the tables as they are, right before the first pending revision.

        Raises:
            LockedTableError: another session keeps a table locked.
        """
        if self.is_noted:
            return
        self.is_noted = True
        try:
            with self._short_lock_timeout():
                look(self.connection, partial(ledger.forget_seed, self.connection))
        except psycopg.errors.LockNotAvailable as error:
            raise LockedTableError(
                f"a seeded table cannot be read before it is migrated: {one_line(error)} by another session (see"
                " pg_stat_activity); nothing was migrated: let that session end and run again"
            ) from None
        except psycopg.errors.InsufficientPrivilege as error:
            event(
                "the role cannot read all seeded tables",
                WARNING,
                error=one_line(error),
                so=NOT_SEEN,
            )

    def carry_over(self) -> None:
        """Carry the ledger over, right after the last revision, or where an earlier run was killed before it did.

        If that fails, the next step of the run does it.
        """
        try:
            with self._short_lock_timeout():
                carry_over(self.connection, partial(ledger.forget_seed, self.connection))
        except (psycopg.Error, SeedError) as error:
            event("the ledger is carried over later", WARNING, reason=one_line(error))

    @contextmanager
    def _short_lock_timeout(self) -> Iterator[None]:
        row = self.connection.execute("SHOW lock_timeout").fetchone()
        query = "SELECT set_config('lock_timeout', %s, false)"
        self.connection.execute(query, [f"{self.lock_timeout}s"])
        try:
            yield
        finally:
            if not self.connection.broken:
                self.connection.execute(query, [row[0] if row else "0"])
