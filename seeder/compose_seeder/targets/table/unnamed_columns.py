"""Columns that no record names: what somebody filled is told from defaults, and from what triggers put there.

a row is written ─▶ columns that do not hold their defaults ─▶ the ledger ─▶ columns that hold something else later
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from compose_seeder.postgres import Connection, Name, Text, as_is, statements
from compose_seeder.targets.table.expressions import Expressions

NULL = "NULL"
"""The default of a column without one, as SQL."""


@dataclass(frozen=True)
class UnnamedColumns:
    """The columns of one table that its records need not name.

    Attributes:
        expressions: of the table.
        fields: in the order of the hashes; a record may leave out some of them.
        defaults: by column, as SQL; None where an INSERT gives each row another value, such as now().
        ids: the columns of the primary key, and those that foreign keys lead to.
    """

    connection: Connection
    expressions: Expressions
    fields: Sequence[str]
    defaults: dict[str, str | None]
    ids: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, connection: Connection, expressions: Expressions, fields: Sequence[str]
    ) -> UnnamedColumns:
        """Return the columns of a table."""
        query = statements("unnamed_columns")["defaults"]
        rows = connection.execute(query, {"table": expressions.table}).fetchall()
        key = expressions.dataset.key
        return cls(
            connection,
            expressions,
            fields,
            {name: default for name, default, _ in rows if name not in key},
            frozenset(name for name, _, is_id in rows if is_id),
        )

    def varying(self, *, with_ids: bool) -> list[str]:
        """Return the columns in which each new row has another default."""
        return [
            name
            for name, default in self.defaults.items()
            if default is None and (with_ids or name not in self.ids)
        ]

    @property
    def filled(self) -> sql.Composable:
        """The names of the columns of a row `t` that somebody filled, by the record `a` of the ledger."""
        cases = (
            sql.SQL("CASE WHEN {} AND {} THEN {} END").format(
                self._is_unnamed(name), self._differs(name, default), Text(name)
            )
            for name, default in self.defaults.items()
        )
        return sql.SQL("array_remove(ARRAY[{}]::text[], NULL)").format(sql.SQL(", ").join(cases))

    def note_edited(self) -> None:
        """Note what somebody has filled in rows that are about to be updated, which may fire triggers."""
        self._execute("fill_edited_columns", {}, filled=self.filled)

    def record_shown(self, dataset_id: int, *, updated: bool) -> None:
        """Write to the ledger what the rows just written show, beside what their records name.

        Args:
            dataset_id: of the dataset.
            updated: also of rows that were updated, since triggers may have filled columns of theirs.
        """
        columns = self.expressions.columns
        hashes = (
            sql.SQL("CASE WHEN {} THEN {} END").format(
                self._is_no_default(name, default) if default else sql.SQL("true"),
                columns[name].hashed("t", self.expressions.salt),
            )
            for name, default in self.defaults.items()
        )
        self._execute(
            "record_shown",
            {"dataset": dataset_id, "fields": list(self.fields), "updated": updated},
            names=sql.SQL(", ").join(Text(name) for name in self.defaults),
            hashes=sql.SQL(", ").join(sql.SQL("({})::text").format(hash_) for hash_ in hashes),
        )

    def _differs(self, name: str, default: str | None) -> sql.Composed:
        column = self.expressions.columns[name]
        if default:
            unknown: sql.Composable = self._is_no_default(name, default)
        elif name in self.fields:  # a migration gave it a value: see `_is_unnamed`
            unknown = sql.SQL("a.observed[{}] IS NOT NULL").format(self._place(name))
        else:
            unknown = sql.SQL("false")
        return sql.SQL(
            "CASE WHEN a.shown ? {0} THEN {1} <> (a.shown ->> {0})::bigint ELSE {2} END"
        ).format(Text(name), column.hashed("t", self.expressions.salt), unknown)

    def _place(self, name: str) -> sql.Literal:
        """Return the place of a field's hash in the arrays of the ledger."""
        return sql.Literal(list(self.fields).index(name) + 1)

    def _is_no_default(self, name: str, default: str) -> sql.Composed:
        """Return the condition that a column does not hold its default; compared as text."""
        # A domain that is NOT NULL does not take NULL.
        type_ = "text" if default == NULL else self.expressions.columns[name].type
        return sql.SQL("t.{}::text IS DISTINCT FROM CAST({} AS {})::text").format(
            Name(name), as_is(default), as_is(type_)
        )

    def _is_unnamed(self, name: str) -> sql.Composable:
        """Return the condition that a record does not name a column; what a migration gave it is nobody's either."""
        if name not in self.fields:
            return sql.SQL("true")
        return sql.SQL(
            "a.desired[{0}] IS NULL AND a.intended[{0}] IS NULL AND a.observed[{0}] IS DISTINCT FROM {1}"
        ).format(
            self._place(name),
            self.expressions.columns[name].hashed("t", self.expressions.salt),
        )

    def _execute(self, name: str, values: dict[str, object], **parts: sql.Composable) -> None:
        query = sql.SQL(statements("unnamed_columns")[name]).format(
            table=self.expressions.identifier, id=self.expressions.id("t"), **parts
        )
        self.connection.execute(query, values)
