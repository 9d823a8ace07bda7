"""The tool's own tables, schema `compose_init`: what was last applied, by dataset and record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import sql

from compose_seeder.hashing import NESTED_AS_TEXT, VERSION
from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import Connection, statements
from compose_seeder.reconcile import binding, ledger_schema


@dataclass(frozen=True, slots=True)
class Applied:
    """What the ledger says of a dataset.

    Attributes:
        name: of the dataset; of an earlier one, where it takes over that one's records.
        target: as `Dataset.target` said it.
        oid: of its table; None for an endpoint.
        key: the fields of the key; None where no run has noted them.
        fingerprint: of its inputs; empty where the last run did not come to its end.
        records: how many the file had.
        fields: in the order of the records' hashes.
        dataset_id: the dataset's id in the ledger.
        hash_version: how its hashes were made, as `hashing.VERSION`.
    """

    name: str
    target: str
    oid: int | None
    key: list[str] | None
    fingerprint: str
    records: int
    fields: list[str]
    dataset_id: int
    hash_version: int


@dataclass(frozen=True)
class Ledger:
    """The ledger as one connection sees it.

    Attributes:
        connection: in autocommit; the caller holds the transactions.
        present: false where a plan meets a database that never had a run.
        salt: of every hash, so that they tell nothing outside this database.
    """

    connection: Connection
    present: bool
    salt: int = 0

    @classmethod
    @contextmanager
    def open(cls, connection: Connection, *, create: bool) -> Iterator[Ledger]:
        """Open the ledger; create or upgrade it where that is allowed.

        Raises:
            CredentialsError: the role may not create, upgrade or read the ledger.
            LedgerVersionError: another version of the program wrote the ledger.
        """
        with ledger_schema.current(connection, change=create) as present:
            salt = 0
            if present:
                row = connection.execute(statements("ledger")["salt"]).fetchone()
                salt = row[0] if row else 0
            yield cls(connection, present, salt)

    def applied(self, name: str) -> Applied | None:
        """Return what was last applied of a dataset; None where it never was."""
        if not self.present:
            return None
        row = self.connection.execute(statements("ledger")["dataset"], {"name": name}).fetchone()
        return Applied(*row) if row else None

    def owned(self, dataset_id: int) -> int:
        """Count the records of a dataset that are owned, including what a killed run was about to send."""
        row = self.connection.execute(
            statements("ledger")["owned"], {"dataset": dataset_id}
        ).fetchone()
        return int(row[0]) if row else 0

    def wait_for_others(self) -> None:
        """Wait for a run that was killed, and whose COMMIT the server is still working on.

        Taken before the transaction's snapshot, which then has what that run wrote.

        Raises:
            psycopg.errors.LockNotAvailable: its session does not end in time.
        """
        row = self.connection.execute("SHOW lock_timeout").fetchone()  # a SELECT takes the snapshot
        query = sql.SQL(statements("ledger")["wait_for_others"])
        self.connection.execute(query.format(before=sql.Literal(row[0] if row else "0")))

    def hashed_as(self, dataset: Dataset) -> dict[str, str]:
        """Return the names in the salts of the hashes of a table's columns, by column; those the ledger knows."""
        if not self.present:
            return {}
        query, values = statements("ledger")["hashed_as"], {"relation": dataset.relation}
        return dict(self.connection.execute(query, values).fetchall())

    def record_names(self, datasets: Sequence[Dataset]) -> None:
        """Write how a manifest's datasets write their tables."""
        values = {
            "names": [dataset.name for dataset in datasets],
            "relations": [dataset.relation for dataset in datasets],
        }
        self.connection.execute(statements("ledger")["record_names"], values)

    def others(self, dataset: Dataset, oid: int | None) -> list[Applied]:
        """Return what the ledger says of other datasets of the same target and key.

        Args:
            dataset: the manifest's entry.
            oid: of its table; None for an endpoint, and where the table is not there.
        """
        if not self.present:
            return []
        values = {
            "name": dataset.name,
            "target": dataset.target,
            "oid": oid,
            "key": list(dataset.key),
            "comparable": NESTED_AS_TEXT,
        }
        rows = self.connection.execute(statements("ledger")["others"], values)
        return [Applied(*row) for row in rows]

    def forget_taken_over(self, datasets: Sequence[int]) -> None:
        """Forget the records of `pg_temp.plan` under the datasets that had them before; by their ids."""
        values = {"datasets": list(datasets)}
        self.connection.execute(statements("ledger")["forget_taken_over"], values)

    def begin_dataset(self, dataset: Dataset, fields: list[str], before: str = "") -> int:
        """Write that a dataset is about to change, with hashes of today's version, and return its id.

        Args:
            dataset: the manifest's entry.
            fields: the order of the hashes.
            before: the name that the dataset had, where it is another one.
        """
        texts, values = (
            statements("ledger"),
            {
                "name": dataset.name,
                "target": dataset.target,
                "relation": dataset.relation,
                "key": list(dataset.key),
                "fields": fields,
                "hash_version": VERSION,
                "before": before,
            },
        )
        if before:
            self.connection.execute(texts["rename_dataset"], values)
        if self.connection.execute(texts["add_target"], values).rowcount:
            binding.add_columns(self.connection)
        row = self.connection.execute(texts["begin_dataset"], values).fetchone()
        return int(row[0]) if row else 0

    def record_plan(self, dataset_id: int, *, unwritten_only: bool) -> None:
        """Write what `pg_temp.plan` says was applied, and forget what left the file.

        Args:
            dataset_id: the dataset's.
            unwritten_only: what is written to the target, and deleted there, follows later.
        """
        texts, values = (
            statements("ledger"),
            {"dataset": dataset_id, "unwritten_only": unwritten_only},
        )
        self.connection.execute(texts["record_applied"], values)
        actions = ["released", "kept"] if unwritten_only else ["released", "kept", "delete"]
        self.connection.execute(
            texts["forget_removed"], {"dataset": dataset_id, "actions": actions}
        )

    def forget_records(self, dataset_id: int, ids: Sequence[int] | None = None) -> None:
        """Forget records of a dataset: those that were deleted from the target, or all of them."""
        texts = statements("ledger")
        if ids is None:
            self.connection.execute(texts["forget_records"], {"dataset": dataset_id})
            self.connection.execute(texts["forget_intents"], {"dataset": dataset_id})
        else:
            self.connection.execute(
                texts["forget_record"], {"dataset": dataset_id, "ids": list(ids)}
            )

    def record_dataset(self, name: str, dataset_id: int, fingerprint: str, records: int) -> None:
        """Write that a dataset is fully applied."""
        texts = statements("ledger")
        self.connection.execute(texts["forget_intents"], {"dataset": dataset_id})
        values = {"name": name, "fingerprint": fingerprint, "records": records}
        self.connection.execute(texts["record_dataset"], values)
