"""The columns of a seeded table before a migration and after it: which hashes of the ledger stay, and which do not.

same        as it was: a value that differs now was rewritten by the migration
rehashed    of another type or name, so that each value has another hash
new         another column has the field's name: each value in it comes of the migration
added       no record named it, and the migration gave it values
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from compose_seeder.targets.table.seeded_tables import NumberedColumn

Kind = Literal["same", "rehashed", "new", "added"]

Columns = Mapping[str, NumberedColumn]


@dataclass(frozen=True)
class CarriedField:
    """A field of a dataset after the migration.

    Attributes:
        name: of its column now.
        kind: see above.
        place: of its hash in the records before, from 1; None for a field that was added.
    """

    name: str
    kind: Kind
    place: int | None = None


def carry_fields(
    fields: Sequence[str], before: Columns, after: Columns, *, same_table: bool
) -> list[CarriedField]:
    """Return the fields that are there still, in their order."""
    found = []
    for place, name in enumerate(fields, 1):
        column = before.get(name)
        now = find_column(column, after, same_table=same_table) if column else None
        if column and now:
            same = column.column.is_hashed_like(after[now].column, key=False)
            found.append(CarriedField(now, "same" if same else "rehashed", place))
        elif name in after:
            found.append(CarriedField(name, "new", place))
    return found


def find_added(
    carried: Sequence[CarriedField], before: Columns, after: Columns, *, same_table: bool
) -> list[str]:
    """Return the columns that are new, or had no value before, and that no field has."""
    known = {each.name for each in carried}
    filled = {
        now
        for column in before.values()
        if column.filled and (now := find_column(column, after, same_table=same_table))
    }
    return [
        name
        for name, each in after.items()
        if name not in known | filled and not each.column.generated
    ]


def find_column(column: NumberedColumn, after: Columns, *, same_table: bool) -> str | None:
    """Return the name that a column has now; in another table, that is the name it had."""
    if not same_table:
        return column.column.name if column.column.name in after else None
    return next((name for name, each in after.items() if each.number == column.number), None)
