"""What a dataset's target is, however its manifest spells it: a table is its oid, an endpoint its path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psycopg

from compose_seeder.manifest.models import Dataset
from compose_seeder.manifest.table_name import regclass
from compose_seeder.postgres import Connection, statements


@dataclass(frozen=True)
class Targets:
    """The targets of a manifest's datasets.

    Attributes:
        datasets: of the manifest.
        oids: of their tables, by the tables' names; those that are there.
        referred: of the tables that they refer to, in the same way.
    """

    datasets: tuple[Dataset, ...]
    oids: Mapping[str, int]
    referred: Mapping[str, int]

    def oid(self, dataset: Dataset) -> int | None:
        """Return the oid of a dataset's table; None where it is not there, and for an endpoint."""
        return self.oids.get(dataset.relation or "")

    def siblings(self, dataset: Dataset) -> tuple[Dataset, ...]:
        """Return the other datasets that have the same target."""
        own = self._identity(dataset)
        return tuple(
            other
            for other in self.datasets
            if other is not dataset and self._identity(other) == own
        )

    def with_own_name(self, dataset: Dataset) -> Dataset:
        """Return a dataset whose references to its own table name it as the dataset does."""
        own = self.oid(dataset)
        refs = {
            name: ref.model_copy(update={"table": dataset.table})
            for name, ref in dataset.refs.items()
            if own
            and not dataset.is_referred_to(ref)
            and self.referred.get(regclass(ref.table)) == own
        }
        return dataset.model_copy(update={"refs": dataset.refs | refs}) if refs else dataset

    def _identity(self, dataset: Dataset) -> int | str:
        return self.oid(dataset) or dataset.target


def find_targets(connection: Connection, datasets: Iterable[Dataset]) -> Targets:
    """Ask PostgreSQL for the tables of datasets.

    Args:
        connection: in autocommit.
        datasets: of one manifest.
    """
    every = tuple(datasets)
    named = {dataset.relation for dataset in every if dataset.relation}
    referred = {regclass(ref.table) for dataset in every for ref in dataset.refs.values()}
    return Targets(every, _oids(connection, named), _oids(connection, referred))


def _oids(connection: Connection, relations: Iterable[str]) -> dict[str, int]:
    oids: dict[str, int] = {}
    query = statements("binding")["oid"]
    for relation in relations:
        try:
            row = connection.execute(query, {"relation": relation}).fetchone()
        except psycopg.errors.InsufficientPrivilege:
            continue  # the dataset itself says what is missing
        if row and row[0]:
            oids[relation] = row[0]
    return oids
