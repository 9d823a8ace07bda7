"""References of a table's records to other records that the same run creates.

    deferred_references ─▶ ids, by the default of the referred column ─▶ into parents and children ─▶ parents first

The ids are allocated before anything is inserted, so that a child is inserted once and with its parent's id: a
column that is NOT NULL can be filled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from compose_seeder.errors import ManifestError
from compose_seeder.manifest.models import Dataset, Ref
from compose_seeder.manifest.table_name import regclass
from compose_seeder.postgres import Connection, Name, Text, as_is, statements
from compose_seeder.targets.table.bisect import error_of, find_failing
from compose_seeder.targets.table.columns import Column
from compose_seeder.targets.table.whole_numbers import INTEGERS, as_integers

MAX_LEVELS = 50
"""How many levels are inserted one by one; PostgreSQL checks references at the end of a statement."""


@dataclass(frozen=True, slots=True)
class UnresolvedReference:
    """A reference that does not lead to one record.

    Attributes:
        position: of the record that refers.
        value: the natural key.
        count: how many records of the file have it.
    """

    position: int
    name: str
    value: str
    count: int


@dataclass(frozen=True)
class SelfReferences:
    """One dataset's references to its own table, as they lie in `pg_temp.deferred_references`.

    Attributes:
        fields: in the order of the hashes.
        salt: of the hashes.
    """

    connection: Connection
    dataset: Dataset
    columns: Mapping[str, Column]
    fields: Sequence[str]
    salt: int

    def refs(self) -> dict[str, Ref]:
        """Return the references that some record defers."""
        rows = self.connection.execute(statements("self_references")["deferred_names"])
        return {name: self.dataset.refs[name] for (name,) in rows}

    def show_in_desired(self) -> None:
        """Let the comparison see values that nothing equals yet; as a plan shows them, by their natural key."""
        for name in self.refs():
            values = {"name": name, "n": self._place(name)}
            self.connection.execute(statements("self_references")["show_in_desired"], values)

    def unresolved(self) -> list[UnresolvedReference]:
        """Find the new records that the references lead to.

        Returns:
            References that would be written, and lead to no record or to several.
        """
        for name, ref in self.refs().items():
            self._find_parents(name, ref)
        return [
            UnresolvedReference(position, name, value, count)
            for name in self.refs()
            for position, value, count in self.connection.execute(
                statements("self_references")["unresolved_references"], {"name": name}
            )
        ]

    def insert_ids(self, widen: Callable[[str], Mapping[int, int]]) -> None:
        """Put ids into parents and children, before they are written.

        Args:
            widen: returns the number of each field set, with the number of the field set that has one field more.

        Raises:
            ManifestError: the ids of new rows cannot be known before they are created.
        """
        for name, ref in self.refs().items():
            self._allocate_ids(ref, widen)
            query = sql.SQL(statements("self_references")["insert_ids"])
            self.connection.execute(query, {"name": name, "take": ref.take})
            column = self.columns[name]
            hashes = sql.SQL(statements("self_references")["hash_ids"]).format(
                name=Name(name),
                type=column.definition,
                hash=column.hashed("p", self.salt),
            )
            self.connection.execute(hashes, {"name": name, "n": self._place(name)})
            self.connection.execute(
                statements("self_references")["copy_hashes_to_plan"],
                {"name": name, "n": self._place(name)},
            )

    def levels(self) -> list[list[int]]:
        """Return the positions of records that are created, parents first; none where nothing is deferred.

        Records that refer to each other in a ring are all in the last level.
        """
        if not self.refs():
            return []
        edges = self.connection.execute(statements("self_references")["edges"]).fetchall()
        query, create = statements("table")["positions_by_action"], {"action": "create"}
        positions = [row[0] for row in self.connection.execute(query, create)]
        return _levels(positions, edges)

    def _find_parents(self, name: str, ref: Ref) -> None:
        """Find the new records that a reference leads to; the type of the column decides what is equal."""
        texts, column = statements("self_references"), self.columns[ref.match]
        parts = {"name": Text(ref.match), "match": Name(ref.match), "type": column.definition}
        rows = self.connection.execute(texts["deferred_values"], {"name": name})
        given = [text for (text,) in rows]
        values = given
        if column.base in INTEGERS:
            values = [as_integers(text.encode()).decode() for text in given]
        read = sql.SQL(texts["read_as_type"]).format(**parts)

        def read_some(some: list[int]) -> None:
            self.connection.execute(read, {"values": [values[n] for n in some]})

        places = list(range(len(given)))
        if error_of(self.connection, lambda: read_some(places)):
            # The column's type does not take some, so that no record has them.
            failing = {n for n, _ in find_failing(self.connection, places, read_some)}
            places = [n for n in places if n not in failing]
        self.connection.execute(
            sql.SQL(texts["find_parents"]).format(**parts),
            {
                "name": name,
                "given": [given[n] for n in places],
                "values": [values[n] for n in places],
            },
        )

    def _place(self, name: str) -> int:
        return list(self.fields).index(name) + 1

    def _allocate_ids(self, ref: Ref, widen: Callable[[str], Mapping[int, int]]) -> None:
        """Allocate ids for the records to which the file gives no id."""
        query, asked = (
            statements("self_references")["records_without_id"],
            {"take": ref.take},
        )
        found = self.connection.execute(query, asked).fetchall()
        positions = [position for position, _ in found]
        if not any(is_parent for _, is_parent in found):
            return
        place = {"table": regclass(self.dataset.table or ""), "column": ref.take}
        row = self.connection.execute(
            statements("self_references")["default_expression"], place
        ).fetchone()
        if row is None or row[0] is None:
            raise ManifestError(
                f"dataset {self.dataset.name}: records refer to others of it by {ref.take}, which has no default, so"
                f" that nobody can know it before they are created: give {ref.take} in the file"
            )
        allocate = sql.SQL(statements("self_references")["allocate_ids"]).format(
            take=Text(ref.take), default=as_is(row[0])
        )
        wider = widen(ref.take)
        narrow, wide = list(wider), list(wider.values())
        values = {"positions": positions, "narrow": narrow, "wide": wide}
        self.connection.execute(allocate, values)


def _levels(positions: Sequence[int], edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return the positions by level: parents before children; `edges` lead from a child to its parent."""
    there = set(positions)
    children: dict[int, list[int]] = {}
    waiting: dict[int, int] = {}
    for child, parent in edges:
        if child in there and parent in there:
            children.setdefault(parent, []).append(child)
            waiting[child] = waiting.get(child, 0) + 1
    level = [position for position in positions if position not in waiting]
    found: list[list[int]] = []
    while level:
        if len(found) < MAX_LEVELS:
            found.append(level)
        else:
            found[-1] += level
        following = []
        for parent in level:
            for child in children.get(parent, ()):
                waiting[child] -= 1
                if not waiting[child]:
                    del waiting[child]
                    following.append(child)
        level = sorted(following)
    return [*found, sorted(waiting)] if waiting else found
