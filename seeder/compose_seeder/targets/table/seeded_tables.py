"""The tables that datasets own records in, as the ledger and the catalog know them, without a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from compose_seeder.manifest.models import Dataset
from compose_seeder.postgres import statements
from compose_seeder.reconcile.ledger import Applied, Ledger
from compose_seeder.targets.table.columns import Column, columns
from compose_seeder.targets.table.expressions import Expressions


@dataclass(frozen=True)
class NumberedColumn:
    """A column of a table.

    Attributes:
        number: of the column in its table: a rename keeps it, and no later column gets it.
        column: as the catalog describes it.
        filled: whether any row has a value in it; true where nobody has asked.
    """

    number: int
    column: Column
    filled: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return it as the ledger keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return what `to_json` made."""
        return cls(kept["number"], Column(**kept["column"]), kept["filled"])


@dataclass(frozen=True)
class SeededTable:
    """The table of one dataset, as it is or as it was.

    Attributes:
        name: of the dataset.
        applied: what the ledger says of the dataset.
        key: the fields of the key.
        oid: of the table.
        table: its name, qualified as far as the session needs it, and quoted.
        columns: by name.
    """

    name: str
    applied: Applied
    key: tuple[str, ...]
    oid: int
    table: str
    columns: Mapping[str, NumberedColumn]

    def expressions(self, salt: int) -> Expressions:
        """Return the parts of statements about it; `salt` is the ledger's."""
        dataset = Dataset(name=self.name, source=self.name, table=self.table, key=self.key)
        described = {name: each.column for name, each in self.columns.items()}
        return Expressions(dataset, described, salt)


def find_seeded_table(ledger: Ledger, name: str, oid: int) -> SeededTable | None:
    """Return the table of a dataset as it is now; None where the ledger or the catalog does not have it."""
    texts, values = statements("carry_over"), {"oid": oid}
    applied = ledger.applied(name)
    row = ledger.connection.execute(texts["table_name"], values).fetchone()
    if applied is None or row is None:
        return None
    rows = ledger.connection.execute(texts["column_numbers"], values).fetchall()
    described = columns(ledger.connection, row[0], {each: own for each, _, own in rows})
    numbered = {
        each: NumberedColumn(number, described[each])
        for each, number, _ in rows
        if each in described
    }
    return SeededTable(name, applied, tuple(applied.key or ()), oid, row[0], numbered)
