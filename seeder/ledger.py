"""The tool's own tables, schema `compose_init`: what was last applied, by dataset and record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from seeder.errors import CredentialsError, ManifestError
from seeder.sql import statements

FORMAT = 1

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Applied:
    """What the ledger says of a dataset: its target, the fingerprint of its inputs, its size."""

    target: str
    fingerprint: str
    records: int


@dataclass(frozen=True)
class Ledger:
    """The ledger as one connection sees it.

    Attributes:
        connection: in autocommit; the caller holds the transactions.
        present: false where a plan meets a database that never had a run.
    """

    connection: Connection
    present: bool

    @classmethod
    def open(cls, connection: Connection, *, create: bool) -> Ledger:
        """The ledger, created where it may be.

        Raises:
            CredentialsError: the role may not create a schema.
            ManifestError: a newer version of the program wrote it.
        """
        texts = statements("ledger")
        row = connection.execute(texts["exists"]).fetchone()
        present = bool(row and row[0])
        if not present and create:
            try:
                connection.execute(texts["create"])
            except psycopg.errors.InsufficientPrivilege as error:
                raise CredentialsError(
                    f"the ledger cannot be created: {error.diag.message_primary}; let the role own the database,"
                    " or GRANT CREATE ON DATABASE to it, or create the schema compose_init for it"
                ) from None
            present = True
        if present:
            found = connection.execute(texts["format"]).fetchone()
            if found is None or found[0] > FORMAT:
                raise ManifestError(
                    f"the ledger has format {found[0] if found else 'none'}, this version knows {FORMAT}:"
                    " a newer compose-init wrote it; use that version or a later one"
                )
        return cls(connection, present)

    def applied(self, name: str) -> Applied | None:
        """What was last applied of a dataset; None where it never was."""
        if not self.present:
            return None
        row = self.connection.execute(statements("ledger")["dataset"], {"name": name}).fetchone()
        return Applied(*row) if row else None

    def show_applied(self, name: str, *, anew: bool = False) -> None:
        """Make `pg_temp.applied` show the records of a dataset; none where it starts `anew`."""
        texts = statements("ledger")
        if anew or not self.present:
            self.connection.execute(texts["nothing_applied"])
        else:
            self.connection.execute(sql.SQL(texts["applied"]).format(name=sql.Literal(name)))

    def record_plan(self, name: str, *, unwritten_only: bool) -> None:
        """Write what `pg_temp.plan` says was applied, and forget what left the file."""
        texts, values = statements("ledger"), {"dataset": name, "unwritten_only": unwritten_only}
        self.connection.execute(texts["record_applied"], values)
        self.connection.execute(texts["forget_gone"], values)

    def record_observed(self, name: str, observed: Sequence[tuple[int, str]]) -> None:
        """Write that records of `pg_temp.plan` were applied, and what their target then showed.

        Args:
            name: the dataset.
            observed: positions, each with the observed fields as JSON text.
        """
        values = {
            "dataset": name,
            "positions": [position for position, _ in observed],
            "observed": [document for _, document in observed],
        }
        self.connection.execute(statements("ledger")["record_observed"], values)

    def record_dataset(self, name: str, applied: Applied) -> None:
        """Write that a dataset is wholly applied."""
        values = {
            "name": name,
            "target": applied.target,
            "fingerprint": applied.fingerprint,
            "records": applied.records,
        }
        self.connection.execute(statements("ledger")["record_dataset"], values)

    def forget_fingerprint(self, name: str) -> None:
        """Forget that a dataset is wholly applied: it is about to change, step by step."""
        self.connection.execute(statements("ledger")["forget_fingerprint"], {"name": name})

    def forget_dataset(self, name: str) -> None:
        """Forget a dataset's records: its target is another one now."""
        self.connection.execute(statements("ledger")["forget_dataset"], {"name": name})
