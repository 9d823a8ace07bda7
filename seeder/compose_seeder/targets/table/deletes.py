"""The rows that `prune` may delete: what goes with them is ours as well.

plan ─▶ rows to delete ─▶ columns that somebody filled ─▶ rows that refer to them ─▶ deleted, kept, in use
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.json import encode
from psycopg import sql

from compose_seeder.postgres import as_is, statements
from compose_seeder.reconcile import working_tables
from compose_seeder.reconcile.target import DatasetRun
from compose_seeder.targets.table.columns import is_view
from compose_seeder.targets.table.expressions import Expressions
from compose_seeder.targets.table.unnamed_columns import UnnamedColumns

NO_ACTION, RESTRICT = "a", "r"

ON_DELETE = {
    NO_ACTION: "",
    RESTRICT: ", ON DELETE RESTRICT",
    "c": ", ON DELETE CASCADE",
    "n": ", ON DELETE SET NULL",
    "d": ", ON DELETE SET DEFAULT",
}
"""What happens to a row when the row that it refers to is deleted, by the catalog's `confdeltype`."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key that leads to the table.

    Attributes:
        table: the table that has it.
        rows: the same in a FROM clause: a table that others inherit from refers with its own rows alone.
        relations: oids of the tables and partitions to whose rows it leads.
        columns: of the table that has it.
        condition: when a row `o` refers to a row `t`.
        on_delete: a key of `ON_DELETE`.
        is_visible: whether the role sees all rows of the table that has it.
        may_change: whether the run itself may still change these rows.
    """

    table: str
    rows: str
    relations: list[int]
    columns: list[str]
    condition: str
    on_delete: str
    is_visible: bool
    may_change: bool

    def describe(self, rows: str, refer: str) -> str:
        """Return why a row to which it leads is not deleted."""
        by = f"{', '.join(self.columns)}{ON_DELETE[self.on_delete]}"
        return f"{rows} of {self.table}{refer} to it (by {by})"


def check_deletes(run: DatasetRun, expressions: Expressions, fields: Sequence[str]) -> None:
    """Change what `pg_temp.plan` says of rows that cannot be deleted, or not yet.

    Args:
        run: of a dataset that prunes.
        expressions: of its table.
        fields: in the order of the hashes.
    """
    row = run.connection.execute(statements("deletes")["planned_deletes"]).fetchone()
    if not row or not row[0]:
        return
    working_tables.create_deletes(run.connection)
    _execute(run, expressions, "fill_rows")
    _keep_filled(run, expressions, fields)
    if run.planned:
        rows = encode(run.planned).decode()
        run.connection.execute(statements("deletes")["add_planned_rows"], {"rows": rows})
    _keep_referred(run, expressions)


def remember_rows(run: DatasetRun, expressions: Expressions) -> None:
    """Remember the rows that a plan would change: with them, rows that they refer to may be deleted.

    A view's rows are not known by their place.
    """
    if run.planned is None or is_view(run.connection, run.dataset.table or ""):
        return
    query = sql.SQL(statements("deletes")["rows_that_a_plan_changes"]).format(
        table=expressions.identifier, id=expressions.id("t")
    )
    run.planned.extend(run.connection.execute(query, {}).fetchall())


def _keep_filled(run: DatasetRun, expressions: Expressions, fields: Sequence[str]) -> None:
    """Keep the rows in which somebody filled a column that no record names."""
    filled = UnnamedColumns.of(run.connection, expressions, fields).filled
    _execute(run, expressions, "keep_filled", filled=filled)
    run.connection.execute(statements("deletes")["forget_kept"])


def _keep_referred(run: DatasetRun, expressions: Expressions) -> None:
    """Keep the rows that rows which stay refer to."""
    keys = _foreign_keys(run, expressions)
    for number, key in enumerate(keys, 1):
        values = {"number": number, "relations": key.relations, "columns": key.columns}
        if key.is_visible:
            parts = {"referring": as_is(key.rows), "condition": as_is(key.condition)}
            _execute(run, expressions, "fill_references", values, **parts)
        elif key.on_delete not in {NO_ACTION, RESTRICT}:
            run.connection.execute(statements("deletes")["fill_unseen_references"], values)
    run.connection.execute(
        statements("deletes")["keep_referred"],
        {
            "may_change": [run.deletes == "if free" and key.may_change for key in keys],
            "unseen": [
                key.describe("rows", ", which the role may not see, may refer") for key in keys
            ],
            "one": [key.describe("1 row", " refers") for key in keys],
            "many": [key.describe("{n} rows", " refer") for key in keys],
        },
    )


def _foreign_keys(run: DatasetRun, expressions: Expressions) -> list[ForeignKey]:
    changing = None if run.tables is None else list(run.tables)
    values = {"table": expressions.table, "changing": changing}
    rows = run.connection.execute(statements("deletes")["foreign_keys"], values)
    return [ForeignKey(*row) for row in rows]


def _execute(
    run: DatasetRun,
    expressions: Expressions,
    statement: str,
    values: dict[str, object] | None = None,
    **parts: sql.Composable,
) -> None:
    names = {"table": expressions.identifier, "id": expressions.id("t")}
    query = sql.SQL(statements("deletes")[statement]).format(**names, **parts)
    run.connection.execute(query, values or {})
