"""What statements about one table are put together from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from psycopg import sql

from compose_seeder.documents.record_values import format_key
from compose_seeder.hashing import VERSION
from compose_seeder.manifest.models import Dataset
from compose_seeder.manifest.table_name import regclass
from compose_seeder.postgres import Name, Text
from compose_seeder.reconcile.staging import Desired
from compose_seeder.targets.table.columns import Column, identifiers, table_name

NO_TEXTS: Mapping[str, str] = {}

ALL: sql.Composable = sql.SQL("true")
"""Which rows: all of them."""


@dataclass(frozen=True)
class Expressions:
    """Parts of statements about one dataset's table.

    Attributes:
        columns: by name.
        salt: of the hashes.
    """

    dataset: Dataset
    columns: Mapping[str, Column]
    salt: int

    @property
    def identifier(self) -> sql.SQL:
        """The table's name in a statement."""
        return table_name(self.dataset.table or "")

    @property
    def table(self) -> str:
        """The table's name, as `to_regclass` reads it."""
        return regclass(self.dataset.table or "")

    def id(self, alias: str, version: int = VERSION) -> sql.Composed:
        """Return the hash of the key, by which a record is known; `version` as in `hashing`.

        `hash_array_extended` would keep 32 bits of each part: two of 100,000 keys with a part in common would be one.
        """
        columns = (self.columns[field] for field in self.dataset.key)
        parts = (column.hashed(alias, self.salt, key=True, version=version) for column in columns)
        return sql.SQL("({})").format(sql.SQL(" # ").join(parts))

    def key(self, alias: str) -> sql.Composed:
        """Return the columns of the key."""
        return identifiers(alias, self.dataset.key)

    def typed(self, fields: Sequence[str]) -> sql.Composed:
        """Return `AS p(…)` for jsonb_to_record: columns and types, with their length or precision."""
        return sql.SQL(", ").join(
            sql.SQL("{} {}").format(Name(field), self.columns[field].definition) for field in fields
        )

    def hashes(
        self,
        alias: str,
        fields: Sequence[str],
        shown: Sequence[str],
        texts: Mapping[str, str] = NO_TEXTS,
        version: int = VERSION,
    ) -> sql.Composed:
        """Return the hashes of `fields`, in their order; null for a field that is not shown."""
        return sql.SQL(", ").join(
            self.columns[field].hashed(alias, self.salt, texts.get(field), version=version)
            if field in shown
            else sql.SQL("NULL")
            for field in fields
        )

    def hash(self, alias: str, fields: Sequence[str], texts: Mapping[str, str]) -> sql.Composed:
        """Return the hash of a row: of these fields' hashes together."""
        return sql.SQL(" # ").join(
            self.columns[field].hashed(alias, self.salt, texts.get(field)) for field in fields
        )

    def texts(self, shown: Sequence[str]) -> dict[str, str]:
        """Return a name for the text of each column whose hash needs the text more than once."""
        free = (name for n in count() if (name := f"text {n}") not in self.columns)
        long = [field for field in shown if self.columns[field].base == "jsonb"]
        return dict(zip(long, free, strict=False))

    def rows(self, texts: Mapping[str, str], which: sql.Composable = ALL) -> sql.Composed:
        """Return the table's rows, with these texts: to make one of jsonb costs more than all else of its hash."""
        every = [sql.SQL("t.*")] + [
            sql.SQL("t.{}::text AS {}").format(Name(field), Name(name))
            for field, name in texts.items()
        ]
        once = sql.SQL("OFFSET 0" if texts else "")
        return sql.SQL("(SELECT {} FROM {} t WHERE {} {})").format(
            sql.SQL(", ").join(every), self.identifier, which, once
        )

    def format_key(self, record: Desired) -> str:
        """Return a record's key, as a person reads it."""
        return format_key(self.dataset.key, record.key)


def as_updated(name: str, written: Sequence[str]) -> sql.Composed:
    """Return the value that a row `t` has after an update of a plan `w`, from a record `p`.

    Args:
        name: of the column.
        written: the fields that some record of the plan writes.
    """
    if name not in written:
        return sql.SQL("t.{}").format(Name(name))
    return sql.SQL("CASE WHEN w.fields -> {0} ? 'write' THEN p.{1} ELSE t.{1} END AS {1}").format(
        Text(name), Name(name)
    )
