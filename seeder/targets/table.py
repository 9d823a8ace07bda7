"""A table as a target: PostgreSQL does the typing, the comparison and the writing.

    desired ─▶ COPY ─▶ pg_temp.raw (jsonb) ─▶ jsonb_to_record ─▶ pg_temp.desired
    the table ─────────────────────────────────────────────────▶ pg_temp.live   (a view)
    pg_temp.plan ─▶ one INSERT a shape, one UPDATE ─▶ the table

A shape is a set of fields: only the fields that a record names are compared or written, so that
records with other fields need other statements.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import psycopg
from msgspec import DecodeError, Raw
from msgspec.json import decode, encode
from psycopg import sql

from seeder.diff import Plan
from seeder.errors import (
    SHOWN,
    CredentialsError,
    Fault,
    InterruptedTargetError,
    ManifestError,
    RecordError,
    RefusedError,
    nearest,
    quote,
)
from seeder.ledger import Applied, Connection, Ledger, unpack
from seeder.manifest import Dataset
from seeder.sql import Name, Text, as_is, statements
from seeder.stage import SECRET, Desired, Scalar, label
from seeder.staged import Staged
from seeder.targets import Progress, Shape
from seeder.targets.breaches import Breaches
from seeder.targets.columns import columns, identifiers, regclass, same, table_name, why_no_table
from seeder.targets.halving import LOOKED_FOR, attempted, search
from seeder.targets.misfits import Misfits
from seeder.targets.rules import NEEDED, NOT_NULL, UNIQUE, Rule, denied, held_back, null, rules
from seeder.targets.tree import Orphan, Tree

NO_TEXTS: Mapping[str, str] = {}

EQUAL = {"text", "varchar", "bpchar", "uuid", "bool", "date", "timestamp", "timestamptz"} | {
    "int2",
    "int4",
    "int8",
    "numeric",
}
"""Types of keys that a row is found by, instead of by the key's hash."""


SEPARATOR = "\x1f"
"""Between the values of many keys in one text: ASCII's unit separator, which no key should hold."""


class TableTarget:
    """One dataset's table, inside a transaction that the caller holds.

    Raises:
        ManifestError: the table or a key column is not there.
    """

    def __init__(self, connection: Connection, dataset: Dataset, salt: int) -> None:
        self._connection = connection
        self._salt = salt
        self._fields: list[str] = []
        self._dataset = dataset
        self._name = dataset.table or ""
        self.identifier = table_name(self._name)
        self.columns = columns(connection, self._name)
        self._staged: Staged | None = None
        self._shapes: dict[Shape, int] = {}
        self._check_manifest()

    def load(self, staged: Staged) -> list[Shape]:
        """Copy the desired records; the sets of fields that they have.

        Raises:
            RecordError: unknown fields, or what jsonb cannot hold; all of them.
        """
        self._staged = staged
        self._connection.execute(statements("table")["raw"])
        self._connection.execute(statements("tree")["waits"])
        unknown: dict[str, tuple[Desired, int]] = {}
        unstorable: list[Fault] = []
        for some in staged:
            self._find_unknown(some, unknown)
            read, wrong = self._with_json(some)
            unstorable += wrong
            if not unknown and not wrong:
                unstorable += self._copy(read)
        if faults := [self._unknown(*one) for one in unknown.items()] or unstorable:
            raise RecordError(self._wrong, faults)
        return list(self._shapes)

    def show(self, fields: list[str], *, verify: bool) -> None:
        """Type the desired records as the table would, and show the live ones beside them.

        Raises:
            RecordError: values that a column's type does not take; all of them.
        """
        del verify  # a table shows all of itself at any time
        self._fields = fields
        try:
            with self._connection.transaction():
                self._type()
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.NotSupportedError) as error:
            # class 22, and 23 for a domain's CHECK: find which records, and say it by field
            faults, number = self._misfits.find(self._at, self._shapes)
            raise RecordError(self._wrong, faults or [self._unplaced(error)], number) from None
        self._tree.show()
        self._show_live()

    def refuse(self, plan: Plan, *, later: bool) -> None:
        """Find what the table would refuse, before anything is written.

        Args:
            plan: what `pg_temp.plan` says.
            later: whether rows that it refers to may come of earlier datasets of the same plan.

        Raises:
            RefusedError: records would break its rules; the first of them, and how many there are.
        """
        if not plan.create and not plan.update:
            return
        if orphans := self._tree.orphans():
            records = self._at(one.position for one in orphans[:SHOWN])
            faults = [self._orphan(one, records[one.position]) for one in orphans[:SHOWN]]
            raise RecordError(self._wrong, faults, len(orphans))
        refs = frozenset(self._dataset.refs if later else self._tree.refs())
        breaches = Breaches(
            self._connection,
            self._dataset,
            regclass(self._name),
            self.identifier,
            [name for name, column in self.columns.items() if not column.generated],
            self._typed,
            waiting=refs,
            parents_there=not later,
        )
        breaches.find(self._at, self._shapes)
        if breaches.faults:
            raise RefusedError(self._refuses, breaches.faults, breaches.count)

    def apply(self, plan: Plan, ledger: Ledger, number: int, progress: Progress) -> Plan:
        """Delete, insert, update, let sequences follow, and write the ledger.

        Raises:
            RefusedError: a constraint or trigger refused records; they are named.
            CredentialsError: the role lacks a privilege.
            InterruptedTargetError: somebody changed the same rows at the same moment.
        """
        rewritten: list[str] = []
        try:
            with self._connection.transaction():
                self._write(plan)
                rewritten = self._look_back(plan)
        except psycopg.errors.InsufficientPrivilege as error:
            self._raise_denied(error)
        except psycopg.errors.SerializationFailure:
            raise InterruptedTargetError(
                f"{self._dataset.target}: rows were changed by somebody else while they were being"
                " compared; nothing was written: run again"
            ) from None
        except psycopg.DatabaseError as error:
            # A trigger may raise any SQLSTATE; of the operational ones, only limits are the record's own.
            if isinstance(error, psycopg.OperationalError) and not is_limit(error):
                raise
            faults = self._refused() or [self._unplaced(error)]
            # PostgreSQL's details have values, and a traceback would show them.
            raise RefusedError(
                self._refuses, faults, len(faults), more=len(faults) >= LOOKED_FOR
            ) from None
        ledger.record_plan(number, unwritten_only=False)
        total = plan.create + plan.update + plan.delete
        progress(total, total)
        return plan.with_unconfirmed(rewritten)

    @property
    def _tree(self) -> Tree:
        return Tree(self._connection, self._dataset, self.columns, self._fields, self._salt)

    def _orphan(self, orphan: Orphan, record: Desired) -> Fault:
        ref = self._dataset.refs[orphan.name]
        secret = {orphan.name, ref.from_} & self._dataset.secrets
        shown = SECRET if secret else quote(orphan.value)
        there = "no row and no new record has it"
        if orphan.count:
            there = f"{orphan.count} records of the file have it"
        problem = f"refers to {ref.table}.{ref.match} {shown}, but {there}"
        return Fault(record.where, self._label(record), ref.from_, problem)

    def _widened(self, field: str) -> dict[int, int]:
        """The numbers of all shapes, each with that of the shape that has a field more."""
        found = {}
        for shape, number in list(self._shapes.items()):
            wider = tuple(dict.fromkeys([*shape, field]))
            found[number] = self._shapes.setdefault(wider, len(self._shapes))
        return found

    # without a comparison

    def never_filled(self) -> bool:
        """Whether the table is empty, and rows stay in it as they are put there."""
        if self._json:
            return False
        query = statements("fill")["empty"]
        row = self._connection.execute(query, {"table": regclass(self._name)}).fetchone()
        return bool(row and row[0])

    def ids(self, keys: Sequence[Sequence[Scalar]]) -> array[int]:
        """The ids of records; `keys` has a column for each field of the key."""
        names = [sql.Identifier(f"k{n}") for n in range(len(keys))]
        query = sql.SQL(statements("fill")["ids"]).format(
            id=self._id("t"),
            typed=sql.SQL(", ").join(
                sql.SQL("k.{}::{} AS {}").format(name, as_is(self.columns[field].type), Name(field))
                for name, field in zip(names, self._dataset.key, strict=True)
            ),
            texts=sql.SQL(", ").join(
                sql.SQL("string_to_array(%s, {})").format(sql.Literal(SEPARATOR)) for _ in keys
            ),
            names=sql.SQL(", ").join(names),
        )
        texts = [SEPARATOR.join(map(str, column)) for column in keys]
        # A single empty text would be no key at all.
        if any(not text or text.count(SEPARATOR) != len(keys[0]) - 1 for text in texts):
            raise psycopg.DataError
        row = self._connection.execute(query, texts, prepare=True).fetchone()
        return unpack(row[0] if row else b"")

    def record_filled(self, number: int, fields: list[str], count: int) -> None:
        """Write the ledger of all rows of the table.

        Raises:
            psycopg.Error: two have the same key.
        """
        self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        self._fields, self._shapes = fields, {tuple(fields): 0}
        self._follow_sequences()
        texts = self._texts(fields)
        parts = {
            "rows": self._rows(texts),
            "id": self._id("t"),
            "hashes": self._hashes("t", fields, texts),
        }
        query = sql.SQL(statements("fill")["ledger"]).format(**parts)
        anew = count > self._recorded()
        if anew:
            self._connection.execute(statements("fill")["without_index"])
        if self._connection.execute(query, {"dataset": number}).rowcount != count:
            raise psycopg.DataError
        if anew:
            self._connection.execute(statements("fill")["with_index"])

    def _recorded(self) -> int:
        row = self._connection.execute(statements("fill")["recorded"]).fetchone()
        return int(row[0]) if row else 0

    def edited(self, applied: Applied) -> set[int]:
        """Ids of applied records that the table does not show as they were applied."""
        self._fields = applied.fields
        shown = [field for field in applied.fields if field in self.columns]
        texts = self._texts(shown)
        query = sql.SQL(statements("fill")["edited"]).format(
            table=self.identifier,
            rows=self._rows(texts),
            id=self._id("t"),
            hashes=self._hashes("t", shown, texts),
            dataset=sql.Literal(applied.number),
        )
        row = self._connection.execute(query, {}).fetchone()
        return set(row[0]) if row else set()

    # what is asked of the manifest and of the fields

    def _check_manifest(self) -> None:
        if not self.columns:
            why = why_no_table(self._connection, self._name)
            raise ManifestError(f"dataset {self._dataset.name}: {why}")
        for field in [*self._dataset.key, *self._dataset.refs]:
            if field not in self.columns:
                raise ManifestError(
                    f"dataset {self._dataset.name}: table {self._name} has no column"
                    f" {field}{nearest(field, list(self.columns))}"
                )

    def _raise_denied(self, error: psycopg.Error) -> None:
        """A privilege that is missing, or records that row-level security holds back."""
        why = held_back(self._connection, regclass(self._name))
        if why is None:
            needed = [*NEEDED, "DELETE"] if self._dataset.prune else NEEDED
            said = denied(self._connection, regclass(self._name), error, needed)
            raise CredentialsError(f"{self._dataset.target}: {said}") from None
        raise RefusedError(
            self._refuses, [replace(fault, problem=why) for fault in self._refused()]
        ) from None

    @property
    def _refuses(self) -> str:
        return f"dataset {self._dataset.name}: {self._dataset.target} refuses records"

    @property
    def _misfits(self) -> Misfits:
        return Misfits(
            self._connection,
            self._dataset,
            regclass(self._name),
            {name: column.type for name, column in self.columns.items()},
            {name: column.base for name, column in self.columns.items()},
            {name: column.category for name, column in self.columns.items()},
        )

    @property
    def _wrong(self) -> str:
        return f"dataset {self._dataset.name} has records that are wrong"

    def _at(self, positions: Iterable[int]) -> dict[int, Desired]:
        return self._staged.at(positions) if self._staged else {}

    def _find_unknown(
        self, records: list[Desired], unknown: dict[str, tuple[Desired, int]]
    ) -> None:
        """Fields that the table cannot take: of each the first record that has it, and how many have."""
        by_shape = {tuple(record.document) for record in records}
        wrong = {
            shape: [
                name for name in shape if name not in self.columns or self.columns[name].generated
            ]
            for shape in by_shape
        }
        if not any(wrong.values()):
            return
        for record in records:
            for name in wrong[tuple(record.document)]:
                first, number = unknown.get(name, (record, 0))
                unknown[name] = (first, number + 1)

    def _unknown(self, field: str, found: tuple[Desired, int]) -> Fault:
        record, number = found
        problem = self._why_not(field) + _also(number)
        return Fault(record.where, self._label(record), field, problem)

    @property
    def _json(self) -> set[str]:
        """Columns of JSON whose values stand in the source as text."""
        json = {name for name, column in self.columns.items() if column.base in {"json", "jsonb"}}
        return json if self._dataset.is_text else set()

    def _with_json(self, records: list[Desired]) -> tuple[list[Desired], list[Fault]]:
        """The records with JSON where the source has its text, as COPY reads it; and what is none."""
        if not (names := self._json):
            return records, []
        found, faults = [], []
        for record in records:
            texts = {name: decode(record.document[name]) for name in names & record.document.keys()}
            for name, text in texts.items():
                try:
                    decode(text or "null")
                except (DecodeError, RecursionError):
                    faults.append(self._no_json(record, name, text))
            raw = {name: Raw((text or "null").encode()) for name, text in texts.items()}
            found.append(replace(record, document={**record.document, **raw}))
        return found, faults

    def _no_json(self, record: Desired, name: str, text: str) -> Fault:
        shown = "another value, which is secret" if name in self._dataset.secrets else quote(text)
        problem = f"expected {self.columns[name].type}, found {shown}: is not valid JSON, in which a text has quotes"
        return Fault(record.where, self._label(record), name, problem)

    def _why_not(self, field: str) -> str:
        if field in self.columns:
            return f"table {self._name} computes this column itself: remove it, or put it in ignore"
        near = nearest(field, list(self.columns))
        return f"table {self._name} has no such column{near}: correct it, or put it in ignore"

    def _label(self, record: Desired) -> str:
        return label(self._dataset.key, record.key)

    # reading

    def _copy(self, records: list[Desired]) -> list[Fault]:
        """Copy some of the desired records; what is wrong with them, and then none of them is copied."""
        cursor = self._connection.cursor()
        try:
            with (
                self._connection.transaction(),
                cursor.copy("COPY pg_temp.raw FROM STDIN") as copy,
            ):
                for record in records:
                    shape = self._shapes.setdefault(tuple(record.document), len(self._shapes))
                    copy.write_row((record.position, shape, encode(record.document).decode()))
            waits = [
                (record.position, name, bytes(value).decode(), ours)
                for record in records
                for name, (value, ours) in (record.waits or {}).items()
            ]
            if waits:
                with cursor.copy("COPY pg_temp.waits FROM STDIN") as copy:
                    for row in waits:
                        copy.write_row(row)
        except psycopg.DataError as error:
            return self._unstorable(records) or [self._unplaced(error)]
        return []

    def _unstorable(self, desired: list[Desired]) -> list[Fault]:
        """What is JSON and yet nothing that jsonb can hold, such as 1e200000; by field."""
        texts = [encode(record.document).decode() for record in desired]
        return [
            Fault(desired[n].where, self._label(desired[n]), field, self._reason(error))
            for n, _ in search(
                self._connection,
                list(range(len(texts))),
                lambda some: self._hold([texts[n] for n in some]),
            )
            for field, raw in desired[n].document.items()
            if (error := attempted(self._connection, partial(self._hold, [bytes(raw).decode()])))
        ]

    def _hold(self, texts: list[str]) -> None:
        self._connection.execute(statements("table")["hold"], {"texts": texts})

    def _type(self) -> None:
        self._connection.execute(statements("table")["desired"])
        for shape, number in self._shapes.items():
            query = sql.SQL(statements("table")["type"]).format(
                id=self._id("p"),
                key=self._key("p"),
                hashes=self._hashes("p", shape),
                fields=identifiers("p", shape),
                typed=self._typed(shape),
            )
            self._connection.execute(query, {"shape": number})
        self._connection.execute("ANALYZE pg_temp.desired")

    def _show_live(self) -> None:
        texts = statements("table")
        self._connection.execute(texts["live"])
        if self._is_found_by_key() and (row := self._few()) and row[0]:
            self._connection.execute("ANALYZE pg_temp.raw")
            self._show_rows("which_by_key")
            if row[1]:
                self._show_rows("which_is_gone")
        else:
            self._show_rows("which_by_id")
        self._connection.execute("ANALYZE pg_temp.live")

    def _few(self) -> Any:
        values = {"table": regclass(self._name)}
        return self._connection.execute(statements("table")["few"], values).fetchone()

    def _is_found_by_key(self) -> bool:
        """Whether keys whose hashes are equal are equal to PostgreSQL as well."""
        return all(self.columns[field].base in EQUAL for field in self._dataset.key)

    def _show_rows(self, which: str) -> None:
        every = [field for field in self._fields if field in self.columns]
        condition = sql.SQL(statements("table")[which]).format(
            id=self._id("t"),
            key=self._key("t"),
            wanted=self._key("p"),
            typed=self._typed(self._dataset.key),
        )
        query = sql.SQL(statements("table")["show_live"]).format(
            id=self._id("t"),
            key=self._key("t"),
            hashes=self._hashes("t", every),
            fields=identifiers("t", every),
            table=self.identifier,
            which=condition,
        )
        self._connection.execute(query, {})

    def _hashes(
        self, alias: str, shown: Sequence[str], texts: Mapping[str, str] = NO_TEXTS
    ) -> sql.Composed:
        return sql.SQL(", ").join(
            self.columns[field].hashed(alias, self._salt, texts.get(field))
            if field in shown
            else sql.SQL("NULL")
            for field in self._fields
        )

    def _texts(self, shown: Sequence[str]) -> dict[str, str]:
        """Of the columns whose hash asks for their text more than once, a name for it."""
        free = (name for n in count() if (name := f"text {n}") not in self.columns)
        long = [field for field in shown if self.columns[field].base == "jsonb"]
        return dict(zip(long, free, strict=False))

    def _rows(self, texts: Mapping[str, str]) -> sql.Composable:
        """The table's rows, with these texts: to make one of jsonb costs more than all else of its hash."""
        if not texts:
            return self.identifier
        made = sql.SQL(", ").join(
            sql.SQL("t.{}::text AS {}").format(Name(field), Name(name))
            for field, name in texts.items()
        )
        return sql.SQL("(SELECT t.*, {} FROM {} t OFFSET 0)").format(made, self.identifier)

    def _id(self, alias: str) -> sql.Composed:
        """The hash of the key, by which a record is known."""
        parts = [self.columns[field].hashed(alias, self._salt) for field in self._dataset.key]
        if len(parts) == 1:
            return parts[0]
        together = sql.SQL("hash_array_extended(ARRAY[{}]::bigint[], {})")
        return together.format(sql.SQL(", ").join(parts), sql.Literal(self._salt))

    def _typed(self, fields: Sequence[str]) -> sql.Composed:
        """`AS p(…)` for jsonb_to_record: columns and types, with their length or precision."""
        return sql.SQL(", ").join(
            sql.SQL("{} {}").format(Name(field), as_is(self.columns[field].type))
            for field in fields
        )

    def _key(self, alias: str) -> sql.Composed:
        return identifiers(alias, self._dataset.key)

    # writing

    def _write(self, plan: Plan) -> None:
        deleted = self._delete(None) if plan.delete else 0
        created = self._create() if plan.create or plan.update else 0
        updated = self._update(None) if plan.update else 0
        if (created, updated, deleted) != (plan.create, plan.update, plan.delete):
            raise RefusedError(
                f"{self._dataset.target} took other rows than it was given",
                [
                    Fault(
                        self._dataset.target,
                        "",
                        "",
                        f"planned {plan.create} to create, {plan.update} to update and {plan.delete} to delete,"
                        f" and the table took {created}, {updated} and {deleted}: a trigger, a rule or row-level"
                        " security holds some back",
                    )
                ],
            )
        if created or updated:
            self._follow_sequences()
        # Deferred constraints would else fail at COMMIT, where no record can be named any more.
        self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def _create(self) -> int:
        """Insert all that is new: where records wait for others, those first."""
        self._tree.plant(self._widened)
        levels: Sequence[list[int] | None] = self._tree.levels() or [None]
        return sum(self._insert(shape, positions) for positions in levels for shape in self._shapes)

    def _look_back(self, plan: Plan) -> list[str]:
        """See what triggers made of the rows just written; which fields they changed, by record.

        Raises:
            RefusedError: the table does not show records under their keys: they would be created again.
        """
        texts, table = statements("table"), {"table": regclass(self._name)}
        row = self._connection.execute(texts["rewrites"], table).fetchone()
        if not (plan.create or plan.update) or not row or not row[0]:
            return []
        every = [field for field in self._fields if field in self.columns]
        query = sql.SQL(texts["written"]).format(
            id=self._id("t"), hashes=self._hashes("t", every), table=self.identifier
        )
        self._connection.execute(query, {})
        vanished = self._connection.execute(texts["vanished"]).fetchall()
        if vanished:
            why = (
                "was written, and is not there under its key: a trigger, a rule or row-level security changes or"
                " hides it"
            )
            shown = self._at(position for (position,) in vanished[:SHOWN])
            raise RefusedError(
                self._refuses,
                [Fault(one.where, self._label(one), "", why) for one in shown.values()],
                len(vanished),
            )
        rules_ = [self._dataset.fields.get(name) for name in self._fields]
        values = {"fields": self._fields, "once": [bool(rule and rule.once) for rule in rules_]}
        self._connection.execute(texts["observe"], values)
        found = self._connection.execute(texts["rewritten"], values).fetchall()
        records = self._at(position for position, _ in found)
        return [f"{self._label(records[n])}: {', '.join(names)}" for n, names in found]

    def _insert(self, shape: Shape, positions: Sequence[int] | None) -> int:
        query = sql.SQL(statements("table")["insert"]).format(
            table=self.identifier,
            columns=identifiers(None, shape),
            fields=identifiers("p", shape),
            typed=self._typed(shape),
        )
        return self._connection.execute(
            query, {"shape": self._shapes[shape], "positions": positions}
        ).rowcount

    def _update(self, positions: Sequence[int] | None) -> int:
        written = [
            str(row[0]) for row in self._connection.execute(statements("table")["written_fields"])
        ]
        fields = list(dict.fromkeys([*self._dataset.key, *written]))
        query = sql.SQL(statements("table")["update"]).format(
            table=self.identifier,
            assignments=sql.SQL(", ").join(
                sql.SQL(
                    "{column} = CASE WHEN w.fields -> {name} ? 'write' THEN p.{column} ELSE t.{column} END"
                ).format(column=Name(field), name=Text(field))
                for field in written
            ),
            typed=self._typed(fields),
            match=same("t", "p", self._dataset.key),
        )
        return self._connection.execute(query, {"positions": positions}).rowcount

    def _delete(self, ids: Sequence[int] | None) -> int:
        query = sql.SQL(statements("table")["delete"]).format(
            table=self.identifier, id=self._id("t")
        )
        return self._connection.execute(query, {"ids": ids}).rowcount

    def _follow_sequences(self) -> None:
        """Let identity and serial sequences go on after explicit ids."""
        named = {field for shape in self._shapes for field in shape}
        for field in sorted(named):
            query = sql.SQL(statements("table")["follow"]).format(
                column=Name(field), table=self.identifier
            )
            found = self._connection.execute(
                statements("table")["sequence"], {"table": regclass(self._name), "column": field}
            ).fetchone()
            if found and found[0]:
                self._connection.execute(query, {"sequence": found[0]})

    # finding the records at fault

    def _refused(self) -> list[Fault]:
        """The records that the table refuses beside those that it takes; nothing of it stays."""
        found: list[tuple[int, psycopg.Error]] = []
        self._tree.plant(self._widened)  # what was done before it failed is rolled back
        for action, write in (("create", self._insert_all), ("update", self._update)):
            rows = self._connection.execute(statements("table")["positions"], {"action": action})
            places = [row[0] for row in rows]
            if action == "create":  # a record that is created is there for those that refer to it
                places = [place for level in self._tree.levels() for place in level] or places
            found += search(self._connection, places, write)
        known = {rule.name: rule for rule in rules(self._connection, regclass(self._name))}
        records = self._at(position for position, _ in found)
        # Looked for in the table and in the file: only for what a message has room for.
        holders = self._holders(
            [
                (rule, records[position])
                for position, error in found[:SHOWN]
                if (rule := known.get(error.diag.constraint_name or "")) and rule.kind == UNIQUE
            ]
        )
        return [
            self._fault(records[position], error, known, holders.get(position, ""))
            for position, error in found
        ] + self._not_deleted()

    def _not_deleted(self) -> list[Fault]:
        """The records that are in use, or that a trigger keeps."""
        keys = dict(self._connection.execute(statements("table")["deletes"]).fetchall())
        found = search(self._connection, list(keys), self._delete)
        return [
            Fault(
                self._dataset.target,
                label(self._dataset.key, keys[id_]),
                "",
                f"has left the file and cannot be deleted: {self._reason(error)}",
            )
            for id_, error in found
        ]

    def _fault(
        self, record: Desired, error: psycopg.Error, known: Mapping[str, Rule], holder: str
    ) -> Fault:
        """What a record was refused for: by the rule that it breaks, or in PostgreSQL's own words."""
        rule = known.get(error.diag.constraint_name or "")
        field = error.diag.column_name or ""
        if error.sqlstate == NOT_NULL and field:
            problem = null(field, record.document)
        elif rule:
            field = ", ".join(rule.columns)
            problem = rule.problem(record.document, self._dataset.secrets) + holder
        else:
            problem = self._reason(error)
        return Fault(record.where, self._label(record), field, problem)

    def _holders(self, refused: list[tuple[Rule, Desired]]) -> dict[int, str]:
        """By position: who has a record's unique values already, a row of the table or a record before it."""
        found: dict[int, str] = {}
        earlier: dict[int, int] = {}
        for rule, record in refused:
            if not rule.columns or not set(rule.columns) <= set(record.document):
                continue
            document = encode({name: record.document[name] for name in rule.columns}).decode()
            values = {"document": document, "position": record.position}
            row = self._asked("holder", rule.columns, values)
            if row:
                found[record.position] = f": the one with {label(self._dataset.key, row[0])}"
            elif (row := self._asked("holder_in_file", rule.columns, values)) and row[
                0
            ] is not None:
                earlier[record.position] = row[0]
        records = self._at(earlier.values())
        return found | {n: f": {records[at].where} of this file" for n, at in earlier.items()}

    def _asked(self, name: str, fields: Shape, values: Mapping[str, object]) -> Any:
        query = sql.SQL(statements("rules")[name]).format(
            key=self._key("t"),
            table=self.identifier,
            typed=self._typed(fields),
            same=same("t", "p", fields),
        )
        return self._connection.execute(query, values).fetchone()

    def _insert_all(self, positions: Sequence[int]) -> None:
        """Those at some positions, in the order of their shapes."""
        query = statements("table")["shapes"]
        there = {n for (n,) in self._connection.execute(query, {"positions": list(positions)})}
        for shape, number in self._shapes.items():
            if number in there:
                self._insert(shape, positions)

    def _reason(self, error: psycopg.Error) -> str:
        """PostgreSQL's own words; without values where the dataset has secrets."""
        if not self._dataset.secrets:
            return _reason(error)
        if (error.sqlstate or "").startswith("23"):
            return error.diag.message_primary or ""
        return (
            f"a value is not taken (SQLSTATE {error.sqlstate}); it may be secret and is not shown"
        )

    def _unplaced(self, error: psycopg.Error) -> Fault:
        """For what fails only together, such as two rows that exclude each other."""
        return Fault(self._dataset.target, "", error.diag.column_name or "", self._reason(error))


def is_limit(error: psycopg.Error) -> bool:
    """Class 54, such as a value too long for its index."""
    return (error.sqlstate or "").startswith("54")


def _reason(error: psycopg.Error) -> str:
    """PostgreSQL's own words, without the row itself: it may hold a secret."""
    detail = error.diag.message_detail or ""
    if detail.startswith("Failing row contains"):
        detail = ""
    said = " ".join(str(error.diag.message_primary or error).split())
    return f"{said}: {quote(detail)}" if detail else said


def _also(count: int) -> str:
    return f"; {count} records have it" if count > 1 else ""
