"""A plain Python model of one seeded table across migrations: its file, its rows, and what was applied to it.

A column is its number and a table its generation, as in PostgreSQL. Values are numbers, and stay the same numbers when
the type of their column changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.support.seed_folder import table

FIELDS = ("x", "y", "z", "w")

TYPES = ("int", "bigint", "numeric", "text")

KINDS = {"int": "integer", "bigint": "integer", "numeric": "numeric", "text": "text"}
"""Types of one kind have the same hash for the same value."""

FOREIGN = object()
"""Stands for a value that somebody else owns."""


MISSING = object()
"""Stands for what the ledger does not know."""


@dataclass(frozen=True)
class Given:
    """A value that was never written, and that a migration gave a row."""

    value: Any


Row = dict[int, Any]


@dataclass
class Column:
    """A column: its name, its type, and the value that rows get when nobody gives one."""

    name: str
    type: str
    default: int | None = None
    hashed_as: str = ""

    @property
    def hash(self) -> tuple[str, str]:
        """What decides the hash of a value in it."""
        return self.hashed_as, KINDS[self.type]


@dataclass
class Look:
    """The table before a migration: its generation, its columns, its rows, and the columns that had values."""

    generation: int
    columns: dict[int, tuple[str, tuple[str, str]]]
    rows: dict[str, Row]
    filled: set[int]


@dataclass
class Migrated:
    """One table and its dataset.

    Attributes:
        overwrite: whether `on_drift` is that.
        prune: as in the manifest.
        named: the columns that the file names.
        desired: the file, by slug and name.
        applied: the ledger, by slug and number of the column.
        known: the columns that the ledger has hashes for.
        is_target: whether the ledger knows the table.
        table: the table's name.
    """

    name: str
    overwrite: bool
    prune: bool
    generation: int = 0
    columns: dict[int, Column] = field(default_factory=dict)
    live: dict[str, Row] = field(default_factory=dict)
    named: list[str] = field(default_factory=lambda: ["x", "y"])
    desired: dict[str, dict[str, Any]] = field(default_factory=dict)
    applied: dict[str, dict[int, Any]] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    is_target: bool = False
    table: str = ""
    before: Look | None = None
    names: dict[int, str] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        """Give it a name and its first two columns."""
        self.table = self.name
        for name in ("x", "y"):
            self._new_column(name)

    # the file and the hands

    def manifest(self) -> str:
        """Return the manifest's entry."""
        on_drift = "overwrite" if self.overwrite else "keep"
        text = table(self.name, on_drift=on_drift, prune=self.prune, max_prune=1.0)
        return text.replace(f'table = "{self.name}"', f'table = "{self.table}"')

    def file(self) -> list[dict[str, Any]]:
        """Return the records of the file."""
        return [
            {"slug": slug, **{name: row.get(name, 0) for name in self.named}}
            for slug, row in self.desired.items()
        ]

    def edit_file(self, kind: str, *words: Any) -> None:
        """Change a value, remove a record, or name a column."""
        if kind == "unseed":
            self.desired.pop(words[0], None)
        elif kind == "seed":
            slug, number, value = words
            row = self.desired.setdefault(slug, {})
            if self.named:
                row[self.named[number % len(self.named)]] = value
        else:
            number, value = words
            free = [
                column.name for column in self.columns.values() if column.name not in self.named
            ]
            if free:
                name = free[number % len(free)]
                self.named.append(name)
                for row in self.desired.values():
                    row[name] = value

    def edit(
        self, kind: str, slug: str, number: int = 0, value: Any = None
    ) -> list[tuple[Any, ...]]:
        """Edit or delete a row by hand; return the statements that do."""
        if kind == "delete":
            self.live.pop(slug, None)
            return [(f"DELETE FROM {self.table} WHERE slug = %s", slug)]
        place, column = self._pick(number)
        if not column:
            return []
        statements = []
        if slug not in self.live:
            self.live[slug] = {each: own.default for each, own in self.columns.items()}
            statements.append((f"INSERT INTO {self.table} (slug) VALUES (%s)", slug))
        self.live[slug][place] = value
        query = f"UPDATE {self.table} SET {column.name} = %s WHERE slug = %s"
        return [*statements, (query, None if value is None else str(value), slug)]

    # the database

    def create_statement(self) -> str:
        """Return the statement that creates the table, empty."""
        columns = "".join(
            f", {column.name} {column.type}"
            + ("" if column.default is None else f" DEFAULT '{column.default}'")
            for column in self.columns.values()
        )
        return f"CREATE TABLE {self.table} (slug text PRIMARY KEY{columns})"

    def query(self) -> str:
        """Return the query of all rows: slug, and the columns by name."""
        names = sorted(column.name for column in self.columns.values())
        columns = "".join(f", {name}::numeric" for name in names)
        return f"SELECT slug{columns} FROM {self.table}"

    def rows(self) -> dict[str, list[Any]]:
        """Return what `query` must find."""
        numbers = sorted(self.columns, key=lambda number: self.columns[number].name)
        return {slug: [row[number] for number in numbers] for slug, row in self.live.items()}

    # migrations

    def migrate(self, kind: str, *words: Any) -> list[str]:
        """Change the table as one revision does; return its statements."""
        return getattr(self, f"_{kind.replace(' ', '_')}")(*words)  # type: ignore[no-any-return]

    def _type(self, number: int, new: str) -> list[str]:
        _, column = self._pick(number)
        if not column:
            return []
        column.type = new
        canonical = f"trim_scale({column.name}::numeric)"
        drop = f"ALTER TABLE {self.table} ALTER {column.name} DROP DEFAULT"
        change = f"ALTER TABLE {self.table} ALTER {column.name} TYPE {new} USING {canonical}::{new}"
        if column.default is None:
            return [drop, change]
        return [
            drop,
            change,
            f"ALTER TABLE {self.table} ALTER {column.name} SET DEFAULT '{column.default}'",
        ]

    def _drop(self, number: int) -> list[str]:
        place, column = self._pick(number)
        if not column:
            return []
        self._remove(place)
        self._unname(column.name)
        return [f"ALTER TABLE {self.table} DROP {column.name}"]

    def _new_column(self, name: str, default: int | None = None) -> None:
        number = next(self._numbers)
        taken = {column.hashed_as for column in self.columns.values()}
        hashed_as = f"{number} {name}" if name in taken else name
        self.columns[number] = Column(name, "int", default, hashed_as)
        for row in self.live.values():
            row[number] = default

    def _add(self, name: str, default: int | None) -> list[str]:
        if any(column.name == name for column in self.columns.values()):
            return []
        self._new_column(name, default)
        ending = "" if default is None else f" NOT NULL DEFAULT {default}"
        statements = [f"ALTER TABLE {self.table} ADD {name} int{ending}"]
        if default is not None:  # what a person or a file says may be null
            statements.append(f"ALTER TABLE {self.table} ALTER {name} DROP NOT NULL")
        return statements

    def _drop_and_add(self, number: int, default: int | None) -> list[str]:
        place, column = self._pick(number)
        if not column:
            return []
        self._remove(place)
        return [f"ALTER TABLE {self.table} DROP {column.name}", *self._add(column.name, default)]

    def _rename(self, number: int, name: str) -> list[str]:
        _, column = self._pick(number)
        if not column or any(each.name == name for each in self.columns.values()):
            return []
        old, column.name = column.name, name
        if old in self.named:
            self.named[self.named.index(old)] = name
        for row in self.desired.values():
            if old in row:
                row[name] = row.pop(old)
        return [f"ALTER TABLE {self.table} RENAME {old} TO {name}"]

    def _rewrite(self, number: int, slug: str, value: Any) -> list[str]:
        place, column = self._pick(number)
        if not column:
            return []
        if slug in self.live:
            self.live[slug][place] = value
        return [f"UPDATE {self.table} SET {column.name} = {_literal(value)} WHERE slug = '{slug}'"]

    def _rewrite_all(self, number: int, value: Any) -> list[str]:
        place, column = self._pick(number)
        if not column:
            return []
        for row in self.live.values():
            row[place] = value
        return [f"UPDATE {self.table} SET {column.name} = {_literal(value)}"]

    def _delete(self, slug: str) -> list[str]:
        self.live.pop(slug, None)
        return [f"DELETE FROM {self.table} WHERE slug = '{slug}'"]

    def _insert(self, slug: str, value: Any) -> list[str]:
        if slug in self.live:
            return []
        self.live[slug] = dict.fromkeys(self.columns, value)
        names = "".join(f", {column.name}" for column in self.columns.values())
        given = f", {_literal(value)}" * len(self.columns)
        return [f"INSERT INTO {self.table} (slug{names}) VALUES ('{slug}'{given})"]

    def _recreate(self) -> list[str]:
        self.live = {}
        self._new_generation()
        return [f"DROP TABLE {self.table}", self.create_statement()]

    def _copy(self) -> list[str]:
        self._new_generation()
        names = "".join(f", {column.name}" for column in self.columns.values())
        return [
            f"ALTER TABLE {self.table} RENAME TO old_{self.table}",
            f"ALTER INDEX {self.table}_pkey RENAME TO old_{self.table}_pkey",
            self.create_statement(),
            f"INSERT INTO {self.table} (slug{names}) SELECT slug{names} FROM old_{self.table}",
            f"DROP TABLE old_{self.table}",
        ]

    def _rename_table(self) -> list[str]:
        old = self.table
        self.table = f"{self.name}_2" if old == self.name else self.name
        return [
            f"ALTER TABLE {old} RENAME TO {self.table}",
            f"ALTER INDEX {old}_pkey RENAME TO {self.table}_pkey",
        ]

    # the two looks

    def look(self) -> None:
        """Look at the table before a migration, if the ledger has a record of it."""
        self.known &= set(self.columns)
        if not self.applied:
            return
        self.before = Look(
            self.generation,
            {number: (column.name, column.hash) for number, column in self.columns.items()},
            {slug: dict(row) for slug, row in self.live.items()},
            {n for n in self.columns if n in self.known or self._has_values(n)},
        )

    def carry_over(self) -> None:
        """Look again, if somebody has looked before: what is different now is nobody's edit."""
        look, self.before = self.before, None
        if look is None:
            return
        carried = self._carried_columns(look)
        added = {
            number
            for number in self.columns
            if number not in carried.values()
            and number not in {self._now(look, each) for each in look.filled}
            and self._has_values(number)
        }
        keeps_rows = look.generation == self.generation or self._is_copy(look)
        for slug in list(self.applied):
            old, row, before = self.applied[slug], self.live.get(slug), look.rows.get(slug)
            if row is None and not (before is None and keeps_rows):
                del self.applied[slug]
                continue
            new: dict[int, Any] = {}
            for number, now in carried.items():
                is_same_column = self._now(look, number) == now
                if row is None or (number not in old and is_same_column):
                    if number in old:
                        new[now] = old[number]
                elif not is_same_column:
                    written = number in old and not isinstance(old[number], Given)
                    new[now] = row[now] if written else Given(row[now])
                else:
                    new[now] = self._carried(look, number, now, old[number], before, row)
            if row is not None:
                new |= {number: Given(row[number]) for number in added}
            self.applied[slug] = {n: value for n, value in new.items() if value is not MISSING}
        self.known = set(carried.values()) | added

    def _is_copy(self, look: Look) -> bool:
        """Return whether another table has all records that were there before."""
        there = [slug for slug in self.applied if slug in look.rows]
        return bool(there) and all(slug in self.live for slug in there)

    def _carried(
        self, look: Look, number: int, now: int, applied: Any, before: Row | None, row: Row
    ) -> Any:
        """Return what counts as applied to one field of a row that is there."""
        rehashed = look.columns[number][1] != self.columns[now].hash
        is_given = isinstance(applied, Given)
        known = applied.value if is_given else applied
        as_applied = known is not FOREIGN and (before is None or before[number] == known)
        if look.generation != self.generation and not rehashed:
            is_other = before is None or row[now] != before[number]
            as_applied = is_other and (as_applied or row[now] == known)
        if as_applied:
            return Given(row[now]) if is_given else row[now]
        if not rehashed:
            return applied
        return MISSING if is_given else FOREIGN

    def _carried_columns(self, look: Look) -> dict[int, int]:
        """Return the number that each known column has now; another column may have its name."""
        names = {column.name: number for number, column in self.columns.items()}
        found = {}
        for number in sorted(self.known):
            name = look.columns[number][0] if number in look.columns else self.names[number]
            now = self._now(look, number) or names.get(name)
            if now:
                found[number] = now
        return found

    def _now(self, look: Look, number: int) -> int | None:
        """Return the number of the same column now; in another table, a column of the same name."""
        if look.generation == self.generation:
            return number if number in self.columns else None
        if number not in look.columns:
            return None
        name = look.columns[number][0]
        return next((n for n, column in self.columns.items() if column.name == name), None)

    # seeding

    def run(self) -> None:
        """Seed, as the three-way comparison says."""
        for slug in [slug for slug in self.applied if slug not in self.desired]:
            if self.prune and slug in self.live and self._is_ours(slug):
                del self.live[slug]
            del self.applied[slug]
        numbers = {column.name: number for number, column in self.columns.items()}
        for record in self.file():
            wanted = {numbers[name]: record[name] for name in self.named}
            self._seed(record["slug"], wanted)
        if self.desired:
            self.known |= {numbers[name] for name in self.named}
        if not self.is_target:
            self.is_target = True
            for column in self.columns.values():
                column.hashed_as = column.name

    def _seed(self, slug: str, wanted: dict[int, Any]) -> None:
        if slug in self.live:
            self._compare(slug, wanted)
        elif self.overwrite or slug not in self.applied:
            defaults = {n: column.default for n, column in self.columns.items()}
            self.live[slug] = defaults | wanted
            self.applied[slug] = dict(wanted)

    def _compare(self, slug: str, wanted: dict[int, Any]) -> None:
        row, owned = self.live[slug], slug in self.applied
        applied = self.applied.setdefault(slug, {})
        for number, value in wanted.items():
            known = applied.get(number, MISSING)
            if known is MISSING or isinstance(known, Given):
                unchosen = (None, self.columns[number].default, getattr(known, "value", None))
                ours = owned and row[number] in unchosen
            else:
                ours = known is not FOREIGN and known == row[number]
            if ours or self.overwrite or row[number] == value:
                row[number] = applied[number] = value
            elif known is MISSING or isinstance(known, Given):
                applied[number] = FOREIGN

    def _is_ours(self, slug: str) -> bool:
        """Return whether nobody has edited a row, columns that no record names included."""
        row, applied = self.live[slug], self.applied[slug]
        for number, value in row.items():
            known = applied.get(number, MISSING)
            if known is MISSING or isinstance(known, Given):
                if value not in (self.columns[number].default, getattr(known, "value", MISSING)):
                    return False
            elif known is FOREIGN or known != value:
                return False
        return True

    # parts

    def _pick(self, number: int) -> tuple[int, Column | None]:
        """Return one of the columns, and its number."""
        if not self.columns:
            return 0, None
        place = sorted(self.columns)[number % len(self.columns)]
        return place, self.columns[place]

    def _has_values(self, number: int) -> bool:
        return any(row[number] is not None for row in self.live.values())

    def _remove(self, number: int) -> None:
        self.names[number] = self.columns.pop(number).name
        for row in self.live.values():
            del row[number]

    def _unname(self, name: str) -> None:
        if name in self.named:
            self.named.remove(name)
        for row in self.desired.values():
            row.pop(name, None)

    def _new_generation(self) -> None:
        """Make it another table: its columns get numbers that no column had."""
        self.generation += 1
        self.is_target = self.is_target and self.before is not None
        self.names |= {number: column.name for number, column in self.columns.items()}
        renumbered = {number: next(self._numbers) for number in self.columns}
        self.columns = {renumbered[n]: column for n, column in self.columns.items()}
        for column in self.columns.values():
            column.hashed_as = column.name
        self.live = {
            slug: {renumbered[n]: value for n, value in row.items()}
            for slug, row in self.live.items()
        }


def _literal(value: Any) -> str:
    return "NULL" if value is None else f"'{value}'"
